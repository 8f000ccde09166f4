"""Who may send DATA next, when the client's windows are narrow (RFC 9113 section 5.2).

An answer that has no window waits in one of two places: on its own stream's window, or in a queue for the
connection's. A connection window that opens wakes the queue one by one, so that a thousand waiting answers do
not all wake for one update.
"""

from collections import deque

import trio
from h2.connection import H2Connection


class SendingWindows:
    """The waiting places of one connection."""

    def __init__(self, h2: H2Connection) -> None:
        self._h2 = h2
        self._on_stream: dict[int, trio.Event] = {}
        self._in_queue: deque[tuple[int, trio.Event]] = deque()

    async def wait(self, stream_id: int) -> None:
        """Returns when it is worth looking at the window again."""
        woken = trio.Event()
        if self._h2.outbound_flow_control_window > 0:
            self.pass_on()
            self._on_stream[stream_id] = woken
        else:
            self._in_queue.append((stream_id, woken))
        await woken.wait()

    def pass_on(self) -> None:
        """Lets the next one of the queue go while the connection's window is open."""
        if self._in_queue and self._h2.outbound_flow_control_window > 0:
            self._in_queue.popleft()[1].set()

    def opened(self, stream_id: int | None) -> None:
        """The client has widened a stream's window, or with 0 or None the connection's."""
        if not stream_id:
            self.pass_on()
        elif (waiting := self._on_stream.pop(stream_id, None)) is not None:
            waiting.set()

    def closed(self, stream_id: int) -> None:
        """The client has reset the stream: its answer must not wait for ever."""
        self.opened(stream_id)
        for waiting in [each for each in self._in_queue if each[0] == stream_id]:
            self._in_queue.remove(waiting)
            waiting[1].set()

    def wake_all(self) -> None:
        """Settings have changed every window, or the connection is gone."""
        for _, woken in self._in_queue:
            woken.set()
        self._in_queue.clear()
        for woken in self._on_stream.values():
            woken.set()
        self._on_stream.clear()
