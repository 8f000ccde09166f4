"""What the gauges show: how the house is doing, looked at every few seconds on the event loop.

Exporters read gauges on a thread of their own, where nothing of trio may be touched; so this task looks, and they read
what it last saw.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

import trio

from gateway.core.states import State
from gateway.house import House
from gateway.store.store import LmdbStore
from gateway.telemetry import names

LOOK_EVERY_S: Final = 5.0

SHOWN: Final = (
    names.WAITING,
    names.IN_DOUBT_S,
    names.SESSIONS,
    names.CERTIFICATE_S,
    names.QUEUE_DEPTH,
    names.MAP_USED,
    names.QUARANTINE,
    names.UNKNOWN_REFERENCES,
)
"""The gauges this task looks after."""

Reading = tuple[float, Mapping[str, str]]
Gauge = Callable[[str, Callable[[], Iterable[Reading]]], None]


class Vitals:
    """The last look. `run` looks until cancelled."""

    def __init__(
        self,
        house: House,
        store: LmdbStore,
        gauge: Gauge,
        listener_expires_at: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`listener_expires_at` is the not-after of the certificate that our own listener shows."""
        self._house = house
        self._store = store
        self._listener_expires_at = listener_expires_at
        self._seen: dict[str, list[Reading]] = {}
        store.time_commits(self._timed)
        for name in SHOWN:
            gauge(name, lambda name=name: tuple(self._seen.get(name, ())))  # type: ignore[misc]

    async def run(self) -> None:
        while True:
            self._seen = await self._look()
            await trio.sleep(LOOK_EVERY_S)

    def _timed(self, writes: int, seconds: float) -> None:
        self._house.trail.observe(names.COMMIT_S, seconds)
        self._house.trail.observe(names.COMMIT_WRITES, float(writes))

    async def _look(self) -> dict[str, list[Reading]]:
        seen: dict[str, list[Reading]] = {}
        now_s = self._house.clock.now_ns() / 1e9
        for bank in self._house.banks.values():
            label = {"bank": bank.name}
            counts, wire = await self._store.counts(bank.name), bank.link.snapshot()
            by_state = {
                State.QUEUED: counts.queued,
                State.SENDING: counts.sending,
                State.IN_DOUBT: counts.in_doubt,
                State.ACCEPTED: counts.accepted,
                State.HELD: counts.held,
            }
            waiting = [(float(n), {**label, "state": state.value}) for state, n in by_state.items()]
            seen.setdefault(names.WAITING, []).extend(waiting)
            seen.setdefault(names.SESSIONS, []).append((float(wire.sessions), label))
            seen.setdefault(names.QUEUE_DEPTH, []).append((float(wire.in_flight), {**label, "queue": "lane"}))
            since_ns = await self._store.oldest_doubt_ns(bank.name)
            age_s = now_s - since_ns / 1e9 if since_ns else 0.0
            seen.setdefault(names.IN_DOUBT_S, []).append((age_s, label))
            if wire.certificate_expires_at is not None:
                left_s = wire.certificate_expires_at.timestamp() - now_s
                seen.setdefault(names.CERTIFICATE_S, []).append((left_s, {**label, "whose": "bank"}))
        if (expires_at := self._listener_expires_at()) is not None:
            seen.setdefault(names.CERTIFICATE_S, []).append((expires_at.timestamp() - now_s, {"whose": "listener"}))
        quarantine = self._house.quarantine
        seen[names.QUARANTINE] = [(float(quarantine.active), {})]
        unknown = len(quarantine.unknown) + quarantine.unlisted if quarantine.active else 0
        seen[names.UNKNOWN_REFERENCES] = [(float(unknown), {})]
        usage = self._store.usage()
        seen.setdefault(names.QUEUE_DEPTH, []).append((float(usage.waiting), {"queue": "writer"}))
        seen[names.MAP_USED] = [(usage.used_bytes / usage.map_bytes_max, {})]
        return seen
