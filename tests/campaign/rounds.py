"""A house that is killed again and again: real banks that go on, a daemon that dies once in each round.

A round: the daemon starts with one fail point armed (it goes on with what the last one left), a client hands in what
is unacknowledged and some new instructions and keeps a book of what is acknowledged; the daemon dies, in the point or
at a random moment. Then, beside the dead: everything acknowledged is in the store, the store is whole, and no bank
has booked anything twice. At the end of all rounds the house becomes quiet, and each payment must be booked once.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.complaint import Complaint
from gateway.cli.files import Line
from gateway.cli.house import verified
from gateway.cli.patience import Patience
from gateway.cli.submission import Route, Window, submit
from gateway.config.failpoints import AGREED, VARIABLE
from gateway.demo import settings
from gateway.demo.children import Child
from gateway.demo.oracle import control, judge, read_ledgers
from tests.campaign.ledgers import AckBook, booked_twice, lost
from tests.campaign.plan import Plan, sins
from tests.e2e.stage import Banks, House, instructions, payments_by_key, running_banks

POINT_S_MAX: Final = 8.0  # after its last answer, until the daemon has met its point or is killed from outside
QUIET_S_MAX: Final = 90.0
SIGKILLED: Final = -9


@dataclass
class Round:
    """What came of one round. `complaints` is empty when no law was broken."""

    plan: Plan
    reached: bool = False
    """Whether the daemon ended itself in its point; else it was killed from outside."""
    ready_s: float | None = None
    """From the start of the process to its ready line; None where it died before."""
    stalled: str = ""
    """Why it was not ready within the time that its parent waits (30 s), where that is so. Once may be the machine's
    fault; twice in a row is a complaint."""
    acknowledged: int = 0
    complaints: list[str] = field(default_factory=list)

    def line(self) -> str:
        how = "" if self.plan.point is None or self.reached else " (not met; killed from outside)"
        how += " (not ready in time)" if self.stalled else ""
        ready = "died before it was ready" if self.ready_s is None else f"ready in {self.ready_s:.1f} s"
        text = f"round {self.plan.number:3}  {self.plan.place:17} hit {self.plan.hit:2}{how}  {ready}"
        return f"{text}, {self.acknowledged} acknowledged" + "".join(f"\n    {each}" for each in self.complaints)


class Campaign:
    """One house and its rounds. Made by `staged`."""

    def __init__(self, banks: Banks, seed: int) -> None:
        self.seed = seed
        self._banks = banks
        self._book = AckBook(banks.folder.root / "acknowledged.jsonl")
        self._orders: dict[str, payment_pb2.Instruction] = {}
        self._stalled_before = False
        for name, port in banks.control_ports.items():
            control(port, "PUT", "/sins", sins(seed + len(name)))

    @property
    def acknowledged(self) -> int:
        return len(self._book.acked)

    def play(self, plan: Plan) -> Round:
        """One round. Afterwards no daemon runs."""
        round_ = Round(plan)
        new = instructions(plan.payments, f"round-{self.seed}-{plan.number}")
        self._orders |= {order.idempotency_key: order for order in new}
        already, met = self.acknowledged, self._points_met()
        daemon = self._start(round_)
        if daemon is not None:
            self._hand_in(plan, daemon)
            self._end(plan, daemon, round_)
        round_.reached = self._points_met() > met
        round_.acknowledged = self.acknowledged - already
        round_.complaints += self._beside_the_dead()
        return round_

    def quiet(self) -> list[str]:
        """Hands in what is left, waits until all is settled and asks the ledgers. Returns what is to complain about."""
        for port in self._banks.control_ports.values():
            control(port, "DELETE", "/sins")
        daemon = self._launch(())
        house = House(self._banks.folder, self._banks.children, self._banks.control_ports, daemon)
        with house.stubs() as stubs:
            route = Route(stubs.payments.SubmitPayments, (), "the daemon")
            for answer in submit(Window(self._lines(everything=True)), route, Patience(), print):
                if answer.admitted is None:
                    return [f"{answer.line.instruction.idempotency_key}: {answer.refusal}"]
                self._book.record(answer.line.instruction.idempotency_key, answer.admitted.payment_id)
            unsettled = _watched_until_settled(stubs.payments, set(self._book.acked.values()))
            payments = payments_by_key(stubs, list(self._orders))
        complaints = [f"{len(unsettled)} payments are not settled after {QUIET_S_MAX:.0f} s"] if unsettled else []
        # What is still open, visibly, may be unbooked; booked twice it may not be.
        opened = {payment.instruction.idempotency_key for payment in payments if payment.id in unsettled}
        judged = judge(payments, read_ledgers(self._banks.control_ports)).complaints
        complaints += [each for each in judged if each.partition(":")[0] not in opened or " 0 times" not in each]
        house.kill_daemon()
        return complaints + self._beside_the_dead()

    # ------------------------------------------------------------ a round

    def _start(self, round_: Round) -> Child | None:
        """None where it died in its point before it was ready."""
        words: tuple[str, ...] = ()
        if round_.plan.point is not None:
            file = self._banks.folder.root / "failpoints.toml"
            file.write_text(f'[[failpoints]]\nat = "{round_.plan.point}"\nhit = {round_.plan.hit}\n')
            words = ("--failpoints", str(file))
        began, met = time.monotonic(), self._points_met()
        try:
            daemon = self._launch(words)
        except Complaint as complaint:
            if self._points_met() == met:
                round_.stalled = "\n    ".join((complaint.text, *complaint.advice))
                round_.complaints += [round_.stalled] if self._stalled_before else []
            self._stalled_before = bool(round_.stalled)
            return None
        self._stalled_before = False
        round_.ready_s = time.monotonic() - began
        return daemon

    def _launch(self, words: tuple[str, ...]) -> Child:
        folder = self._banks.folder
        serve = ["serve", "--config", str(folder.config), *words]
        daemon = self._banks.children.start("causeway", serve, folder.log("causeway"))
        settings.write_profile(folder, str(daemon.ready["listening"]["tls"]))
        return daemon

    def _hand_in(self, plan: Plan, daemon: Child) -> None:
        """Until everything is acknowledged, the daemon dies or the plan says that it does now."""
        house = House(self._banks.folder, self._banks.children, self._banks.control_ports, daemon)
        answered = 0
        with house.stubs() as stubs:
            route = Route(stubs.payments.SubmitPayments, (), "the daemon")
            try:
                for answer in submit(Window(self._lines(), plan.window), route, Patience(tries_max=1), _unsaid):
                    key = answer.line.instruction.idempotency_key
                    if answer.admitted is None:
                        self._book.complaints.append(f"{key}: {answer.refusal}")
                        return
                    self._book.record(key, answer.admitted.payment_id)
                    answered += 1
                    if plan.point is None and answered > plan.kill_after:
                        return
            except Complaint:
                pass  # the stream broke: the daemon is dying, as it should

    def _end(self, plan: Plan, daemon: Child, round_: Round) -> None:
        try:
            daemon.process.wait(plan.linger_s if plan.point is None else POINT_S_MAX)
        except subprocess.TimeoutExpired:
            daemon.process.kill()
            daemon.process.wait()
        self._banks.children.stop(daemon)
        if daemon.process.returncode != SIGKILLED:
            round_.complaints.append(f"the daemon ended by itself with {daemon.process.returncode}: {daemon.tail()}")

    def _lines(self, *, everything: bool = False) -> Iterator[Line]:
        """What is unacknowledged and the new ones; or all orders, whose replays must be the first answers."""
        acked = {} if everything else self._book.acked
        left = [order for key, order in self._orders.items() if key not in acked]
        return (Line(number, order) for number, order in enumerate(left, 1))

    def _points_met(self) -> int:
        """Lines of the daemon's log that a fail point wrote before it acted."""
        log = self._banks.folder.log("causeway")
        return log.read_text(errors="replace").count("kill -9 of this process") if log.exists() else 0

    def _beside_the_dead(self) -> list[str]:
        folder, names = self._banks.folder, list(self._banks.control_ports)
        complaints, self._book.complaints = self._book.complaints, []
        report = verified(folder.data)
        complaints += [] if report.whole else report.lines()
        return [*complaints, *lost(folder.data, self._book.acked), *booked_twice(folder, names)]


