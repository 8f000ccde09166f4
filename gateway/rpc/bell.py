"""One task waits, others ring: trio.Event without an allocation per use."""

import trio


class Bell:
    """At most one task waits at a time. A ring while nobody waits is kept for the next wait; rings do not add up."""

    __slots__ = ("_rung", "_sleeper")

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: trio.lowlevel.Task | None = None

    def ring(self) -> None:
        """Wake the sleeper, or let the next wait return at once."""
        sleeper = self._sleeper
        if sleeper is None:
            self._rung = True
        else:
            self._sleeper = None
            trio.lowlevel.reschedule(sleeper)

    async def wait(self) -> None:
        """Sleep until the bell rings; always a checkpoint.

        Raises:
            trio.BusyResourceError: if another task waits already.
        """
        if self._sleeper is not None:
            raise trio.BusyResourceError("another task waits here already")
        if self._rung:
            self._rung = False
            await trio.lowlevel.checkpoint()
            return
        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._sleeper = None
        return trio.lowlevel.Abort.SUCCEEDED
