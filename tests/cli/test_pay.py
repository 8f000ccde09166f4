"""`causeway pay` against a fake daemon: one payment, files, and what happens when the daemon says no or nothing."""

import json
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.cli.complaint import Exit
from tests.cli.conftest import Served
from tests.cli.fake_gateway import overloaded, unavailable

DEBTOR, CREDITOR = "DE89370400440532013000", "FR1420041010050500013M02606"
FLAGS = ["--debtor", DEBTOR, "--creditor-name", "Example SARL", "--creditor", CREDITOR]


def pay(served: Served, *words: str) -> int:
    return main(["pay", "--profile", served.profile, *words])


def test_one_payment_is_admitted_with_what_the_flags_say(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag lands in its own field of the instruction, and the answer names the payment."""
    words = [
        "--key",
        "K1",
        "--amount",
        "1'234.50 eur",
        "--remittance",
        "Invoice 1",
        "--rail",
        "instant",
        "--date",
        "2026-12-31",
    ]
    assert pay(served, *words, *FLAGS, "--label", "run=7", "--town", "Paris") == Exit.DONE
    order = served.gateway.by_key["K1"].instruction
    assert (order.amount.units, order.amount.nanos, order.amount.currency_code) == (1234, 500_000_000, "EUR")
    assert order.debtor.account.iban == DEBTOR
    assert order.creditor.account.iban == CREDITOR
    assert order.creditor.address.town_name == "Paris"
    assert order.requested_execution_date.day == 31
    assert dict(order.labels) == {"run": "7"}
    told = capsys.readouterr()
    assert served.gateway.by_key["K1"].id in told.out
    assert "1234.50 EUR" in told.out


def test_a_key_is_made_and_told_before_it_is_used(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever gives no key is told the made one, so that the same payment can be asked for again."""
    assert pay(served, "--amount", "5 EUR", *FLAGS) == Exit.DONE
    (key,) = served.gateway.by_key
    assert f"--key {key}" in capsys.readouterr().err


def test_an_unreachable_moment_is_survived_with_the_same_key(served: Served) -> None:
    """UNAVAILABLE and RESOURCE_EXHAUSTED with RetryInfo are tried again; exactly one payment results."""
    served.gateway.fail_next = [unavailable(), overloaded(0)]
    assert pay(served, "--key", "K1", "--amount", "5 EUR", *FLAGS) == Exit.DONE
    assert list(served.gateway.by_key) == ["K1"]


def test_violations_are_told_with_their_fields(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused instruction ends with exit code 1 and every field path."""
    assert pay(served, "--key", "K1", "--amount", "0 EUR", *FLAGS) == Exit.REFUSED
    told = capsys.readouterr().err
    assert "instruction.amount: must be above zero" in told
    assert "instruction.creditor" in told
    assert "the same key may be used again" in told


def test_machines_get_the_refusal_as_a_document(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """--json keeps its promise for errors too: one JSON document on standard error."""
    assert pay(served, "--json", "--key", "K1", "--amount", "0 EUR", *FLAGS) == Exit.REFUSED
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["reason"]) == ("INVALID_ARGUMENT", "INSTRUCTION_INVALID")
    assert error["violations"][0]["field"] == "instruction.amount"


def test_a_reused_key_names_the_payment_that_has_it(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """The same key with another amount is refused and the advice says how to look at the first payment."""
    assert pay(served, "--key", "K1", "--amount", "5 EUR", *FLAGS) == Exit.DONE
    capsys.readouterr()
    assert pay(served, "--key", "K1", "--amount", "6 EUR", *FLAGS) == Exit.REFUSED
    told = capsys.readouterr().err
    assert "IDEMPOTENCY_KEY_REUSED" in told
    assert served.gateway.by_key["K1"].id in told


def test_wrong_flags_are_all_named_and_nothing_is_sent(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """Usage errors come with exit code 2 before anything leaves."""
    assert pay(served, "--amount", "five euros", "--date", "tomorrow", "--creditor", CREDITOR) == Exit.USAGE
    told = capsys.readouterr().err
    for flag in ("--amount", "--date", "--debtor", "--creditor-name"):
        assert flag in told
    assert not served.gateway.payments


def test_the_callers_trace_goes_on(served: Served) -> None:
    """A given traceparent reaches the daemon unchanged; without one a sampled one is made."""
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    pay(served, "--traceparent", given, "--amount", "5 EUR", *FLAGS)
    pay(served, "--amount", "5 EUR", *FLAGS)
    first, second = served.gateway.traceparents
    assert first == given
    assert second.endswith("-01")
    assert second != first


def _csv(folder: Path, count: int) -> Path:
    file = folder / "payroll.csv"
    rows = [f"K{n},{n}.00 EUR,{DEBTOR},Example SARL,{CREDITOR},batch" for n in range(1, count + 1)]
    file.write_text("key,amount,debtor,creditor_name,creditor,label.kind\n" + "\n".join(rows) + "\n")
    return file


def test_a_file_is_paid_line_by_line(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All lines of a CSV are admitted once; sending the file again admits nothing anew."""
    file = str(_csv(tmp_path, 600))
    assert pay(served, file) == Exit.DONE
    assert "600 admitted · 0 replayed · 0 refused" in capsys.readouterr().out
    assert pay(served, file) == Exit.DONE
    assert "0 admitted · 600 replayed · 0 refused" in capsys.readouterr().out
    assert len(served.gateway.payments) == 600


def test_a_broken_stream_is_taken_up_without_paying_twice(served: Served, tmp_path: Path) -> None:
    """Streams that break with an admitted but unanswered instruction: each line is admitted exactly once."""
    served.gateway.break_stream_after = [0, 7, 0, 300]
    assert pay(served, str(_csv(tmp_path, 600))) == Exit.DONE
    assert len(served.gateway.payments) == len(served.gateway.facts) == 600


def test_bad_lines_are_told_by_number_and_the_others_paid(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unreadable lines and lines the daemon refuses are named with line number and field; exit code 1."""
    file = _csv(tmp_path, 2)
    extra = (
        f"K3,abc EUR,{DEBTOR},A,{CREDITOR},x\nK4,0 EUR,{DEBTOR},A,{CREDITOR},x\n,1 EUR,{DEBTOR},A,{CREDITOR},x\nK6\n"
    )
    file.write_text(file.read_text() + extra)
    assert pay(served, str(file)) == Exit.REFUSED
    told = capsys.readouterr()
    assert "2 admitted · 0 replayed · 4 refused" in told.out
    for text in (
        "line 4 (K3)",
        "'abc EUR' is no amount",
        "line 5 (K4)",
        "instruction.amount",
        "line 6",
        "own key",
        "line 7",
    ):
        assert text in told.err


def test_json_lines_and_arrays_say_the_same(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Flat rows and protobuf's JSON form may be mixed; --json answers one line each, in order."""
    flat = {"key": "K1", "amount": "5 EUR", "debtor": DEBTOR, "creditor_name": "A", "creditor": CREDITOR}
    nested = {
        "idempotencyKey": "K2",
        "amount": {"currencyCode": "EUR", "units": "6"},
        "debtor": {"account": {"iban": DEBTOR}},
    }
    lines, array = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text(json.dumps(flat) + "\n\n" + json.dumps(nested) + "\n")
    array.write_text(json.dumps([flat, nested]))
    assert pay(served, "--json", str(lines)) == Exit.DONE
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(a["line"], a["idempotencyKey"], a["replayed"]) for a in answers] == [(1, "K1", False), (3, "K2", False)]
    assert pay(served, "--json", str(array)) == Exit.DONE
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(a["line"], a["replayed"]) for a in answers] == [(1, True), (2, True)]


def test_a_file_without_keys_is_refused_whole(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No key column: nothing is sent, and the message says what a key is for."""
    file = tmp_path / "no_keys.csv"
    file.write_text(f"amount,debtor,creditor_name,creditor\n5 EUR,{DEBTOR},A,{CREDITOR}\n")
    assert pay(served, str(file)) == Exit.USAGE
    assert "keeps a payment from being paid twice" in capsys.readouterr().err
    assert not served.gateway.payments


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("key,amount,amount\nK1,1 EUR,2 EUR\n", "more than once: amount"),
        ("", "it is empty"),
        ("key,ammount\nK1,1 EUR\n", "unknown columns: ammount"),
    ],
)
def test_a_header_that_could_mislead_refuses_the_file(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """Of two columns of one name nobody knows which is paid. Nothing is sent, and no tally pretends otherwise."""
    file = tmp_path / "payments.csv"
    file.write_text(text)
    assert pay(served, str(file)) == Exit.USAGE
    told = capsys.readouterr()
    assert said in told.err
    assert not told.out
    assert not served.gateway.by_key


def test_a_file_without_instructions_is_told(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An export that came out empty is not mistaken for one that was paid."""
    file = tmp_path / "payments.jsonl"
    file.write_text("\n")
    assert pay(served, str(file)) == Exit.DONE
    told = capsys.readouterr()
    assert "holds no instructions" in told.err
    assert not told.out


def test_a_ragged_line_is_told_with_its_key(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell too many or too few shifts the others: the line is not paid, and its key says which it is."""
    file = tmp_path / "payments.csv"
    file.write_text(f"key,amount,debtor,creditor_name,creditor\nK1,1,00 EUR,{DEBTOR},Example SARL,{CREDITOR}\n")
    assert pay(served, str(file)) == Exit.REFUSED
    assert "line 2 (K1)" in capsys.readouterr().err
    assert not served.gateway.by_key
