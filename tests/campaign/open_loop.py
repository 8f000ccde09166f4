"""An open-loop load of SubmitPayment or SubmitPayments calls, in a process of its own:
`python -m tests.campaign.open_loop '{"address": …}'` (the fields of `Offer`) prints one JSON object.

Arrivals are a Poisson process fixed beforehand. A latency counts from the moment an instruction was *meant* to be sent:
what waits here because the server reads slowly, or grants no more streams, waits for the server (no coordinated
omission). It speaks HTTP/2 in whole frames made from one template, because a library would cost the load's core more
per call than the server spends on refusing one.
"""

import json
import random
import selectors
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from causeway.v1.payment_service_pb2 import SubmitPaymentsResponse
from gateway.net.literal_hpack import literal_block
from tests.ingress.messages import submit

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS: Final = 4
WINDOW_BYTES: Final = 2**30
STREAMS_MAX: Final = 100  # calls open at once on one connection, as the daemon grants by default
TICK_S: Final = 0.001
SETTLE_S: Final = 10.0  # for the answers to what was offered last
READ_BYTES: Final = 256 * 1024
FRAME_BYTES: Final = 16_384
OK, SHED, OTHER = "OK", "RESOURCE_EXHAUSTED", "OTHER"
_KEY: Final = "key-0000000000000000"
_SHED_MARK: Final = b"grpc-status\x018"
_OK_MARK: Final = b"grpc-status\x010"
_WHOLE: Final = submit(_KEY).SerializeToString()


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered: `per_s` instructions a second for `seconds`, over so many connections."""

    address: str
    per_s: float
    seconds: float
    connections: int
    streaming: bool
    label: str
    """At most eight characters; makes the idempotency keys of this load its own."""


@dataclass(slots=True)
class Seen:
    """Latencies in seconds by answer."""

    taken_s: dict[str, list[float]] = field(default_factory=lambda: {OK: [], SHED: [], OTHER: []})
    offered: int = 0
    in_time: int = 0
    """Answers OK before the last instruction was meant to be sent: the goodput."""
    end_s: float = 0.0
    unsent: int = 0
    """Instructions that never left: the server granted no stream or no window for them."""

    def note(self, answer: str, meant_s: float, now: float) -> None:
        self.taken_s[answer].append(now - meant_s)
        self.in_time += answer == OK and now <= self.end_s


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack(">HBBBL", len(body) >> 8, len(body) & 0xFF, kind, flags, stream) + body


def message(key: str) -> bytes:
    """One framed gRPC message; SubmitPaymentRequest and SubmitPaymentsRequest are alike on the wire."""
    whole = _WHOLE.replace(_KEY.encode(), key.encode())
    return struct.pack(">BL", 0, len(whole)) + whole


class Wire:
    """One connection: instructions wait in `waiting` until the server lets them out."""

    def __init__(self, offer: Offer, seen: Seen) -> None:
        host, port = offer.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.waiting: deque[tuple[float, str]] = deque()
        self._offer, self._seen = offer, seen
        self._open: dict[int, float] = {}
        self._asked: dict[str, float] = {}
        self._next, self._out, self._in, self._body = 1, bytearray(), bytearray(), bytearray()
        self._window = {0: 65_535}
        self._initial = 65_535
        method = "SubmitPayments" if offer.streaming else "SubmitPayment"
        self._head = literal_block(
            (
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", f"/causeway.v1.PaymentService/{method}".encode()),
                (b":authority", b"localhost"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
            )
        )
        self._out += PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HL", 4, WINDOW_BYTES))
        self._out += frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", WINDOW_BYTES))
        if offer.streaming:
            self._out += frame(HEADERS, END_HEADERS, 1, self._head)

    @property
    def unanswered(self) -> int:
        return len(self._open) + len(self._asked)

    def push(self) -> None:
        """Lets out what the server has room for, as far as the socket takes it."""
        while self.waiting and (self._offer.streaming or len(self._open) < STREAMS_MAX):
            meant_s, key = self.waiting[0]
            body = message(key)
            if not self._fits(len(body)):
                break
            self.waiting.popleft()
            self._send(meant_s, key, body)
        if self._out:
            try:
                del self._out[: self.socket.send(self._out)]
            except BlockingIOError:
                return

    def _fits(self, size: int) -> bool:
        window = self._window.get(1, self._initial) if self._offer.streaming else self._initial
        return size <= min(self._window[0], window)

    def _send(self, meant_s: float, key: str, body: bytes) -> None:
        self._window[0] -= len(body)
        if self._offer.streaming:
            self._window[1] = self._window.get(1, self._initial) - len(body)
            self._asked[key] = meant_s
            self._out += frame(DATA, 0, 1, body)
            return
        self._open[self._next] = meant_s
        self._out += frame(HEADERS, END_HEADERS, self._next, self._head) + frame(DATA, END_STREAM, self._next, body)
        self._next += 2

    def pull(self) -> None:
        """Takes what has arrived; raises ConnectionError where the server has hung up."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError("the server hung up")
        now, whole = time.monotonic(), self._in
        whole += data
        start = 0
        while len(whole) - start >= 9:
            high, low, kind, flags, stream = struct.unpack_from(">HBBBL", whole, start)
            end = start + 9 + (high << 8 | low)
            if len(whole) < end:
                break
            self._on(kind, flags, stream, bytes(whole[start + 9 : end]), now)
            start = end
        del whole[:start]

    def _on(self, kind: int, flags: int, stream: int, body: bytes, now: float) -> None:
        if kind == HEADERS and flags & END_STREAM and stream in self._open:
            meant_s = self._open.pop(stream)
            self._seen.note(OK if _OK_MARK in body else SHED if _SHED_MARK in body else OTHER, meant_s, now)
        elif kind == DATA and self._offer.streaming:
            self._answers(body, now)
        elif kind == RESET and stream in self._open:
            self._seen.note(OTHER, self._open.pop(stream), now)
        elif kind == WINDOW_UPDATE:
            self._window[stream] = self._window.get(stream, self._initial) + struct.unpack(">L", body)[0]
        elif kind == SETTINGS and not flags & ACK:
            self._settings(body)
        elif kind == PING and not flags & ACK:
            self._out += frame(PING, ACK, 0, body)
        elif kind == GOAWAY:
            raise ConnectionError(f"GOAWAY: {body[8:].decode(errors='replace')}")
        elif kind == HEADERS and flags & END_STREAM:
            raise ConnectionError("the stream ended")

    def _settings(self, body: bytes) -> None:
        for name, value in struct.iter_unpack(">HL", body):
            if name == 4:
                self._initial = value
        self._out += frame(SETTINGS, ACK, 0, b"")

    def _answers(self, body: bytes, now: float) -> None:
        """The answers of one stream, by key: refusals come before what was asked earlier."""
        self._body += body
        start = 0
        while len(self._body) - start >= 5:
            size = struct.unpack_from(">xL", self._body, start)[0]
            if len(self._body) < start + 5 + size:
                break
            answer = SubmitPaymentsResponse.FromString(bytes(self._body[start + 5 : start + 5 + size]))
            start += 5 + size
            code = answer.error.code
            meant_s = self._asked.pop(answer.idempotency_key)
            self._seen.note(OK if not code else SHED if code == 8 else OTHER, meant_s, now)
        del self._body[:start]


