"""One suite over every Store, second half: the outbox, inquiries, lists and the log."""

from dataclasses import replace

import trio

from gateway import limits
from gateway.core import happenings
from gateway.core.facts import Fact
from gateway.core.happenings import Happening
from gateway.core.outcome import Word
from gateway.core.ports import Admission, LaneCounts, PaymentFilter, Store
from gateway.core.reasons import Reason
from gateway.core.states import Kind, State
from tests.contract.lives import S, admitted, in_doubt, took, word
from tests.fakes.admissions import a_payment, mark, queued
from tests.fakes.clock import START_NS, FakeClock
from tests.fills import fills

# ---------------------------------------------------------------- the outbox and inquiries


async def test_the_outbox_is_in_order_of_dueness(store: Store, clock: FakeClock) -> None:
    """Oldest due first; a payment put back takes its turn at its moment; other banks are other outboxes."""
    third = await admitted(store, "order-3", now_ns=START_NS + 3 * S)
    first = await admitted(store, "order-1", now_ns=START_NS + 1 * S)
    back = await admitted(store, "order-2", now_ns=START_NS)
    await admitted(store, "order-4", bank="southbank")
    later = happenings.not_sent(Reason.CONNECT_FAILED, START_NS + 2 * S)
    back = await took(store, back, mark(back), later)
    assert await store.due("northbank", START_NS + 10 * S, 10) == [first, back, third]
    assert await store.due("northbank", START_NS + 10 * S, 2) == [first, back]
    assert await store.due("northbank", START_NS + 2 * S - 1, 10) == [first, third]
    assert await store.due("north", START_NS + 10 * S, 10) == []


async def test_a_clock_set_back_holds_nothing_up(store: Store, clock: FakeClock) -> None:
    """A payment without back-off is due whatever the clock says now."""
    payment = await admitted(store)
    clock.set(START_NS - 3600 * S)
    assert await store.due("northbank", clock.now_ns(), 10) == [payment]


async def test_next_due_says_when_to_come_again(store: Store, clock: FakeClock) -> None:
    """The earliest moment later than the one asked for; 0 where nothing becomes due later."""
    await admitted(store, "order-0")
    assert await store.next_due_ns("northbank", START_NS) == 0
    for key, wait_s in (("order-1", 50), ("order-2", 40)):
        payment = await admitted(store, key)
        await took(store, payment, mark(payment), happenings.not_sent(Reason.CONNECT_FAILED, START_NS + wait_s * S))
    assert await store.next_due_ns("northbank", START_NS) == START_NS + 40 * S
    assert await store.next_due_ns("northbank", START_NS + 40 * S) == START_NS + 50 * S
    assert await store.next_due_ns("northbank", START_NS + 50 * S) == 0


async def test_only_queued_payments_are_due(store: Store) -> None:
    """Nothing that is marked, in doubt or ended is ever in the outbox."""
    payment = await admitted(store)
    for happening in (mark(payment), happenings.doubted(Reason.REPLY_LOST, 1)):
        await took(store, payment, happening)
        assert await store.due("northbank", START_NS * 2, 10) == []
    await store.take([word(payment, Word.SETTLED)])
    assert await store.due("northbank", START_NS * 2, 10) == []


async def test_inquiries_come_due_in_order_and_only_when_planned(store: Store) -> None:
    """Planned inquiries by their moment; a spent budget (0) leaves the list, the payment stays in doubt."""
    second = await in_doubt(store, "order-2", START_NS + 20 * S)
    first = await in_doubt(store, "order-1", START_NS + 10 * S)
    assert await store.next_inquiry_ns("northbank") == START_NS + 10 * S
    assert await store.inquiries_due("northbank", START_NS + 9 * S, 10) == []
    assert await store.inquiries_due("northbank", START_NS + 30 * S, 10) == [first, second]
    assert await store.inquiries_due("northbank", START_NS + 30 * S, 1) == [first]
    await took(store, first, happenings.inquired(0))
    assert await store.inquiries_due("northbank", START_NS + 30 * S, 10) == [second]
    assert len(await store.in_state(State.IN_DOUBT, limit=10)) == 2
    await store.take([replace(word(second, Word.TAKEN, "ACSP"), inquire_at_ns=START_NS + 99 * S)])
    assert await store.next_inquiry_ns("northbank") == START_NS + 99 * S
    await store.take([word(second, Word.SETTLED)])
    assert await store.next_inquiry_ns("northbank") == 0


