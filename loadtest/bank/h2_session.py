"""The bank's side of one HTTP/2 connection, thin enough to break every rule on purpose.

h2 keeps the state of what an honest bank says. The sins go round it: frames made by hand are queued behind
h2's own bytes, so their order on the wire is the order of the calls. A GOAWAY in either direction would
close h2's whole connection state, therefore ours is made by hand and the peer's is taken out of the stream
before h2 sees it (`FrameGate`): requests in flight are still answered.

One task reads, one task writes; everything queued between two turns of the writer leaves in one `send_all`.
Requests are answered by tasks of the bank, not of the connection: a bank that has the whole request goes on
with it when the client has hung up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from loadtest.bank.config import (
    BODY_BYTES_MAX,
    CLOSE_S_MAX,
    CONNECTION_BODY_BYTES_MAX,
    OUTBOUND_BYTES_MAX,
    STREAMS_PER_CONNECTION_MAX,
)
from loadtest.bank.exchange import Request
from loadtest.bank.frame_gate import FrameGate, goaway_frame
from loadtest.bank.h2_flow import SendingWindows
from loadtest.bank.wire import Ending, Gone, Wire

CONNECTION_WINDOW = 1 << 24  # bytes a client may send ahead over all streams
SETTINGS: dict[SettingCodes, int] = {
    SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_PER_CONNECTION_MAX,
    SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,  # bytes a client may send ahead on one stream
    SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
}


@dataclass
class _Inbound:
    """A request whose bytes are still coming."""

    method: str
    target: str
    traceparent: str | None
    body: bytearray = field(default_factory=bytearray)


class H2Session:
    """One connection. `start(session, stream_id, request)` is called for each complete request."""

    def __init__(self, wire: Wire, start: Callable[["H2Session", int, Request], None]) -> None:
        self.wire = wire
        self.gone = trio.Event()
        self.h2 = H2Connection(
            H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False)
        )
        self._start = start
        self._gate = FrameGate()
        self._raw = bytearray()
        self._inbound: dict[int, _Inbound] = {}
        self._inbound_bytes = 0
        self._answering: set[int] = set()
        self._taken: set[int] = set()  # of those answered, the ones whose money moves
        self._wake = trio.Event()
        self._idle = trio.Event()  # renewed with every byte queued; set when all of it is sent
        self._windows = SendingWindows(self.h2)
        self._muted = False
        self._last_stream: int | None = None  # of our GOAWAY
        self._ending: Ending = "fin"
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Serves until either side ends the connection; returns when it is closed."""
        self.h2.local_settings = Settings(client=False, initial_values=SETTINGS)
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(CONNECTION_WINDOW)
        self.kick()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    nursery.cancel_scope.cancel()
        except* Gone:
            pass  # the peer is away; requests it completed are still being answered into the void
        finally:
            self.gone.set()
            self._windows.wake_all()
            self._idle.set()
            await self.wire.close(self._ending)

    # ---- writing -------------------------------------------------------------------------------------

    def kick(self) -> None:
        """Something was queued: let the writer send it."""
        if self.gone.is_set():
            raise Gone
        if self._idle.is_set():
            self._idle = trio.Event()
        self._wake.set()

    def queue_raw(self, data: bytes) -> None:
        """Queue bytes behind everything h2 has said so far."""
        self._collect()
        if not self._muted:
            self._raw += data
        self.kick()

    def _collect(self) -> None:
        data = self.h2.data_to_send()
        if not self._muted:
            self._raw += data

    async def flushed(self) -> None:
        """Waits until everything queued so far is with the kernel. Raises Gone."""
        self.kick()
        await self._idle.wait()
        if self.gone.is_set():
            raise Gone

    async def _write(self) -> None:
        while True:
            self._collect()
            if self._raw:
                data, self._raw = bytes(self._raw), bytearray()
                await self.wire.send_all(data)
                continue
            self._idle.set()
            self._wake = trio.Event()
            await self._wake.wait()

    def mute(self) -> None:
        """Nothing queued after this leaves."""
        self._collect()
        self._muted = True

    async def close(self, how: Ending) -> None:
        """Sends what is queued (unless the peer does not read for CLOSE_S_MAX) and ends the connection."""
        self._ending = how
        with trio.move_on_after(CLOSE_S_MAX):
            await self.flushed()
        self._scope.cancel()

    async def send_body(self, stream_id: int, data: bytes, end: bool) -> None:
        """DATA frames as flow control allows; a stream the peer has reset takes nothing more. Raises Gone."""
        view = memoryview(data)
        while True:
            room = min(self._room(stream_id), self.h2.max_outbound_frame_size)
            if len(view) <= room:
                self._h2_call(self.h2.send_data, stream_id, bytes(view), end)
                self._windows.pass_on()
                return
            if room > 0:
                self._h2_call(self.h2.send_data, stream_id, bytes(view[:room]), False)
                view = view[room:]
                continue
            await self._windows.wait(stream_id)
            self.kick()

    def _room(self, stream_id: int) -> int:
        try:
            return self.h2.local_flow_control_window(stream_id)
        except ProtocolError as closed:
            raise Gone from closed

    def send_head(self, stream_id: int, headers: list[tuple[str, str]], end: bool) -> None:
        """HEADERS; `end` when no body follows. Raises Gone."""
        self._h2_call(self.h2.send_headers, stream_id, headers, end)

    def reset(self, stream_id: int, error_code: int) -> None:
        """RST_STREAM. Raises Gone."""
        self._h2_call(self.h2.reset_stream, stream_id, error_code)

    def _h2_call(self, act: Callable[..., None], *args: object) -> None:
        """An act on a stream the peer has reset meanwhile is an act on a connection that is gone."""
        try:
            act(*args)
        except ProtocolError as closed:
            raise Gone from closed
        self.kick()

    def send_goaway(self, last_stream: int, error_code: int) -> None:
        """Streams above `last_stream` are ignored from now on; the connection ends when the others have. It never lets
        in what an earlier GOAWAY disowned (RFC 9113 section 6.8)."""
        self._last_stream = last_stream if self._last_stream is None else min(last_stream, self._last_stream)
        self.queue_raw(goaway_frame(self._last_stream, error_code))

    def take_on(self, stream_id: int) -> bool:
        """Whether the bank may act on this request; from then on no GOAWAY for another stream disowns it."""
        if self._last_stream is not None and stream_id > self._last_stream:
            return False
        self._taken.add(stream_id)
        return True

    def taken_beside(self, stream_id: int) -> list[int]:
        """The other streams that were taken on. A GOAWAY below one of them would be a lie (RFC 9113 section 6.8)."""
        return [taken for taken in self._taken if taken != stream_id]

    async def answered(self, stream_id: int) -> None:
        """The bank has nothing more to say on this stream."""
        self._answering.discard(stream_id)
        self._taken.discard(stream_id)
        last = self._last_stream
        if last is not None and last <= self.h2.highest_inbound_stream_id and not self._unfinished(last):
            await self.close("fin")

    def _unfinished(self, last: int) -> bool:
        return any(stream <= last for stream in (*self._answering, *self._inbound))

    # ---- reading -------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while data := await self.wire.receive_some():
            try:
                events = self.h2.receive_data(self._gate.pass_on(data))
            except ProtocolError:
                with trio.move_on_after(CLOSE_S_MAX):
                    await self.flushed()  # h2 has queued the GOAWAY that names the error
                return
            for event in events:
                self._hear(event)
            self.kick()
            while len(self._raw) > OUTBOUND_BYTES_MAX and not self._muted:
                await self.flushed()

    def _hear(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._open(event)
            case DataReceived():
                self._receive(event)
            case StreamEnded():
                self._complete(event.stream_id)
            case StreamReset():
                self._forget(event.stream_id)
                self._windows.closed(event.stream_id)
            case WindowUpdated():
                self._windows.opened(event.stream_id)
            case RemoteSettingsChanged():
                self._windows.wake_all()
            case _:
                pass  # the rest is h2's own business: settings, pings, priorities

    def _open(self, event: RequestReceived) -> None:
        if self._last_stream is not None and event.stream_id > self._last_stream:
            return
        headers = {str(name): str(value) for name, value in event.headers}
        self._inbound[event.stream_id] = _Inbound(
            headers[":method"], headers.get(":path", "/"), headers.get("traceparent")
        )

    def _receive(self, event: DataReceived) -> None:
        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        inbound = self._inbound.get(event.stream_id)
        if inbound is None:
            return
        inbound.body += event.data
        self._inbound_bytes += len(event.data)
        if len(inbound.body) > BODY_BYTES_MAX or self._inbound_bytes > CONNECTION_BODY_BYTES_MAX:
            self._forget(event.stream_id)
            self.h2.reset_stream(event.stream_id, ErrorCodes.ENHANCE_YOUR_CALM)

    def _complete(self, stream_id: int) -> None:
        inbound = self._forget(stream_id)
        if inbound is not None:
            self._answering.add(stream_id)
            request = Request(inbound.method, inbound.target, bytes(inbound.body), inbound.traceparent)
            self._start(self, stream_id, request)

    def _forget(self, stream_id: int) -> _Inbound | None:
        inbound = self._inbound.pop(stream_id, None)
        if inbound is not None:
            self._inbound_bytes -= len(inbound.body)
        return inbound
