"""Both sessions against peers that keep the rules: whatever happens when, nobody's connection breaks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.net import http2
from gateway.rpc.events import Opened
from gateway.rpc.framing import frame
from gateway.rpc.limits import ServerLimits
from gateway.rpc.refusals import RESPONSE_HEADERS
from gateway.rpc.server_session import HEAD_BYTES_KEPT_MAX, HEADS_KEPT_MAX, ServerSession
from gateway.rpc.status import OK, trailers
from tests.fills import fills
from tests.rpc.raw_peer import headers, new_connection

LIMITS = ServerLimits(
    max_concurrent_streams=3,
    stream_window_bytes=65_535,
    connection_window_bytes=65_535,
    max_receive_message_bytes=50_000,
    abuse_burst=100_000,
)
OPERATIONS = ("open", "open badly", "data", "large data", "end", "reset", "deliver", "serve", "answer", "finish")


class Pair:
    """A client by h2 and our server session, with the bytes between them in our hands."""

    def __init__(self) -> None:
        self.client = new_connection()
        self.server = ServerSession(LIMITS, 0.0)
        self.open: list[int] = []
        self.sent: dict[int, int] = {}
        self.deliver()

    def deliver(self) -> None:
        """Everything under way arrives, on both sides, as one read each."""
        self.server.receive(self.client.data_to_send(), 0.0)
        assert self.server.failed is None
        for event in self.client.receive_data(self.server.take()):
            if isinstance(event, http2.DataReceived):
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if isinstance(event, http2.StreamEnded | http2.StreamReset) and event.stream_id in self.open:
                self.open.remove(event.stream_id)

    def client_does(self, operation: str, pick: int) -> None:
        if operation.startswith("open"):
            stream_id = self.client.get_next_available_stream_id()
            method = b"POST" if operation == "open" else b"GET"
            self.client.send_headers(stream_id, headers(method=method))
            self.open.append(stream_id)
            return
        if not self.open:
            return
        stream_id = self.open[pick % len(self.open)]
        if operation in ("data", "large data"):
            self._send(stream_id, frame(bytes(10 if operation == "data" else 16_000)))
        elif operation == "end":
            self.client.end_stream(stream_id)
            self.open.remove(stream_id)
        elif operation == "reset":
            self.client.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
            self.open.remove(stream_id)

    def _send(self, stream_id: int, data: bytes) -> None:
        if self.client.local_flow_control_window(stream_id) >= len(data):
            self.client.send_data(stream_id, data)

    def server_does(self, operation: str, pick: int) -> None:
        streams = list(self.server.streams.values())
        if not streams:
            return
        stream = streams[pick % len(streams)]
        if operation == "serve":
            stream.inbox = []
            self.server.release(stream)
        elif operation == "answer":
            self.server.send(stream, frame(bytes(pick * 1_000)))
        elif operation == "finish":
            self.server.finish(stream, trailers(OK))


@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 90)), max_size=60))
@settings(max_examples=300, deadline=None)
def test_rules_kept_are_connections_kept(story: list[tuple[str, int]]) -> None:
    """Calls opened, fed, ended, reset, answered and refused in any order never break a connection.

    The client heeds windows but not the limit on streams, so that refusals are part of it.
    """
    pair = Pair()
    pair.client.remote_settings[http2.SettingCodes.MAX_CONCURRENT_STREAMS] = 1_000
    pair.client.remote_settings.acknowledge()
    for operation, pick in story:
        if operation == "deliver":
            pair.deliver()
        elif operation in ("serve", "answer", "finish"):
            pair.server_does(operation, pick)
        else:
            pair.client_does(operation, pick)
    for _ in range(2):
        pair.deliver()
    for stream in list(pair.server.streams.values()):
        pair.server.finish(stream, trailers(OK))
    for _ in range(50):
        pair.deliver()
    assert not pair.server.streams, "every call that was finished has left"
    assert pair.server.held == 0, "nothing is held for calls that are over"


def test_one_write_carries_many_answers() -> None:
    """Answers of all streams of a turn leave in one write, headers, data and trailers together."""
    pair = Pair()
    for _ in range(3):
        pair.client_does("open", 0)
    pair.deliver()
    for stream in list(pair.server.streams.values()):
        pair.server.send(stream, frame(b"x"))
        pair.server.finish(stream, trailers(OK))
    written = pair.server.take()
    assert written.count(RESPONSE_HEADERS) == written.count(frame(b"x")) == 3
    assert not pair.server.wants_send


@fills("send_turn_bytes")
def test_streams_take_turns() -> None:
    """A stream with much to say leaves room for the others: one write carries about `send_turn_bytes`."""
    limits = ServerLimits(send_turn_bytes=20_000)
    client, server = new_connection(), ServerSession(limits, 0.0)
    for stream_id in (1, 3):
        client.send_headers(stream_id, headers())
    server.receive(client.data_to_send(), 0.0)
    for stream in server.streams.values():
        server.send(stream, frame(bytes(30_000)))
    first, second = len(server.take()), len(server.take())
    assert 30_000 < first < 31_000
    assert 30_000 < second < 31_000


@fills("HEADS_KEPT_MAX", "HEAD_BYTES_KEPT_MAX")
def test_heads_are_remembered_as_they_were_said() -> None:
    """A peer that says the same again is understood the same, one that never repeats itself fills no memory."""
    client, server = new_connection(), ServerSession(ServerLimits(), 0.0)
    client.receive_data(server.take())
    server.receive(client.data_to_send(), 0.0)
    for number in range(3 * HEADS_KEPT_MAX):
        long = "x" * (HEAD_BYTES_KEPT_MAX if number % 3 == 0 else 1)
        for repeat in range(2):
            stream_id = 4 * number + 2 * repeat + 1
            client.send_headers(stream_id, [*headers(), (b"number", b"%d" % number), (b"long", long.encode())])
            (opened,) = server.receive(client.data_to_send(), 0.0)
            assert isinstance(opened, Opened)
            assert opened.stream.head.metadata == (("number", str(number)), ("long", long))
            client.receive_data(server.take())
            server.finish(opened.stream, trailers(OK))
            client.receive_data(server.take())
    assert len(server._heads) <= HEADS_KEPT_MAX
    assert all(len(value) < HEAD_BYTES_KEPT_MAX for fields in server._heads for _, value in fields)