def arrivals(offer: Offer, began_s: float) -> list[float]:
    dice, at_s, meant = random.Random(offer.label), began_s, []
    while (at_s := at_s + dice.expovariate(offer.per_s)) < began_s + offer.seconds:
        meant.append(at_s)
    return meant


def run(offer: Offer) -> Seen:
    seen = Seen()
    wires = [Wire(offer, seen) for _ in range(offer.connections)]
    poll = selectors.DefaultSelector()
    for wire in wires:
        poll.register(wire.socket, selectors.EVENT_READ, wire)
    meant = arrivals(offer, time.monotonic() + 0.2)
    seen.end_s = meant[-1] if meant else 0.0
    end_s = seen.end_s + SETTLE_S
    while (now := time.monotonic()) < end_s:
        while seen.offered < len(meant) and meant[seen.offered] <= now:
            key = f"{offer.label:8.8}{seen.offered:012d}".replace(" ", "-")
            wires[seen.offered % len(wires)].waiting.append((meant[seen.offered], key))
            seen.offered += 1
        for wire in wires:
            wire.push()
        if seen.offered == len(meant) and not any(wire.waiting or wire.unanswered for wire in wires):
            break
        for ready, _ in poll.select(TICK_S):
            ready.data.pull()
    seen.unsent = sum(len(wire.waiting) for wire in wires)
    unanswered = sum(wire.unanswered for wire in wires)
    seen.taken_s[OTHER] += [SETTLE_S] * unanswered
    for wire in wires:
        wire.socket.close()
    return seen


def percentile_ms(seconds: list[float], share: float) -> float:
    """Of no values, 0."""
    ordered = sorted(seconds)
    return round(1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else 0.0


def report(offer: Offer, seen: Seen) -> dict[str, Any]:
    taken, shed = seen.taken_s[OK], seen.taken_s[SHED]
    return {
        "offered": seen.offered,
        "answers": {answer: len(seconds) for answer, seconds in seen.taken_s.items()},
        "unsent": seen.unsent,
        "taken_per_s": round(seen.in_time / offer.seconds, 1),
        "taken_p50_ms": percentile_ms(taken, 0.5),
        "taken_p99_ms": percentile_ms(taken, 0.99),
        "shed_p50_ms": percentile_ms(shed, 0.5),
        "shed_p99_ms": percentile_ms(shed, 0.99),
    }


if __name__ == "__main__":
    offered = Offer(**json.loads(sys.argv[1]))
    print(json.dumps(report(offered, run(offered))))