async def test_doubts_are_asked_about_before_acceptances(store: Store) -> None:
    """However many older follow-ups are due, a payment in doubt is the first of the page."""
    for number in range(5):
        accepted = await admitted(store, f"accepted-{number}")
        done = Happening(Kind.ACCEPTED, reason=Reason.BANK_ANSWERED, bank_status="ACCP", inquire_at_ns=START_NS)
        await took(store, accepted, mark(accepted), done)
    doubt = await in_doubt(store, "doubtful", START_NS + 5 * S)
    page = await store.inquiries_due("northbank", START_NS + 10 * S, 3)
    assert [one.id for one in page][:1] == [doubt.id]
    assert len(page) == 3
    assert [one.id for one in await store.inquiries_due("northbank", START_NS + 4 * S, 9)].count(doubt.id) == 0
    assert await store.next_inquiry_ns("northbank") == START_NS


# ---------------------------------------------------------------- lists


async def test_counts_follow_every_step(store: Store) -> None:
    """A bank's counts are right after each way a payment can go, and per bank."""
    await in_doubt(store, "order-1")
    sending = await admitted(store, "order-2")
    await took(store, sending, mark(sending))
    accepted = await admitted(store, "order-3")
    await took(store, accepted, mark(accepted))
    await store.take([word(accepted, Word.TAKEN, "ACSP")])
    held = Happening(Kind.HOLD_PLACED, holds=("operator",))
    await store.admit([Admission(a_payment("order-4"), (held,))])
    await admitted(store, "order-5")
    await admitted(store, "order-6", bank="southbank")
    assert await store.counts("northbank") == LaneCounts(queued=1, sending=1, in_doubt=1, accepted=1, held=1)
    assert await store.counts("southbank") == LaneCounts(queued=1)
    assert await store.counts("nobank") == LaneCounts()


async def test_in_state_pages_by_id(store: Store) -> None:
    """Page after page shows each payment of the state once."""
    ids = sorted([(await admitted(store, f"order-{n}")).id for n in range(5)])
    seen: list[bytes] = []
    while page := await store.in_state(State.QUEUED, after=seen[-1] if seen else b"", limit=2):
        seen += [payment.id for payment in page]
    assert seen == ids
    assert await store.in_state(State.SENDING, limit=2) == []


async def test_a_page_shows_what_the_filter_means(store: Store) -> None:
    """Every filter alone and together; newest last; of other tenants nothing."""
    made = {}
    for n in range(6):
        made[n] = await admitted(
            store,
            f"order-{n}",
            now_ns=START_NS + n * 3600 * S,
            bank="northbank" if n % 2 else "southbank",
            tenant="globex" if n == 5 else "acme",
            labels=(("n", str(n)),),
        )
    made[1] = await took(store, made[1], mark(made[1]))

    async def listed(**which: object) -> list[int]:
        payments, rest = await store.page(PaymentFilter(**which), limit=100)  # type: ignore[arg-type]
        assert rest == b""
        return [next(n for n, payment in made.items() if payment == found) for found in payments]

    assert await listed() == [0, 1, 2, 3, 4, 5]
    assert await listed(tenant="acme") == [0, 1, 2, 3, 4]
    assert await listed(tenant="acm") == []
    assert await listed(tenant="acme", bank="northbank") == [1, 3]
    assert await listed(states=frozenset({State.SENDING})) == [1]
    assert await listed(tenant="globex", states=frozenset({State.SENDING, State.QUEUED})) == [5]
    assert await listed(states=frozenset({State.SENDING, State.QUEUED})) == [0, 1, 2, 3, 4, 5]
    assert await listed(tenant="acme", end_to_end_id="E2E-order-2") == [2]
    assert await listed(end_to_end_id="E2E-order-2") == [2]
    assert await listed(labels={"n": "3"}) == [3]
    assert await listed(received_from_ns=made[2].received_at_ns) == [2, 3, 4, 5]
    assert await listed(received_before_ns=made[2].received_at_ns) == [0, 1]
    assert await listed(received_from_ns=made[1].received_at_ns, received_before_ns=made[3].received_at_ns) == [1, 2]


