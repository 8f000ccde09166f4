"""Claims about how many streams that are over a connection remembers, and what it makes of one that it does not."""

import h2.config
import h2.connection
import h2.errors
import h2.events

from gateway.net import http2, http2_client
from gateway.net.http2_client import ClientConnection
from gateway.net.literal_hpack import literal_block
from tests.fills import fills

REQUEST = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")]
BLOCK = literal_block([(name.encode(), value.encode()) for name, value in REQUEST])


def _headers(stream_id: int) -> bytes:
    """An answer's HEADERS frame."""
    block = literal_block([(b":status", b"200")])
    return http2.frame_head(1, 4, stream_id, len(block)) + block


def _fails(connection: http2.StreamingConnection | ClientConnection, octets: bytes) -> bool:
    """Whether these bytes are an error of the whole connection."""
    try:
        if isinstance(connection, ClientConnection):
            list(connection.feed(octets))
        else:
            connection.receive_data(octets)
    except http2.ProtocolError:
        return True
    return False


@fills("http2_client.CLOSED_STREAMS_MAX")
def test_late_answers_are_known_for_so_many_streams() -> None:
    """The oldest of CLOSED_STREAMS_MAX streams that we have reset may still be answered: it is dropped in peace. One
    that is older is taken for an error of the connection, which is why there are so many."""
    client = ClientConnection(stream_window_bytes=65_535, header_bytes_max=65_536)
    client.initiate_connection()
    for _ in range(http2_client.CLOSED_STREAMS_MAX + 1):
        stream_id = client.open(BLOCK, b"POST", end_stream=True)
        client.reset_stream(stream_id, http2.ErrorCodes.CANCEL)
        client.forget(stream_id)
        client.data_to_send()
    assert len(client._closed_streams) == http2_client.CLOSED_STREAMS_MAX
    assert not _fails(client, _headers(3))
    assert _fails(client, _headers(1))


@fills("http2.CLOSED_STREAMS_MAX")
def test_a_client_that_opens_and_resets_fills_no_memory() -> None:
    """Of any number of calls that a client gave up CLOSED_STREAMS_MAX are remembered; the next call is taken."""
    server = http2.ServerConnection({})
    server.initiate_connection()
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    for _ in range(2 * http2.CLOSED_STREAMS_MAX):
        stream_id = client.get_next_available_stream_id()
        client.send_headers(stream_id, REQUEST)
        client.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        server.receive_data(client.data_to_send())
        server.forget(stream_id)
        assert len(server._closed_streams) <= http2.CLOSED_STREAMS_MAX
    assert len(server._closed_streams) == http2.CLOSED_STREAMS_MAX
    client.send_headers(client.get_next_available_stream_id(), REQUEST)
    events = server.receive_data(client.data_to_send())
    assert [type(event) for event in events if isinstance(event, h2.events.RequestReceived)]
