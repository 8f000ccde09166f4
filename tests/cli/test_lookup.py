"""`get`, `list`, `cancel`, `banks`, `watch` and `states` against a fake daemon."""

import json
import threading

import pytest

from causeway.v1 import payment_pb2
from gateway.__main__ import main
from gateway.cli.complaint import Exit
from gateway.cli.states import document, markdown
from gateway.core.states import STEPS, State
from tests.cli.conftest import Served
from tests.cli.fake_gateway import unavailable
from tests.cli.test_pay import FLAGS, pay


def _some(served: Served, count: int) -> list[str]:
    for number in range(count):
        pay(served, "--key", f"K{number}", "--amount", f"{number + 1} EUR", *FLAGS)
    return list(served.gateway.payments)


def test_get_shows_the_payment_by_id_and_by_key(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Both ways lead to the same payment; --history adds its facts."""
    (found,) = _some(served, 1)
    served.gateway.move(found, "IN_DOUBT", "doubted")
    capsys.readouterr()
    assert main(["get", found, "--profile", served.profile, "--history"]) == Exit.DONE
    by_id = capsys.readouterr().out
    assert "IN_DOUBT" in by_id
    assert "doubted" in by_id
    assert main(["get", "--key", "K0", "--profile", served.profile]) == Exit.DONE
    assert found in capsys.readouterr().out


def test_get_says_what_to_do_when_there_is_none(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """NOT_FOUND is exit code 1 with the reason's name and an advice."""
    assert main(["get", "--key", "none", "--profile", served.profile]) == Exit.REFUSED
    told = capsys.readouterr().err
    assert "PAYMENT_NOT_FOUND" in told
    assert "causeway list" in told


def test_json_keys_are_stable(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Empty fields are present under protobuf's JSON names, so that scripts need no guards."""
    (found,) = _some(served, 1)
    capsys.readouterr()
    main(["get", found, "--profile", served.profile, "--json"])
    payment = json.loads(capsys.readouterr().out)["payment"]
    assert payment["state"] == "STATE_RECEIVED"
    assert payment["bankReasonCode"] == ""
    assert payment["attempts"] == []


def test_list_turns_pages_up_to_the_limit(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Pages are followed to the end, and no further than --limit."""
    ids = _some(served, 5)
    capsys.readouterr()
    assert main(["list", "--profile", served.profile, "--json"]) == Exit.DONE
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ids
    assert main(["list", "--profile", served.profile, "--json", "--limit", "3"]) == Exit.DONE
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ids[:3]


def test_list_aligns_amounts_and_filters_states(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows only the states asked for; amounts end in the same column."""
    ids = _some(served, 2)
    pay(served, "--key", "big", "--amount", "1000000.55 EUR", *FLAGS)
    served.gateway.move(ids[0], "SETTLED")
    capsys.readouterr()
    main(["list", "--profile", served.profile, "--state", "received"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert len({line.index("EUR") for line in lines[1:]}) == 1


def test_too_late_to_cancel_is_explained(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The daemon's no is told with the state the payment is in."""
    assert main(["cancel", "some-id", "--profile", served.profile]) == Exit.REFUSED
    told = capsys.readouterr().err
    assert "TOO_LATE_TO_CANCEL" in told
    assert "state = ACCEPTED" in told


def test_a_hold_is_released_with_a_note(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The defect's hold by default, and never without saying why; what is not held is told with what to do."""
    payment = payment_pb2.Payment(id="held", state=payment_pb2.STATE_HELD, holds=["adapter_defect"])
    served.gateway.payments["held"] = payment
    with pytest.raises(SystemExit):
        main(["release", "held", "--profile", served.profile])
    words = ["release", "held", "--note", "mended in 1.4", "--profile", served.profile]
    assert main([*words, "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["payment"]["state"] == "STATE_QUEUED"
    assert served.gateway.notes == ["mended in 1.4"]
    assert main(words) == Exit.REFUSED
    assert "HOLD_NOT_OPEN" in capsys.readouterr().err


def test_banks_show_breaker_and_doubts(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A bank in trouble is visible at a glance."""
    assert main(["banks", "--profile", served.profile]) == Exit.DONE
    told = capsys.readouterr().out
    for text in ("northbank", "open", "2", "CONNECT_FAILED"):
        assert text in told


def test_watch_ends_when_all_have_ended(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """--until-settled ends with 0 when all are settled, also when they were before the watch began."""
    first, second = _some(served, 2)
    served.gateway.move(first, "SETTLED")
    later = threading.Timer(0.2, served.gateway.move, (second, "SETTLED"))
    later.start()
    assert main(["watch", "--profile", served.profile, "--until-settled", first, second]) == Exit.DONE
    later.join()
    assert capsys.readouterr().out.count("SETTLED") == 2


def test_watch_tells_when_one_ended_otherwise(served: Served) -> None:
    """A rejected payment has ended too, but the exit code is 1."""
    (found,) = _some(served, 1)
    served.gateway.move(found, "REJECTED")
    assert main(["watch", "--profile", served.profile, "--until-settled", found]) == Exit.REFUSED


def test_a_lost_watch_goes_on_without_gap_or_repeat(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Streams that break after some facts, or before the first, are resumed from the position last handled."""
    (found,) = _some(served, 1)
    for state in ("QUEUED", "SENDING", "IN_DOUBT", "ACCEPTED", "SETTLED"):
        served.gateway.move(found, state)
    served.gateway.break_stream_after = [2, 0, 1]
    served.gateway.fail_next = []
    capsys.readouterr()
    assert main(["watch", "--profile", served.profile, "--json", "--until-settled", found]) == Exit.DONE
    facts = [json.loads(line)["fact"] for line in capsys.readouterr().out.splitlines()]
    assert [fact["sequence"] for fact in facts] == ["1", "2", "3", "4", "5", "6"]


def test_watch_from_now_until_settled_is_refused(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """It could wait for ever for a payment that has ended; the message says what to do instead."""
    served.gateway.fail_next = [unavailable()]
    assert main(["watch", "--profile", served.profile, "--from", "now", "--until-settled", "x"]) == Exit.USAGE
    assert "leave --from away" in capsys.readouterr().err


def test_the_printed_table_is_the_table() -> None:
    """Every state and every step of gateway.core.states is in what `states` prints; nothing else is."""
    rows = {row["state"]: row["on"] for row in document()}
    printed = {(State(state), kind): target for state, on in rows.items() for kind, target in on.items()}  # type: ignore[attr-defined]
    assert printed == {(state, kind.value): target.value for (state, kind), target in STEPS.items()}
    assert all(state.value in markdown() for state in State)


def test_a_cut_list_says_so(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that stops at its limit is not mistaken for the whole; a whole one says nothing."""
    _some(served, 3)
    capsys.readouterr()
    assert main(["list", "--profile", served.profile, "--limit", "2"]) == Exit.DONE
    assert "there are more than 2" in capsys.readouterr().err
    assert main(["list", "--profile", served.profile, "--limit", "3"]) == Exit.DONE
    assert not capsys.readouterr().err
