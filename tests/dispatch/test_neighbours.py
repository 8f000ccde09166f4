"""Claims about neighbours: a slow bank costs another bank's payments nothing, a slow watcher costs nobody anything."""

from contextlib import aclosing

import trio

from gateway.config import LanePolicy
from gateway.dispatch.lane import Lane
from gateway.events.feed import Feed
from gateway.house import House
from gateway.status.inquiries import Inquiries
from tests.fakes.bank import hang
from tests.fakes.house import bank, house, link, queue

HUNG = 50


async def _accepted(of: House, name: str) -> int:
    return (await of.store.counts(name)).accepted


async def test_a_bank_that_hangs_with_every_place_taken_slows_no_other_bank(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One bank holds every message it may have in flight, more wait for it, and inquiries about them fail one after
    the other; each payment of the other bank is accepted within a moment of its admission, all the while."""
    gate = house(bank("slowbank", lane=LanePolicy(in_flight_max=8, request_timeout_s=60.0)), bank("quickbank"))
    link(gate, "slowbank").script.extend(hang for _ in range(1_000))
    await queue(gate, *range(HUNG), bank="slowbank")
    async with trio.open_nursery() as nursery:
        for side in gate.banks.values():
            nursery.start_soon(Lane(gate, side).run)
            nursery.start_soon(Inquiries(gate, side).run)
        for number in range(HUNG, HUNG + 300):
            await queue(gate, number, bank="quickbank")
            await trio.sleep(0.5)
            assert await _accepted(gate, "quickbank") == number - HUNG + 1
        assert await _accepted(gate, "slowbank") == 0
        assert (await gate.store.counts("slowbank")).in_doubt > 0, "its deadlines came, and it was asked meanwhile"
        nursery.cancel_scope.cancel()


async def test_a_watcher_that_never_reads_on_slows_no_payment(autojump_clock: trio.testing.MockClock) -> None:
    """It has taken its first page and then nothing more; payments go their way at once, and it misses no fact."""
    gate = house()
    feed = Feed(gate.store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Lane(gate, gate.banks["northbank"]).run)
        async with aclosing(feed.follow(0)) as pages:
            seen = list(await anext(pages))
            for number in range(200):
                await queue(gate, number)
                await trio.sleep(0.1)
                assert await _accepted(gate, "northbank") == number + 1
            last = await gate.store.last_sequence()
            while not seen or seen[-1].sequence < last:
                seen += await anext(pages)
        nursery.cancel_scope.cancel()
    assert [fact.sequence for fact in seen] == list(range(1, last + 1))
