"""Calls turned away before they cost anything: as soon as their headers are read.

A refusal that had to wait for a task, a span and a parsed request came after everything that was ready before it. Here
it costs one look at the store's queue and an answer made beforehand; the handler asks again for those let through.
Nothing but the load is told: who the caller is has not been looked at yet.
"""

from functools import lru_cache
from typing import Final

from gateway.core.errors import Overloaded, StoreFailed
from gateway.house import House
from gateway.ingress.errors import as_rpc_error
from gateway.journey import room_for
from gateway.rpc.status import Status
from gateway.telemetry import names

ADMITTING: Final = "/causeway.v1.PaymentService/SubmitPayment"
"""A stream of instructions is not refused as a whole: each of its answers is durable by itself."""
STATUSES_MAX: Final = 256  # kept ready-made: two queues, each up to ten seconds in tenths


class Shedding:
    """The gate of gateway.rpc's Server."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __call__(self, method: str) -> Status | None:
        """The end of a call that there is no room for; None lets it in."""
        if method != ADMITTING:
            return None
        try:
            room_for(self._house, 1)
        except StoreFailed:
            return None  # the handler says so, and the daemon ends
        except Overloaded as error:
            self._house.trail.observe(names.CALL_S, 0.0, method=method.lstrip("/"), status="RESOURCE_EXHAUSTED")
            return _status(str(error), round(10 * error.retry_after_s))
        return None


@lru_cache(STATUSES_MAX)
def _status(queue: str, tenths: int) -> Status:
    return as_rpc_error(Overloaded(queue, max(1, tenths) / 10)).status
