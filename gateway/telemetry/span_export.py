"""The way of closed spans out of the house.

A collector may be slow, dead or a black hole, and nothing on the way of a payment waits for it: `take` puts a span
into a bounded queue, and a thread encodes and sends. While the collector is away the thread waits, longer each time;
what it has encoded it keeps for the next try, and encodes nothing more. The queue fills meanwhile and lets go of its
oldest spans, which costs a payment no more than an append.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, Protocol, TextIO

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from gateway.core.backoff import backoff_s
from gateway.telemetry.otlp import Encoder
from gateway.telemetry.outside import line
from gateway.telemetry.trail import OpenSpan

SPAN_QUEUE_MAX: Final = 8_192
"""Closed spans that wait for export, about 5 MiB; more push out the oldest, payments are not delayed."""
SPAN_BATCH_MAX: Final = 2_048
"""About 300 kB. The request around a batch costs as much as encoding some hundred spans."""
LINES_EVERY_S: Final = 1.0
"""Somebody may be reading."""
OTLP_EVERY_S: Final = 2.0
"""Half of what the SDK waits: a request costs a millisecond, also one with a few spans."""
SEND_TRIES_MAX: Final = 8
"""Of one batch, each with the SDK's own repetitions: minutes. A batch that a collector fails on must not keep those
behind it for ever."""
AWAY_FIRST_S: Final = 1.0
AWAY_S_MAX: Final = 60.0
"""The longest wait of a collector that is away: a minute of spans may be lost when it is back, and it is asked about
as often as others' health checks ask it."""

_REQUEST_TIMEOUT: Final = 408
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERRORS: Final = 500

logger = logging.getLogger(__name__)


class Sent(Enum):
    """What became of a batch."""

    TAKEN = auto()
    AWAY = auto()
    """Nobody has it; it may be tried again."""
    REFUSED = auto()
    """It will not be taken, however often."""


class Way(Protocol):
    """Where spans go. Called on one thread at a time, never on that of the event loop."""

    @property
    def every_s(self) -> float:
        """How long spans wait for others to leave with."""
        ...

    def encode(self, spans: Sequence[OpenSpan]) -> bytes: ...
    def send(self, body: bytes) -> Sent:
        """Blocks for a bounded time. What it raises is told, and the batch is given up."""
        ...

    def close(self) -> None: ...


class Lines:
    """To a file or the console, a line of JSON each."""

    every_s = LINES_EVERY_S

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def encode(self, spans: Sequence[OpenSpan]) -> bytes:
        return "".join(map(line, spans)).encode()

    def send(self, body: bytes) -> Sent:
        self._out.write(body.decode())
        self._out.flush()
        return Sent.TAKEN

    def close(self) -> None:
        """Who opened the file closes it."""


class Otlp(OTLPSpanExporter):
    """To a collector, by the SDK's HTTP client with all that its environment variables say (headers, certificates,
    compression); the spans are encoded by us."""

    every_s = OTLP_EVERY_S

    def __init__(self, endpoint: str, timeout_s: float, encoder: Encoder) -> None:
        super().__init__(endpoint=endpoint, timeout=timeout_s)
        self._encoder = encoder

    def encode(self, spans: Sequence[OpenSpan]) -> bytes:
        return self._encoder.request(spans)

    def send(self, body: bytes) -> Sent:
        result = self._client.export(body)
        if result.success:
            return Sent.TAKEN
        status = result.status_code or _SERVER_ERRORS
        again = status in (_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS) or status >= _SERVER_ERRORS
        return Sent.AWAY if again else Sent.REFUSED

    def close(self) -> None:
        self.shutdown()  # type: ignore[no-untyped-call]


class SpanExport:
    """The queue and its thread, which starts at once and is a daemon: an export that hangs keeps no process alive."""

    def __init__(self, way: Way, pause: Callable[[float], object] | None = None) -> None:
        """`pause` waits so many seconds while the other side is away; by default the end cuts it short."""
        self._way = way
        self._queue: deque[OpenSpan] = deque(maxlen=SPAN_QUEUE_MAX)
        self._lost = 0
        """Since the last pass that went well."""
        self._body = b""
        """A batch that was encoded and is not out yet."""
        self._tries = 0
        """How often that was tried."""
        self._sending = threading.Lock()
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._pause = pause or self._ended.wait
        threading.Thread(target=self._run, daemon=True, name="telemetry-spans").start()

    def take(self, span: OpenSpan) -> None:
        """Does not block. A full queue lets go of its oldest span."""
        queue = self._queue
        waiting = len(queue)
        queue.append(span)
        if waiting >= SPAN_BATCH_MAX - 1:
            if waiting == SPAN_QUEUE_MAX:
                self._lose()
            if not self._woken.is_set():
                self._woken.set()

    def flush(self) -> bool:
        """Sends what is there. Blocks as long as the way does; False: not all is out."""
        return self._pass(whole=True)

    def end(self) -> bool:
        """Sends what is there and stops; the first time. Blocks as long as the way does; False: not all is out."""
        if self._ended.is_set():
            return not self._queue and not self._body
        self._ended.set()
        self._woken.set()
        out = self._pass(whole=True)
        self._way.close()
        return out

    def _run(self) -> None:
        failures, dice = 0, random.Random()
        while not self._ended.is_set():
            if failures:
                self._pause(backoff_s(failures, AWAY_FIRST_S, AWAY_S_MAX, dice.random()))
            else:
                self._woken.wait(self._way.every_s)
            full = self._woken.is_set()
            self._woken.clear()
            if not self._ended.is_set():
                failures = 0 if self._pass(whole=not full) else failures + 1

    def _pass(self, *, whole: bool) -> bool:
        """Sends batches: full ones only, or the `whole` queue. False: the other side is away."""
        with self._sending:
            for _ in range(SPAN_QUEUE_MAX // SPAN_BATCH_MAX + 1):
                if not self._body and not self._encode_next(whole=whole):
                    break
                if not self._send():
                    return False
        if self._lost:
            lost, self._lost = self._lost, 0
            logger.warning("spans were dropped while they could not be exported", extra={"count": lost})
        return True

    def _encode_next(self, *, whole: bool) -> bool:
        """Whether there is a batch to be sent."""
        waiting = len(self._queue)
        if not waiting or (not whole and waiting < SPAN_BATCH_MAX):
            return False
        batch = [self._queue.popleft() for _ in range(min(waiting, SPAN_BATCH_MAX))]
        try:
            self._body, self._tries = self._way.encode(batch), 0
        except Exception:
            # A defect of ours in what one span says. It costs this batch, and neither the thread nor a payment.
            logger.exception("spans could not be encoded", extra={"count": len(batch)})
        return True

    def _send(self) -> bool:
        """False: the other side is away, and the batch is kept for the next try."""
        if not self._body:
            return True
        self._tries += 1
        try:
            sent = self._way.send(self._body)
        except Exception:
            # A full disk, or a defect. A part may be out: sending it again would tell it twice.
            logger.exception("spans could not be sent")
            sent = Sent.REFUSED
        if sent is Sent.AWAY and self._tries < SEND_TRIES_MAX:
            return False
        if sent is not Sent.TAKEN:
            logger.error("a batch of spans was given up", extra={"attempts": self._tries})
        self._body = b""
        return sent is not Sent.AWAY

    def _lose(self) -> None:
        if not self._lost:
            logger.warning("Queue full: the oldest spans are dropped, and nothing is delayed")
        self._lost += 1
