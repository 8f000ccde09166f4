"""What a peer may cost: frames that are cheap to send and dear to handle, and pings (gRPC proposal A8)."""

from typing import Final

from .limits import ServerLimits

CONNECTION_SUSPICIOUS_BELOW: Final = 0.95
"""Share of the allowance that is left to a decent client: of a thousand, it cancels fifty calls at a stroke."""
CALLER_SUSPICIOUS_BELOW: Final = 0.5
"""The same of a caller, which may be a hundred decent clients that lose their patience at the same time."""
UPDATES_PER_FRAME: Final = 4
"""WINDOW_UPDATEs that a frame of ours may call forth: for the stream and the connection, each twice. Source: the same
bound of Envoy (max_inbound_window_update_frames_per_data_frame_sent), which allows ten."""


class AbuseBudget:
    """A token bucket. `now` is seconds on any steady clock; it never owes more than one token, so that its holder is
    clean again a bounded time after the last misdeed."""

    __slots__ = ("_capacity", "_enough", "_free_updates", "_refill_per_s", "_tokens", "_updated")

    def __init__(self, burst: int, refill_per_s: float, now: float, *, suspicious_below: float) -> None:
        """`suspicious_below`: share of the burst that a decent holder never falls below."""
        self._capacity = self._tokens = float(burst)
        self._enough = self._capacity * suspicious_below
        self._refill_per_s = refill_per_s
        self._updated = now
        self._free_updates = 0

    def spend(self, now: float, tokens: float = 1.0) -> bool:
        """Pay for one frame, or for what is worth more; False when nothing is left."""
        left = self._refilled(now) - tokens
        self._tokens = max(left, -1.0)
        return left >= 0.0

    def suspicious(self, now: float) -> bool:
        """Whether more of the allowance is gone than decent clients ever need."""
        return self._refilled(now) < self._enough

    def earn(self, frames: int) -> None:
        """We sent frames: their reader may open its windows again for nothing."""
        self._free_updates = min(self._free_updates + frames * UPDATES_PER_FRAME, int(self._capacity))

    def update(self) -> bool:
        """One WINDOW_UPDATE; False when it is not one of those for nothing."""
        if self._free_updates > 0:
            self._free_updates -= 1
            return True
        return False

    def _refilled(self, now: float) -> float:
        refill = (now - self._updated) * self._refill_per_s
        self._updated = now
        self._tokens = min(self._capacity, self._tokens + refill)
        return self._tokens


class PingStrikes:
    """Counts pings that come too soon after another; sending data or headers forgives them all, as in grpcio."""

    __slots__ = ("_idle_interval_s", "_interval_s", "_last", "_max", "_strikes")

    def __init__(self, limits: ServerLimits) -> None:
        self._interval_s = limits.min_ping_interval_s
        self._idle_interval_s = limits.idle_ping_interval_s
        self._max = limits.max_ping_strikes
        self._strikes = 0
        self._last: float | None = None

    def forgive(self) -> None:
        """We sent data or headers: the peer may ping again (its bandwidth probes follow our data)."""
        self._strikes = 0
        self._last = None

    def ping(self, now: float, *, idle: bool) -> bool:
        """Take one ping; False when it was one strike too many."""
        interval = self._idle_interval_s if idle else self._interval_s
        too_soon = self._last is not None and now - self._last < interval
        self._last = now
        if too_soon:
            self._strikes += 1
        return self._max == 0 or self._strikes <= self._max
