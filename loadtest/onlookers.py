"""Those who look on while others pay: watchers of all facts, and somebody who lists payments at a steady rate.

`python -m loadtest.onlookers HOST PORT WATCHERS LISTS_PER_S` until SIGTERM; then one JSON line says what they saw.
"""

import json
import signal
import sys

import trio

from causeway.v1 import payment_service_pb2
from loadtest.http2 import Answer, PeerBroke, request_block
from loadtest.link import Address, Link, connect
from loadtest.tally import Latencies

WATCHERS_MAX = 1_000
PAGE = 100
_WATCH = request_block("/causeway.v1.PaymentService/WatchPayments", "http")
_LIST = request_block("/causeway.v1.PaymentService/ListPayments", "http")


class Onlookers:
    """One connection. `facts`: answers of all watchers; `lists`: answered lists."""

    def __init__(self, watchers: int, lists_per_s: float) -> None:
        self._watchers = min(watchers, WATCHERS_MAX)
        self._lists_per_s = lists_per_s
        self._asked_s: dict[int, float] = {}
        self._latencies = Latencies()
        self.facts = self.ended = 0

    async def look(self, stream: trio.abc.Stream) -> None:
        """Until cancelled. Raises PeerBroke."""
        link = Link(stream, self._hear)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run)
            await link.ready.wait()
            everything = payment_service_pb2.WatchPaymentsRequest(position="now").SerializeToString()
            for number in range(self._watchers):
                link.wire.watch(_WATCH, -1 - number, everything)
            link.wake()
            await self._list(link)

    async def _list(self, link: Link) -> None:
        page = payment_service_pb2.ListPaymentsRequest(page_size=PAGE).SerializeToString()
        number = 0
        while True:
            await trio.sleep(1 / self._lists_per_s if self._lists_per_s else 3_600.0)
            if self._lists_per_s and link.wire.has_room(len(page)):
                self._asked_s[number] = trio.current_time()
                link.wire.unary(_LIST, number, page)
                link.wake()
                number += 1

    def _hear(self, _link: Link, answers: list[Answer]) -> None:
        for answer in answers:
            if answer.call.token < 0:
                self.facts += answer.status is None
                self.ended += answer.status is not None
            else:
                self._latencies.record(trio.current_time() - self._asked_s.pop(answer.call.token))

    def seen(self) -> dict[str, object]:
        """What there is to tell; `watchers_ended` were cut off by the daemon."""
        return {
            "watchers": self._watchers,
            "facts": self.facts,
            "watchers_ended": self.ended,
            "list_ms": self._latencies.summary(),
        }


async def main(address: Address, onlookers: Onlookers) -> None:
    """Until SIGTERM."""
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        stream = await connect(address)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(onlookers.look, stream)
            print(json.dumps({"ready": True}), flush=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    host, port, watchers, lists_per_s = sys.argv[1:5]
    crowd = Onlookers(int(watchers), float(lists_per_s))
    try:
        trio.run(main, Address(host, int(port)), crowd)
    except* PeerBroke:
        pass  # the daemon was stopped first: what was seen until then is told all the same
    print(json.dumps(crowd.seen()), flush=True)