async def test_pages_follow_each_other_without_gap_or_repeat(store: Store) -> None:
    """Following the continuation shows each payment once, and ends."""
    ids = sorted([(await admitted(store, f"order-{n}")).id for n in range(7)])
    seen: list[bytes] = []
    after = b""
    for _ in range(10):
        payments, after = await store.page(PaymentFilter(tenant="acme"), after=after, limit=3)
        seen += [payment.id for payment in payments]
        if not after:
            break
    assert seen == ids


@fills("PAGE_SCAN_MAX")
async def test_a_page_looks_at_a_bounded_number(store: Store) -> None:
    """A filter that means almost nothing costs one bounded look per call, and still finds what there is."""
    await store.admit([queued(f"order-{n:04}") for n in range(limits.PAGE_SCAN_MAX)])
    last = await admitted(store, "wanted", bank="southbank", now_ns=START_NS + S)
    nothing, after = await store.page(PaymentFilter(bank="southbank"), limit=10)
    assert nothing == []
    assert after != b""
    assert await store.page(PaymentFilter(bank="southbank"), after=after, limit=10) == ([last], b"")
    assert len(await store.facts(0, 10**6)) == limits.PAGE_SCAN_MAX


async def test_the_same_end_to_end_id_twice_is_shown_twice(store: Store) -> None:
    """EndToEndIds are the client's: they need not be unique, and are never mixed between tenants."""
    for key, tenant in (("order-1", "acme"), ("order-2", "acme"), ("order-3", "globex")):
        await admitted(store, key, end_to_end_id="E2E-1", tenant=tenant)
    assert len(await store.by_end_to_end_id("acme", "E2E-1", 10)) == 2
    assert len(await store.by_end_to_end_id("acme", "E2E-1", 1)) == 1
    assert await store.by_end_to_end_id("acme", "E2E", 10) == []


# ---------------------------------------------------------------- the log


async def test_listeners_hear_every_fact_once_and_in_order(store: Store) -> None:
    """What listeners are told is the log, without gap, from the moment they listen."""
    heard: list[Fact] = []
    store.on_commit(heard.extend)
    async with trio.open_nursery() as nursery:
        for n in range(40):
            nursery.start_soon(admitted, store, f"order-{n}")
    payment = await store.by_key("acme", "order-7")
    assert payment is not None
    await took(store, payment, mark(payment))
    assert [fact.sequence for fact in heard] == list(range(1, 82))
    assert await store.facts(0, 1000) == heard
    assert await store.facts(79, 1) == heard[79:80]
    assert await store.last_sequence() == 81


async def test_a_payments_facts_tell_its_life(store: Store) -> None:
    """The facts of one payment, with the attempt and the bank's words, in order and bounded."""
    payment = await admitted(store)
    await admitted(store, "order-2")
    await took(store, payment, mark(payment))
    await store.take([word(payment, Word.REJECTED, "RJCT")])
    facts = await store.facts_of(payment.id, 10)
    assert [fact.kind for fact in facts] == [Kind.RECEIVED, Kind.CLEARED, Kind.MARKED, Kind.REJECTED]
    assert [fact.version for fact in facts] == [1, 2, 3, 4]
    assert (facts[-1].wire_reference, facts[-1].attempt, facts[-1].bank_status) == (payment.wire_reference, 1, "RJCT")
    assert await store.facts_of(payment.id, 2) == facts[:2]
    assert await store.facts_of(b"\x00" * 16, 2) == []


async def test_a_banks_cursor_is_kept(store: Store) -> None:
    """Empty before the first visit, then what was set, per bank."""
    assert await store.cursor("northbank") == ""
    await store.set_cursor("northbank", "page-7")
    await store.set_cursor("southbank", "x")
    await store.set_cursor("northbank", "page-8")
    assert (await store.cursor("northbank"), await store.cursor("southbank")) == ("page-8", "x")


async def test_nothing_to_write_is_nothing(store: Store) -> None:
    """Empty calls answer emptily."""
    assert await store.admit([]) == []
    assert await store.take([]) == []
