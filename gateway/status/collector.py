"""Fetches the reports a bank lays into our mailbox, and takes each word in it to its payment.

The cursor moves on only after the words before it are durable, so a crash makes us read reports again, which the
state table bears, and never makes us miss one.
"""

import logging
from collections.abc import Sequence

import trio

from gateway import failpoints, limits
from gateway.core.backoff import backoff_s
from gateway.core.errors import MaybeSent, NotSent, StoreFailed, Unreadable
from gateway.core.facts import StoreHappening, StoreKind
from gateway.core.outcome import DENIALS, Outcome
from gateway.core.payment import is_wire_reference
from gateway.core.ports import Collects, Step
from gateway.failpoints import Point
from gateway.house import Bank, House
from gateway.journey import ask, follow_at_ns
from gateway.telemetry import names

logger = logging.getLogger(__name__)


class Collector:
    """The mailbox task of one bank whose adapter can collect."""

    def __init__(self, house: House, bank: Bank, words: Collects) -> None:
        self._house = house
        self._bank = bank
        self._words = words
        self._failures = 0

    async def run(self) -> None:
        """Visits the mailbox until cancelled; longer pauses while the bank cannot be read."""
        every_s = self._bank.profile.collect.every_s
        while True:
            try:
                await self._visit()
                self._failures = 0
            except (NotSent, MaybeSent, Unreadable) as error:
                self._failures += 1
                logger.warning(
                    "mailbox not read",
                    extra={"bank": self._bank.name, "reason": getattr(error, "reason", "UNREADABLE")},
                )
            except StoreFailed:
                raise
            except Exception:
                # A defect of ours, met by what lies in one mailbox. The cursor stays, so nothing is lost, and the
                # daemon must not die of it at every start.
                self._failures += 1
                logger.exception("mailbox visit failed unexpectedly", extra={"bank": self._bank.name})
            pause_s = every_s
            if self._failures:
                pause_s = backoff_s(self._failures, every_s, every_s * 10, self._house.dice.random())
            await trio.sleep(pause_s)

    async def _visit(self) -> None:
        """Pages until the mailbox is empty, at most COLLECT_PAGES_MAX of them."""
        with self._house.trail.span(names.COLLECT, bank=self._bank.name) as span:
            await self._read(span.traceparent)

    async def _read(self, parent: str) -> None:
        cursor = await self._house.store.cursor(self._bank.name)
        for _ in range(limits.COLLECT_PAGES_MAX):
            answer = await ask(self._house, self._bank, self._words.collect(cursor), parent)
            collection = self._words.read_collection(cursor, answer)
            if failpoints.armed and collection.outcomes:
                failpoints.reached(Point.REPORT_READ)
            await self._take(collection.outcomes)
            for _ in collection.unreadable:
                logger.error("unreadable report in the mailbox, kept as evidence", extra={"bank": self._bank.name})
                self._house.trail.count(names.REPORTS, bank=self._bank.name, result="unreadable")
            if collection.cursor == cursor:
                self._house.quarantine.mailboxes_read.add(self._bank.name)
                return
            cursor = collection.cursor
            if failpoints.armed:
                failpoints.reached(Point.CURSOR_DUE)
            await self._house.store.set_cursor(self._bank.name, cursor, collection.unreadable)
            if failpoints.armed:
                failpoints.reached(Point.CURSOR_MOVED)

    async def _take(self, outcomes: Sequence[Outcome]) -> None:
        house, bank = self._house, self._bank
        follow_ns = follow_at_ns(house, bank)
        # A denial answers a question about one attempt at one moment; laid into a mailbox it proves nothing (law 5).
        steps = [
            Step(wire=(bank.name, outcome.wire_reference), outcome=outcome, inquire_at_ns=follow_ns)
            for outcome in outcomes
            if outcome.word not in DENIALS
        ]
        unknown: list[Outcome] = []
        for start in range(0, len(steps), limits.COMMIT_PAYMENTS_MAX):
            part = steps[start : start + limits.COMMIT_PAYMENTS_MAX]
            for step, stepped in zip(part, await house.store.take(part), strict=True):
                if stepped.unreadable:
                    # Ours, and the record of it is damaged: the store has kept the word, for people.
                    logger.error("the bank speaks of a payment whose record cannot be read", extra={"bank": bank.name})
                    house.trail.count(names.REPORTS, bank=bank.name, result="unreadable")
                elif stepped.payment is None and step.outcome is not None:
                    # Somebody else's payment, or a lie: it touches nothing of ours, and it is counted.
                    house.trail.count(names.REPORTS, bank=bank.name, result="foreign")
                    unknown.append(step.outcome)
                elif stepped.payment is not None and stepped.taken:
                    state = stepped.payment.state.value
                    with house.trail.span(
                        names.REPORT, parent=stepped.payment.traceparent, bank=bank.name, state=state
                    ):
                        house.trail.count(names.REPORTS, bank=bank.name, result="taken")
        await self._note_unknown(unknown)

    async def _note_unknown(self, outcomes: Sequence[Outcome]) -> None:
        """In quarantine a reference of our own making that is not in the store is a payment made after the backup: it
        is written down once, for people, before the cursor moves on."""
        quarantine, bank = self._house.quarantine, self._bank.name
        if not quarantine.active:
            return
        async with quarantine.listing:
            new: dict[str, Outcome] = {}
            for outcome in outcomes:
                reference = outcome.wire_reference
                if is_wire_reference(reference) and (bank, reference) not in quarantine.unknown:
                    new.setdefault(reference, outcome)
            listed = list(new.values())[: limits.UNKNOWN_REFERENCES_MAX - len(quarantine.unknown)]
            quarantine.unlisted += len(new) - len(listed)
            if listed:
                await self._house.store.log([_unknown(bank, outcome) for outcome in listed])
                quarantine.found(await self._house.store.quarantine())


def _unknown(bank: str, outcome: Outcome) -> StoreHappening:
    return StoreHappening(
        StoreKind.UNKNOWN_REFERENCE,
        bank=bank,
        wire_reference=outcome.wire_reference,
        bank_status=outcome.bank_status,
        evidence=outcome.evidence,
    )