@contextmanager
def staged(root: Path, seed: int) -> Iterator[Campaign]:
    """A house without a daemon, for rounds."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = AGREED
    try:
        with running_banks(root) as banks:
            for profile in banks.folder.banks.iterdir():
                profile.write_text(_patient(profile.read_text()))
            yield Campaign(banks, seed)
    finally:
        os.environ.pop(VARIABLE) if before is None else os.environ.update({VARIABLE: before})


def _patient(profile: str) -> str:
    """The demo's profiles ask for a minute, and a doubt may outlive many of our restarts: here it is asked about in all
    the rounds. The number of inquiries stays: a "not found" outlives the daemon that heard it."""
    before, after = "window_s = 60.0", "window_s = 7200.0"
    assert before in profile
    return profile.replace(before, after)


def _unsaid(text: str) -> None:
    """Broken streams are what a round is about: nobody needs to be told."""


def _watched_until_settled(stub: object, ids: set[str]) -> set[str]:
    """The payments that were not settled within QUIET_S_MAX."""
    left = set(ids)
    request = payment_service_pb2.WatchPaymentsRequest(states=["STATE_SETTLED"])
    stream = stub.WatchPayments(request, timeout=QUIET_S_MAX)  # type: ignore[attr-defined]
    try:
        for answer in stream:
            left.discard(answer.fact.payment_id)
            if not left:
                break
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            raise
    finally:
        stream.cancel()
    return left
