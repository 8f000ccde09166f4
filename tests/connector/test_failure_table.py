"""Law 4 against real sockets: each row of the failure table, through the real pool, journey and adapter."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.registry import build
from gateway.config import LanePolicy
from gateway.connector.config import LinkConfig
from gateway.connector.link import REASONS
from gateway.connector.pool import Pool
from gateway.core.errors import MaybeSent, NotSent
from gateway.core.payment import Payment
from gateway.core.ports import LinkSnapshot, WireAnswer, WireRequest, always
from gateway.core.reasons import Reason, may_retry
from gateway.core.states import State
from gateway.house import Bank, House
from gateway.journey import deliver
from gateway.net.tls import client_context
from tests.connector import ways_of_dialling, ways_over_http1, ways_over_http2
from tests.connector.failure_table import BEFORE, ROWS, Row
from tests.connector.failure_ways import WAYS, Scene, Way
from tests.fakes.house import house, profile, queue
from tests.fakes.papers import BANK, Papers

YEAR_NS = 366 * 86_400 * 10**9
ROW_S_MAX = 30.0
FILLED_BY = (ways_of_dialling, ways_over_http1, ways_over_http2)  # importing them fills WAYS


class Overheard:
    """A link that keeps how each exchange ended, by the payment's wire reference."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.ends: dict[str, str] = {}

    def snapshot(self) -> LinkSnapshot:
        return self._pool.snapshot()

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        found = re.search(rb"<InstrId>([^<]+)</InstrId>", request.body)
        assert found is not None
        try:
            answer = await self._pool.exchange(request, timeout_s=timeout_s, wanted=wanted)
        except (NotSent, MaybeSent) as error:
            self.ends[found[1].decode()] = f"{type(error).__name__} {error.reason}"
            raise
        self.ends[found[1].decode()] = f"WireAnswer {answer.status}"
        return answer


def new_bank(link: Overheard, way: Way, deadline_s: float) -> Bank:
    """A bank that speaks ISO 20022 over this link."""
    settings: dict[str, Any] = {"initiating_party_name": "Example Debtor GmbH", "debtor_agent_bic": "COBADEFFXXX"}
    lane = LanePolicy(request_timeout_s=deadline_s, retry_first_s=1.0, retry_max_s=60.0)
    return Bank(profile(lane=lane), build("iso20022", {**settings, **way.protocol}), link)


async def fate(of: House, payment: Payment) -> tuple[Payment, str]:
    """The payment as the store has it now, and what it has become, as the table says it."""
    now = await of.store.get(payment.id)
    assert now is not None
    assert now.attempt is not None
    reason = "" if now.attempt.reason is Reason.BANK_ANSWERED else now.attempt.reason
    return now, f"{now.state} {reason or ''}".strip()


async def lived(row: Row, way: Way, link: Overheard) -> None:
    """Delivers the row's payment and its neighbours, and checks what became of each."""
    bank = new_bank(link, way, way.deadline_s)
    patient = new_bank(link, way, ROW_S_MAX)  # the others' deadlines are not what the row is about
    here = house(bank)
    before = await queue(here, *range(100, 100 + way.before))
    ours = await queue(here, 1)
    beside = await queue(here, *range(200, 200 + way.beside))
    after = await queue(here, *range(300, 300 + way.after))
    for payment in before:
        await deliver(here, patient, [payment])
    async with trio.open_nursery() as nursery:
        for payment in (*ours, *beside):
            nursery.start_soon(deliver, here, bank, [payment])
    for payment in (*ours, *beside):
        assert (link.ends[payment.wire_reference], (await fate(here, payment))[1]) == (row.wire, row.fate)
    for payment in after:
        await deliver(here, patient, [payment])
    for payment in (*before, *after):
        assert (await fate(here, payment))[1] == "ACCEPTED"
    now, becomes = await fate(here, ours[0])
    assert becomes == row.fate, "what came later changed it"
    await what_follows(here, now, way)


async def what_follows(here: House, payment: Payment, way: Way) -> None:
    """Sent again only where nothing was sent, and not before the bank wants it; asked about where nobody knows."""
    now_ns = here.clock.now_ns()
    due = [one.id for one in await here.store.due("northbank", now_ns + YEAR_NS, 100)]
    asked = [one.id for one in await here.store.inquiries_due("northbank", now_ns + YEAR_NS, 100)]
    assert (payment.id in due) == (payment.state is State.QUEUED)
    if payment.state is State.IN_DOUBT:
        assert payment.id in asked
    if way.wait_s:
        assert payment.attempt is not None
        assert payment.send_after_ns >= payment.attempt.marked_at_ns + int(way.wait_s) * 10**9


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_row(row: Row, papers: Papers, tmp_path: Path) -> None:
    """The row holds: what the wire says, what the payment becomes, and that only proof lets it be sent again."""
    with trio.fail_after(ROW_S_MAX):
        async with WAYS[row.id](Scene(papers, tmp_path)) as way, trio.open_nursery() as nursery:
            terms: dict[str, Any] = {
                "tls_context": partial(client_context, papers.client_files()),
                "host": BANK,
                "port": way.port,
                "connect_host": "127.0.0.1",
                **way.link,
            }
            pool = Pool(LinkConfig(**terms))
            await nursery.start(pool.run)
            await lived(row, way, Overheard(pool))
            if row.heading == BEFORE:
                assert not way.heard, "the bank read a request that was not sent"
            nursery.cancel_scope.cancel()


def test_every_row_has_its_way() -> None:
    """A row that is not tried, and a trial that is in no row, are both worth nothing."""
    assert len({row.id for row in ROWS}) == len(ROWS)
    assert set(WAYS) == {row.id for row in ROWS}, FILLED_BY


def test_every_reason_of_the_wire_has_a_row() -> None:
    """What the connector can say, a bank has been made to bring about."""
    assert {reason.value for reason in REASONS.values()} <= {row.wire.partition(" ")[2] for row in ROWS}


def test_the_table_agrees_with_itself() -> None:
    """NotSent leads to QUEUED and MaybeSent to IN_DOUBT, for reasons that may and may not be sent again."""
    for row in ROWS:
        state, _, reason = row.fate.partition(" ")
        if reason:
            assert state == (State.QUEUED if may_retry(Reason(reason)) else State.IN_DOUBT)
        if not row.wire.startswith("WireAnswer"):
            assert row.wire.startswith("NotSent") == may_retry(Reason(reason))
