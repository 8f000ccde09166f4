"""Claims about the gauges: they show what the house holds, and reading them touches no event loop."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from gateway.core import happenings
from gateway.core.errors import MaybeSent
from gateway.core.facts import StoreHappening, StoreKind
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.house import Quarantine
from gateway.store.store import LmdbStore
from gateway.telemetry import names
from gateway.vitals import Vitals
from tests.dispatch.test_lane import running
from tests.fakes.bank import fails
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, link, queue, trail

Read = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]


async def test_gauges_show_what_waits_and_how_old_the_oldest_doubt_is(tmp_path: Path) -> None:
    """One payment in doubt for a minute and one queued are seen as just that, from another thread."""
    clock = FakeClock()
    async with LmdbStore(tmp_path / "data", clock=clock) as store:
        gate = house(store=store, clock=clock)
        gauges: dict[str, Read] = {}
        vitals = Vitals(gate, store, gauges.__setitem__)
        link(gate).script.append(fails(MaybeSent(Reason.REPLY_LOST), booked=True))
        (doubtful,) = await queue(gate, 1)
        async with running(gate):
            while not (await store.counts("northbank")).in_doubt:
                await trio.lowlevel.checkpoint()
        await queue(gate, 2)
        clock.advance(60)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(vitals.run)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        waiting = await trio.to_thread.run_sync(lambda: {of["state"]: n for n, of in gauges[names.WAITING]()})
        ((age_s, _),) = gauges[names.IN_DOUBT_S]()
    assert waiting == {"QUEUED": 1.0, "SENDING": 0.0, "IN_DOUBT": 1.0, "ACCEPTED": 0.0, "HELD": 0.0}
    assert 60 <= age_s < 90
    assert doubtful.id


async def test_commits_are_timed(tmp_path: Path) -> None:
    """Every commit is observed with its writes and its seconds."""
    clock = FakeClock()
    async with LmdbStore(tmp_path / "data", clock=clock) as store:
        gate = house(store=store, clock=clock)
        Vitals(gate, store, lambda name, read: None)
        (payment,) = await queue(gate, 1)
        await store.take([Step(payment_id=payment.id, happening=happenings.cancelled("erp"))])
    seen = [name for name, _ in trail(gate).observed]
    assert seen.count(names.COMMIT_S) == seen.count(names.COMMIT_WRITES) == 2


async def seen_by(vitals: Vitals) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(vitals.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


async def test_a_quarantine_is_seen_until_it_is_over(tmp_path: Path) -> None:
    """Active and its unknown references, listed or not; nought of both when it has ended."""
    restored = StoreHappening(StoreKind.RESTORED, actor="os:ada")
    found = StoreHappening(StoreKind.UNKNOWN_REFERENCE, bank="northbank", wire_reference="CW1")
    async with LmdbStore(tmp_path / "data", clock=FakeClock()) as store:
        await store.log([restored, found])
        gate = replace(house(store=store), quarantine=Quarantine(await store.quarantine()))
        gate.quarantine.unlisted = 2
        gauges: dict[str, Read] = {}
        vitals = Vitals(gate, store, gauges.__setitem__)
        await seen_by(vitals)
        assert [*gauges[names.QUARANTINE](), *gauges[names.UNKNOWN_REFERENCES]()] == [(1.0, {}), (3.0, {})]
        gate.quarantine.over.set()
        await seen_by(vitals)
        assert [*gauges[names.QUARANTINE](), *gauges[names.UNKNOWN_REFERENCES]()] == [(0.0, {}), (0.0, {})]


async def test_the_listeners_certificate_has_an_age(tmp_path: Path) -> None:
    """How long the certificate that our clients see is still valid, under its own label."""
    clock = FakeClock()
    until = datetime.fromtimestamp(clock.now_ns() / 1e9, UTC) + timedelta(days=3)
    async with LmdbStore(tmp_path / "data", clock=clock) as store:
        gauges: dict[str, Read] = {}
        await seen_by(Vitals(house(store=store, clock=clock), store, gauges.__setitem__, lambda: until))
        ((left_s, about),) = gauges[names.CERTIFICATE_S]()
    assert about == {"whose": "listener"}
    assert left_s == pytest.approx(3 * 86_400, abs=60)
