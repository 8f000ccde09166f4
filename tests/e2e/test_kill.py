"""kill -9 of the daemon in the middle of submission and delivery: law 6, judged by the banks' own ledgers."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from causeway.v1 import payment_pb2, payment_service_pb2
from gateway.cli.files import Line
from gateway.cli.house import verified
from gateway.cli.patience import Patience
from gateway.cli.submission import Route, Window, submit
from tests.e2e.stage import House, instructions, payments_by_key, running_house, watch_until_settled

COUNT = 60


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with running_house(tmp_path / "house") as running:
        yield running


def acknowledged_before_kill(house: House, orders: list[payment_pb2.Instruction], kill_after: int) -> dict[str, str]:
    """Key → payment id of what was acknowledged; the daemon is killed when `kill_after` answers have come."""
    acked: dict[str, str] = {}
    requests = (payment_service_pb2.SubmitPaymentsRequest(instruction=order) for order in orders)
    # The stream breaks when the daemon dies, unless all answers were out already.
    with house.stubs() as stubs, suppress(grpc.RpcError):
        for answer in stubs.payments.SubmitPayments(requests, timeout=60):
            acked[answer.idempotency_key] = answer.payment_id
            if len(acked) == kill_after:
                house.kill_daemon()
    return acked


@pytest.mark.parametrize("kill_after", [1, 20, COUNT])
def test_acknowledged_payments_are_booked_exactly_once(house: House, kill_after: int) -> None:
    """Whatever was acknowledged before kill -9 is there afterwards under the same id, and is booked exactly once;
    what was not is sent again with its key; the chain verifies."""
    orders = instructions(COUNT)
    keys = [order.idempotency_key for order in orders]
    acked = acknowledged_before_kill(house, orders, kill_after)
    assert len(acked) >= kill_after
    house.start_daemon()
    with house.stubs() as stubs:
        route = Route(stubs.payments.SubmitPayments, (), "the daemon")
        lines = (Line(number, order) for number, order in enumerate(orders, 1))
        answers = list(submit(Window(lines), route, Patience(), print))
        ids = {a.line.instruction.idempotency_key: a.admitted.payment_id for a in answers if a.admitted}
        assert ids.keys() == set(keys)
        assert acked.items() <= ids.items()
        assert not watch_until_settled(stubs, set(ids.values()))
        payments = payments_by_key(stubs, keys)
    assert house.judge(payments).complaints == []
    report = verified(house.folder.data)
    assert report.whole, report.lines()
