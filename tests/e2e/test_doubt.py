"""Two operators end a doubt of a real daemon with a real command line; the banks' ledgers judge."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.__main__ import main
from gateway.cli.complaint import Exit
from gateway.cli.house import verified
from gateway.demo.oracle import control
from gateway.devca import DevCa
from tests.e2e.stage import House, instructions, running_house, watch_until_settled

DOUBT_S_MAX = 60.0
LOST = [{"kind": "drop_reply"}, {"kind": "garbage", "operation": "status", "form": "body"}]
"""The bank books, loses its reply, and answers every inquiry with bytes that nobody can read."""
NEVER_GOT = [{"kind": "silent", "when": "before"}, {"kind": "garbage", "operation": "status", "form": "body"}]
"""The bank reads and forgets."""


@dataclass
class Operator:
    """Somebody with a certificate and a shell."""

    profile: Path
    capsys: pytest.CaptureFixture[str]

    def doubt(self, *words: str) -> tuple[int, str]:
        """Exit code, and what was printed."""
        self.capsys.readouterr()
        code = main(["doubt", *words, "--profile", str(self.profile)])
        told = self.capsys.readouterr()
        return code, told.out + told.err

    def resolve(self, id_: str, word: str) -> tuple[int, str]:
        return self.doubt("resolve", id_, "--as", word, "--note", f"portal, {self.profile.stem}")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running_house(tmp_path / "house") as running:
        yield running


@pytest.fixture
def operators(house: House, capsys: pytest.CaptureFixture[str]) -> tuple[Operator, Operator]:
    """Ada and Bob, principals with the role `doubts`; northbank is given up on after two seconds and two inquiries."""
    ca, found = DevCa.open_or_create(house.folder.tls), []
    text = house.folder.config.read_text()
    for name in ("ada", "bob"):
        uri = f"spiffe://causeway.example/{name}"
        ca.client(name, uri)
        table = f'[principals.{name}]\ntenant = "demo"\ncertificates = ["uri:{uri}"]\nroles = ["doubts"]\n\n'
        text = text.replace("[telemetry]", f"{table}[telemetry]")
    house.folder.config.write_text(text)
    bank = house.folder.banks / "northbank.toml"
    bank.write_text(
        bank.read_text()
        .replace("per_payment_max = 20", "per_payment_max = 2")
        .replace("[inquiry]", "[lane]\nrequest_timeout_s = 2.0\n\n[inquiry]")
    )
    house.kill_daemon()
    house.start_daemon()
    for name in ("ada", "bob"):
        profile = house.folder.root / f"{name}.toml"
        profile.write_text(house.folder.profile.read_text().replace("tls/demo.", f"tls/{name}."))
        found.append(Operator(profile, capsys))
    return found[0], found[1]


def doubtful(house: House, sins: list[dict[str, str]]) -> str:
    """The id of a payment in doubt whose inquiries are spent."""
    control(house.control_ports["northbank"], "PUT", "/sins", sins)
    with house.stubs() as stubs:
        request = payment_service_pb2.SubmitPaymentRequest(instruction=instructions(1)[0])
        payment = stubs.payments.SubmitPayment(request, timeout=20).payment
        watch = payment_service_pb2.WatchPaymentsRequest(payment_ids=[payment.id], states=["STATE_IN_DOUBT"])
        asked = 0
        for answer in stubs.payments.WatchPayments(watch, timeout=DOUBT_S_MAX):
            asked += answer.fact.kind == "inquired"
            if asked == 2:
                break
    return str(payment.id)


def standing(house: House, id_: str) -> payment_pb2.Payment:
    with house.stubs() as stubs:
        return stubs.payments.GetPayment(payment_service_pb2.GetPaymentRequest(id=id_), timeout=20).payment


def test_a_booked_payment_is_settled_by_two(house: House, operators: tuple[Operator, Operator]) -> None:
    """Nobody but the portal knows; Ada proposes, cannot confirm, Bob does, after a restart: booked once, all told."""
    ada, bob = operators
    id_ = doubtful(house, LOST)
    assert id_ in ada.doubt("list")[1]
    code, told = ada.resolve(id_, "settled")
    assert (code, "PROPOSED: settled" in told) == (Exit.DONE, True)
    assert "PROPOSED" in ada.resolve(id_, "settled")[1]
    house.kill_daemon()
    house.start_daemon()
    for operator in (ada, bob):
        address = house.folder.profile.read_text().splitlines()[1]
        lines = operator.profile.read_text().splitlines()
        operator.profile.write_text("\n".join([lines[0], address, *lines[2:]]))
    code, told = bob.resolve(id_, "settled")
    assert (code, "CONFIRMED what ada proposed" in told) == (Exit.DONE, True), told
    shown = bob.doubt("show", id_)[1]
    for text in ("portal, ada", "portal, bob", "DECIDED_BY_TWO SETTLED by ada and bob"):
        assert text in shown
    assert house.judge([standing(house, id_)]).complaints == []
    log = house.folder.log("causeway").read_text()
    assert "portal" not in log + house.folder.spans.read_text()
    report = verified(house.folder.data)
    assert report.whole, report.lines()


def test_a_payment_the_bank_never_got_is_sent_again(house: House, operators: tuple[Operator, Operator]) -> None:
    """Two people say not-held: it is sent again under its reference, booked once and settled."""
    ada, bob = operators
    id_ = doubtful(house, NEVER_GOT)
    control(house.control_ports["northbank"], "DELETE", "/sins")
    assert "SENT AGAIN" in ada.resolve(id_, "not-held")[1]
    code, told = bob.resolve(id_, "not-held")
    assert (code, "SENT AGAIN" in told) == (Exit.DONE, True), told
    with house.stubs() as stubs:
        assert not watch_until_settled(stubs, {id_})
    payment = standing(house, id_)
    assert len(payment.attempts) == 2
    assert house.judge([payment]).complaints == []
