"""`causeway doubt list | show | resolve` against a fake daemon: nobody can mistake a proposal for a decision."""

import json

import pytest

from causeway.v1 import doubt_service_pb2 as service
from gateway.__main__ import main
from gateway.cli.arguments import DECISIONS
from gateway.cli.complaint import Exit
from gateway.cli.doubt_tables import EVIDENCE_CHARS_SHOWN, age_text, spelled
from gateway.core.proposal import Decision
from tests.cli.conftest import Served

NOTE = "portal: booked"


def doubt(served: Served, *words: str) -> int:
    act, *rest = words
    return main(["doubt", act, *rest, "--profile", served.profile])


def resolve(served: Served, word: str, *more: str) -> int:
    return doubt(served, "resolve", "d1", "--as", word, "--note", NOTE, *more)


def test_the_first_proposes_and_the_second_confirms(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The same words from two people are proposal and confirmation, and each is told plainly which it was."""
    served.gateway.doubts.doubt()
    assert resolve(served, "settled") == Exit.DONE
    first = capsys.readouterr().out
    assert "PROPOSED: settled" in first
    assert "still in doubt" in first
    assert "CONFIRMED" not in first
    served.gateway.doubts.caller = "bob"
    assert resolve(served, "settled") == Exit.DONE
    second = capsys.readouterr().out
    assert "CONFIRMED what ada proposed: settled. The payment is SETTLED" in second
    assert served.gateway.doubts.notes == [NOTE, NOTE]


def test_another_decision_replaces_and_says_whose(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A second person who disagrees proposes; that the first proposal is gone is said."""
    served.gateway.doubts.doubt()
    resolve(served, "settled")
    served.gateway.doubts.caller = "bob"
    capsys.readouterr()
    assert resolve(served, "rejected") == Exit.DONE
    told = capsys.readouterr().out
    assert "PROPOSED: rejected" in told
    assert "replaces that of ada: settled" in told


def test_repeating_ones_own_proposal_confirms_nothing(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The same person twice is one proposal, said to replace their own."""
    served.gateway.doubts.doubt()
    resolve(served, "settled")
    capsys.readouterr()
    resolve(served, "settled")
    told = capsys.readouterr().out
    assert "PROPOSED" in told
    assert "replaces your own" in told


def test_not_held_says_that_it_sends_again(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The dangerous decision is loud, in the help and when it is proposed."""
    served.gateway.doubts.doubt()
    resolve(served, "not-held")
    assert "SENT AGAIN" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["doubt", "resolve", "--help"])
    assert "SEND IT AGAIN" in " ".join(capsys.readouterr().out.split())


def test_json_names_the_act(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Machines read `act`: proposed or confirmed."""
    served.gateway.doubts.doubt()
    resolve(served, "settled", "--json")
    assert json.loads(capsys.readouterr().out)["act"] == "proposed"
    served.gateway.doubts.caller = "bob"
    resolve(served, "settled", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["act"], found["payment"]["state"]) == ("confirmed", "STATE_SETTLED")


@pytest.mark.parametrize("reason", ["NOT_IN_DOUBT", "PROPOSAL_VOID", "OWN_PROPOSAL", "NO_PROPOSAL", "ROLE_REQUIRED"])
def test_a_no_says_what_to_do(served: Served, capsys: pytest.CaptureFixture[str], reason: str) -> None:
    """Each reason of the daemon comes with an advice, and exit code 1."""
    served.gateway.doubts.doubt()
    served.gateway.doubts.refuse_with = f"ERROR_REASON_{reason}"
    assert resolve(served, "settled") == Exit.REFUSED
    told = capsys.readouterr().err
    assert reason in told
    assert told.count("→") == 1


def test_a_note_is_required(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Without saying where they looked nobody decides anything."""
    with pytest.raises(SystemExit):
        main(["doubt", "resolve", "d1", "--as", "settled"])
    assert "--note" in capsys.readouterr().err


def test_the_list_turns_pages_and_shows_what_is_proposed(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """All pages up to --limit, by bank; age, attempts, inquiries and the open proposal at a glance."""
    for number in range(1, 6):
        served.gateway.doubts.doubt(f"d{number}", "southbank" if number == 5 else "northbank")
    resolve(served, "abandoned")
    capsys.readouterr()
    assert doubt(served, "list") == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    for text in ("2 h 05 min", "100.00 EUR", "abandoned by ada"):
        assert text in lines[1]
    doubt(served, "list", "--bank", "southbank", "--json")
    assert [json.loads(line)["payment"]["id"] for line in capsys.readouterr().out.splitlines()] == ["d5"]
    doubt(served, "list", "--limit", "2")
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert "more than 2" in told.err


def test_evidence_cannot_paint_the_terminal(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A bank's bytes and a person's note are shown as what they are, escapes spelled out, whose they are above."""
    served.gateway.doubts.doubt()
    served.gateway.doubts.evidence = [
        service.Evidence(
            source=service.EVIDENCE_SOURCE_BANK,
            fact_kind="doubted",
            content=b"<a>\x1b[2J[bold]\xff</a>\r\nend",
            original_bytes=70_000,
        ),
        service.Evidence(
            source=service.EVIDENCE_SOURCE_NOTE, fact_kind="proposed", actor="ada", content=b"seen \xc3\xbc"
        ),
    ]
    assert doubt(served, "show", "d1") == Exit.DONE
    told = capsys.readouterr().out
    assert "<a>\\x1b[2J[bold]\\xff</a>\\r\nend" in told
    assert "\x1b" not in told
    assert "the bank's bytes" in told
    assert "cut from 70,000 bytes" in told
    assert "note of ada" in told
    assert "seen ü" in told


def test_ages_and_long_evidence_are_short_to_read() -> None:
    """Two units of time are enough, and a megabyte is not poured onto a screen."""
    assert [age_text(s) for s in (12, 420, 7_500, 273_600)] == ["12 s", "7 min", "2 h 05 min", "3 d 4 h"]
    assert len(spelled(b"x" * 1_000_000)) < EVIDENCE_CHARS_SHOWN + 50


def test_the_command_lines_decisions_are_the_houses() -> None:
    """Every decision has one word, and no word leads nowhere."""
    assert sorted(DECISIONS.values()) == sorted(decision.value for decision in Decision)
