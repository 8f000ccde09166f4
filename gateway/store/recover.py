"""What a start does before anything is sent: nothing that may have left is taken for unsent (law 6)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway import failpoints
from gateway.core import happenings
from gateway.core.payment import Payment
from gateway.core.ports import Step, WallClock
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.failpoints import Point
from gateway.store.store import LmdbStore

RECOVER_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start found."""

    doubted: int
    """Payments that were SENDING and are IN_DOUBT now."""
    unreadable: int
    """Records that could not be read on the way: their payments stay where they are and are never sent."""
    sequence: int
    """The last fact's."""


FirstInquiry = Callable[[str], float | None]
"""Bank → seconds until it is first asked; None: it cannot be asked, and nothing is planned."""


async def recover(store: LmdbStore, clock: WallClock, inquire_after_s: float | FirstInquiry) -> Recovered:
    """Makes every SENDING payment IN_DOUBT, with its inquiry planned `inquire_after_s` from now: the same for all
    banks, or what it says of the payment's bank.

    To be called after opening and before any lane runs; it may be repeated. Raises CorruptRecord where the log's end
    is not the head of its chain: then the log has lost its end, and the daemon must not start.
    """
    await store.check_head()
    doubted, after = 0, b""
    while True:
        page = await store.in_state(State.SENDING, after=after, limit=RECOVER_PAGE)
        if not page:
            break
        now_ns = clock.now_ns()
        steps = [_doubted(payment, inquire_after_s, now_ns) for payment in page]
        doubted += sum(stepped.taken for stepped in await store.take(steps))
        after = page[-1].id
        if failpoints.armed:
            failpoints.reached(Point.RECOVERY_PAGE)
    return Recovered(doubted, len(store.corrupt), await store.last_sequence())


def _doubted(payment: Payment, inquire_after_s: float | FirstInquiry, now_ns: int) -> Step:
    after_s = inquire_after_s(payment.instruction.bank) if callable(inquire_after_s) else inquire_after_s
    inquire_at_ns = 0 if after_s is None else now_ns + int(after_s * 1e9)
    doubt = happenings.doubted(Reason.RESTARTED_WHILE_SENDING, inquire_at_ns)
    return Step(payment.id, happening=doubt, expected_version=payment.version)
