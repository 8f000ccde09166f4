"""Claims about how much of a bank's time one visit to its mailbox takes."""

from collections.abc import Callable

import trio

from gateway import limits
from gateway.core.ports import Collects, WireAnswer, WireRequest, always
from gateway.status.collector import Collector
from tests.fakes.bank import FakeLink
from tests.fakes.house import house
from tests.fills import fills


class EndlessMailbox(FakeLink):
    """Each page leads to another."""

    async def exchange(
        self, request: WireRequest, *, timeout_s: float, wanted: Callable[[], bool] = always
    ) -> WireAnswer:
        self.requests.append(request)
        page = int(request.path.rpartition("/")[2])
        return WireAnswer(200, (), f"{page + 1}\n".encode())


@fills("COLLECT_PAGES_MAX")
async def test_a_visit_ends_though_the_mailbox_does_not(autojump_clock: trio.testing.MockClock) -> None:
    """COLLECT_PAGES_MAX pages, then others have the bank; the next visit goes on where this one ended."""
    gate = house()
    side = gate.banks["northbank"]
    assert isinstance(side.adapter, Collects)
    mailbox = EndlessMailbox()
    object.__setattr__(side, "link", mailbox)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Collector(gate, side, side.adapter).run)
        await trio.sleep(0.5 * side.profile.collect.every_s)
        visited = len(mailbox.requests)
        await trio.sleep(2 * side.profile.collect.every_s)
        nursery.cancel_scope.cancel()
    assert visited in (0, limits.COLLECT_PAGES_MAX)
    assert mailbox.requests
    assert len(mailbox.requests) % limits.COLLECT_PAGES_MAX == 0
    assert mailbox.requests[-1].path.endswith(f"/{len(mailbox.requests) - 1}")
