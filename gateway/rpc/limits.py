"""Every bound of the gRPC server, with its unit and its reason."""

import math
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What one server grants its peers. Units stand in the names; times are seconds, sizes bytes.

    Connections
      max_connections: open at once, handshakes included. One more takes the place of the longest handshake, which
        nobody has shown a certificate for yet; without one it is closed unread. A descriptor and about 100 KiB each.
      max_handshakes: of these at most, so many may still be in `upgrade`; one more ends the longest. TLS costs some
        70 KiB before anybody has shown who they are.
      max_connections_per_caller: of these, of one caller (one certificate's holder; one address in plaintext). One
        more is told ENHANCE_YOUR_CALM. Half of all: nobody alone can keep everybody else out.
      max_callers_remembered: callers without a connection that are kept in mind for what they did; the one that was
        quiet for longest is forgotten first. Some 300 bytes each.
      handshake_timeout_s: for the caller's `upgrade` (TLS); a silent peer must not hold a slot.
      preface_timeout_s: from the handshake to the first bytes of HTTP/2, for the same reason.
      frame_timeout_s: for one frame or header block to arrive whole, while bytes of it keep coming; 16 KiB at 1 KiB/s.
      accept_retry_s: pause of the accept loop when the process has no descriptors left.
      close_timeout_s: to flush a last GOAWAY and see the peer hang up before the socket is closed.

    Calls
      max_concurrent_streams: per connection; one more is refused with REFUSED_STREAM, which clients retry. Handlers
        still winding down after a reset may add as many again. Bounds the tasks of one connection.
      max_calls_per_caller: over all its connections; one more is RESOURCE_EXHAUSTED with RetryInfo. A call costs a
        task and some 10 KiB, so that one caller holds 40 MiB of them at most.
      max_receive_message_bytes: after decompression. 4 MiB is what every gRPC implementation defaults to.
      max_send_message_bytes: before compression. Stock clients refuse more than 4 MiB anyway.
      header_list_bytes: decoded size of one header list; gRPC's own hard limit is 16 KiB.

    Buffers
      stream_window_bytes: HTTP/2 window of one call; what a slow handler can leave waiting in whole messages.
      connection_window_bytes: HTTP/2 window of the connection. Given back on receipt, so that one slow handler
        stops its own stream only; it therefore limits bytes in flight, not memory.
      connection_buffer_bytes: received and not yet handed to handlers, or answered and not yet sent, over all calls of
        a connection. Without it every stream could park one almost complete message, and every call one whole
        answer. Over it, the call that grew is RESOURCE_EXHAUSTED.
      server_buffer_bytes: the same over all connections of a server: what a crowd of hostile or slow peers can make
        it hold.
      connection_share_bytes: what a connection may hold though others have filled the server's buffer, so that they
        cannot take away the service of one that reads what it asks for.
      frame_bytes: largest frame we accept (SETTINGS_MAX_FRAME_SIZE); 16 KiB is the protocol's minimum.
      receive_chunk_bytes: one read from the socket; bounds the work of one loop turn.
      send_turn_bytes: about what one `send_all` carries; more waits for the next turn, so streams take turns.
      stream_send_buffer_bytes: framed and not yet sent, per call; over it the handler waits for the reader.
      control_backlog_bytes: acknowledgements waiting because the peer does not read; over it, the connection ends.

    Liveness
      keepalive_time_s: silence after which we send a PING; banks' and clouds' NATs forget idle flows after 4 min.
      keepalive_timeout_s: silence after that PING which ends the connection.
      min_ping_interval_s: pings of the peer closer together than this, without data from us between them, are
        strikes (gRPC's default is 5 min); twice that without any call open would be stricter than grpcio.
      idle_ping_interval_s: the same while no call is open (gRPC's default is 2 h).
      max_ping_strikes: more of them are answered with GOAWAY ENHANCE_YOUR_CALM "too_many_pings". 0: any number.
      connection_age_s: after which a connection is drained, so that load moves to new instances; off by default.
      connection_age_jitter: fraction by which the age varies, so that connections do not all leave at once.
      connection_age_grace_s: for the calls still open on an aged connection.
      drain_grace_s: the same when the server drains.
      drain_settle_s: between the two GOAWAYs when the peer does not acknowledge the PING between them.

    Abuse
      abuse_burst: cheap-to-send, dear-to-handle frames (RST_STREAM, SETTINGS, PING, PRIORITY, empty DATA, unknown
        types, refused streams, tiny pieces of messages, WINDOW_UPDATE beyond what our answers call for, anything on
        streams that are over) a connection may send at once; the next one is answered with ENHANCE_YOUR_CALM.
        A batch job that cancels a thousand calls at a stroke is still served.
      abuse_refill_per_s: how fast that allowance comes back; a lively client cancels less.
      caller_burst: the same for a caller over all its connections, with connections that had to be ended and messages
        that had to be refused (rpc.callers). Half of it gone ends nothing: the caller's frames wait at the gate.
      caller_refill_per_s: how fast that comes back; a hundred lively clients of one caller cancel less.
    """

    max_connections: int = 1_024
    max_connections_per_caller: int = 512
    max_callers_remembered: int = 4_096
    max_handshakes: int = 256
    handshake_timeout_s: float = 10.0
    preface_timeout_s: float = 10.0
    frame_timeout_s: float = 16.0
    accept_retry_s: float = 0.1
    close_timeout_s: float = 1.0

    max_concurrent_streams: int = 256
    max_calls_per_caller: int = 4_096
    max_receive_message_bytes: int = 4 * MIB
    max_send_message_bytes: int = 4 * MIB
    header_list_bytes: int = 16 * KIB

    stream_window_bytes: int = 256 * KIB
    connection_window_bytes: int = 4 * MIB
    connection_buffer_bytes: int = 8 * MIB
    server_buffer_bytes: int = 16 * MIB
    connection_share_bytes: int = 256 * KIB
    frame_bytes: int = 16 * KIB
    receive_chunk_bytes: int = 64 * KIB
    send_turn_bytes: int = 256 * KIB
    stream_send_buffer_bytes: int = 64 * KIB
    control_backlog_bytes: int = 256 * KIB

    keepalive_time_s: float = 120.0
    keepalive_timeout_s: float = 20.0
    min_ping_interval_s: float = 300.0
    idle_ping_interval_s: float = 7_200.0
    max_ping_strikes: int = 2
    connection_age_s: float = math.inf
    connection_age_jitter: float = 0.1
    connection_age_grace_s: float = 30.0
    drain_grace_s: float = 30.0
    drain_settle_s: float = 1.0

    abuse_burst: int = 1_000
    abuse_refill_per_s: float = 100.0
    caller_burst: int = 1_000
    caller_refill_per_s: float = 400.0

    def __post_init__(self) -> None:
        assert self.frame_bytes >= 16 * KIB, "RFC 9113 section 6.5.2 allows no smaller maximum"
        assert self.max_concurrent_streams >= 1
        assert self.stream_window_bytes >= 64 * KIB - 1, "smaller than the protocol's default only costs speed"
        assert self.connection_window_bytes >= self.stream_window_bytes
        assert self.connection_buffer_bytes >= self.stream_window_bytes + self.max_receive_message_bytes
        assert self.server_buffer_bytes >= self.connection_buffer_bytes
        assert self.control_backlog_bytes >= self.frame_bytes
