"""From an address to a trusted TLS stream, or to the proof that nothing was sent."""

import trio

from gateway.connector.config import LinkConfig
from gateway.connector.http1_wire import Http1Wire
from gateway.connector.http2_wire import Http2Wire
from gateway.connector.link import Ending, verdict
from gateway.connector.wire import Wire
from gateway.net.tls import HTTP1, HTTP2, PeerNotTrusted, TlsFileBad, sni_of, verify_peer
from gateway.net.tls_stream import TlsStream

NO_APPLICATION_PROTOCOL = 120  # RFC 7301 section 3.2


async def dial(config: LinkConfig) -> TlsStream:
    """A stream whose peer is the bank and which speaks h2 or http/1.1. Raises NotSent, and nothing else but Cancelled
    (and what is a fault of ours)."""
    transport = await _connect(config)
    try:
        return await _secure(transport, config)
    except BaseException:
        await trio.aclose_forcefully(transport)
        raise


def wire_of(stream: TlsStream, config: LinkConfig) -> Wire:
    """The protocol that ALPN chose."""
    if stream.selected_alpn == HTTP2:
        return Http2Wire(config.request_authority, config.streams_per_session_max)
    return Http1Wire(config.request_authority)


async def _connect(config: LinkConfig) -> trio.abc.Stream:
    try:
        with trio.fail_after(config.connect_timeout_s):
            if config.dial is not None:
                return await config.dial()
            return await trio.open_tcp_stream(config.connect_host or config.host, config.port)
    except trio.TooSlowError as error:
        raise verdict(Ending.CONNECT_TIMED_OUT) from error
    except (OSError, trio.BrokenResourceError, UnicodeError) as error:  # UnicodeError: a host that is no host name
        raise verdict(Ending.CONNECT_FAILED, type(error).__name__) from error


async def _secure(transport: trio.abc.Stream, config: LinkConfig) -> TlsStream:
    try:
        context = config.tls_context()
    except TlsFileBad as error:
        raise verdict(Ending.TLS_FILES_BAD, str(error)) from error
    stream = TlsStream(transport, context, server_side=False, server_hostname=sni_of(config.peer_name))
    try:
        with trio.fail_after(config.handshake_timeout_s):
            await stream.do_handshake()
        verify_peer(stream, config.peer_name)
    except trio.TooSlowError as error:
        raise verdict(Ending.HANDSHAKE_TIMED_OUT) from error
    except PeerNotTrusted as error:
        raise verdict(Ending.PEER_NOT_TRUSTED, str(error)) from error
    except trio.BrokenResourceError as error:
        raise verdict(_handshake_ending(stream), str(error)) from error
    if stream.selected_alpn not in (HTTP2, HTTP1):
        raise verdict(Ending.ALPN_UNKNOWN, stream.selected_alpn or "none")
    return stream


def _handshake_ending(stream: TlsStream) -> Ending:
    if stream.client_certificate_refused:
        return Ending.CERTIFICATE_REFUSED_EARLY
    if stream.alert_received == NO_APPLICATION_PROTOCOL:
        return Ending.ALPN_UNKNOWN
    return Ending.HANDSHAKE_FAILED
