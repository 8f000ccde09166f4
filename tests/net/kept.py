"""What an HTTP/2 connection goes on with, to hold a short way against h2's own."""

from typing import Any


def streams_and_windows(connection: Any) -> tuple[object, object, object]:
    """Each stream's state, windows and plain values; the connection's windows; and how its streams ended."""
    streams = {
        stream_id: (
            vars(stream.state_machine),
            vars(stream._inbound_window_manager),
            {key: value for key, value in vars(stream).items() if isinstance(value, int | bytes | None)},
        )
        for stream_id, stream in connection.streams.items()
    }
    windows = vars(connection._inbound_flow_control_window_manager), connection.outbound_flow_control_window
    return streams, windows, dict(connection._closed_streams)
