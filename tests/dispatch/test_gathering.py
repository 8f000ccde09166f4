"""Claims about which payments share a message, and when it leaves."""

from datetime import date

from gateway.core.payment import Payment, Rail
from gateway.dispatch.gathering import Gathering
from tests.fakes.payments import payment

S = 1_000_000_000
LATE_NS = 1 << 62


def grouped(payments: list[Payment], lines_max: int) -> list[tuple[Payment, ...]]:
    gathering = Gathering(lines_max)
    gathering.add(payments)
    taken = gathering.take(LATE_NS, 1_000)
    assert len(gathering) == 0
    return taken


def test_nothing_is_lost_and_order_is_kept() -> None:
    """Every payment is in exactly one message, in the order of the outbox, at most `lines_max` in one."""
    payments = [payment(number) for number in range(7)]
    groups = grouped(payments, 3)
    assert [len(group) for group in groups] == [3, 3, 1]
    assert [one for group in groups for one in group] == payments


def test_single_means_single() -> None:
    """A bank without bulk gets one payment a message."""
    assert all(len(group) == 1 for group in grouped([payment(1), payment(2)], 1))


def test_dates_are_not_mixed() -> None:
    """Two execution dates are two messages: the bank books a message on one day."""
    first, second = payment(1), payment(2, requested_execution_date=date(2026, 3, 9))
    assert grouped([first, second], 10) == [(first,), (second,)]


def test_an_instant_payment_travels_alone_and_first() -> None:
    """No instant payment waits for, or fails with, another one."""
    normal, one, two = payment(3), payment(1, rail=Rail.INSTANT), payment(2, rail=Rail.INSTANT)
    assert grouped([normal, one, two], 10) == [(one,), (two,), (normal,)]


def test_tenants_do_not_share_a_message() -> None:
    """What a bank answers about a message is shown to the people of its payments, and to nobody else's."""
    one, two = payment(1, tenant="acme"), payment(2, tenant="other")
    assert grouped([one, two], 10) == [(one,), (two,)]


def test_a_message_waits_for_company_and_no_longer() -> None:
    """It leaves when its oldest payment has waited as long as the profile says; what comes later does not delay it."""
    gathering = Gathering(10, wait_ns=5 * S)
    first, second = payment(1, received_at_ns=100 * S), payment(2, received_at_ns=104 * S)
    gathering.add([first])
    assert gathering.take(104 * S, 8) == []
    gathering.add([second])
    assert gathering.ready_ns() == 105 * S
    assert gathering.take(105 * S - 1, 8) == []
    assert gathering.take(105 * S, 8) == [(first, second)]


def test_a_clock_set_back_keeps_nothing_from_leaving() -> None:
    """What was due stays due, and what waits for company does not wait as long as the clock fell."""
    alone, waiting = Gathering(1), Gathering(10, wait_ns=5 * S)
    late = payment(1, received_at_ns=7_200 * S)
    for gathering in (alone, waiting):
        gathering.add([late])
        assert gathering.take(3_600 * S, 8) == [(late,)]


def test_a_full_message_waits_for_nobody() -> None:
    """The next one begins with what did not fit."""
    gathering = Gathering(2, wait_ns=5 * S)
    payments = [payment(number, received_at_ns=100 * S) for number in range(3)]
    gathering.add(payments)
    assert gathering.take(100 * S, 8) == [tuple(payments[:2])]
    assert gathering.ready_ns() == 105 * S


def test_an_instant_payment_is_not_delayed_by_the_window() -> None:
    """Its rail has seconds, whatever the bank's profile says of others."""
    gathering = Gathering(10, wait_ns=3600 * S)
    instant = payment(1, rail=Rail.INSTANT, received_at_ns=100 * S)
    gathering.add([payment(2, received_at_ns=100 * S), instant])
    assert gathering.take(100 * S, 8) == [(instant,)]


def test_what_moved_on_leaves_its_message() -> None:
    """A payment cancelled while it waits for company is not in the message, and an empty message does not leave."""
    gathering = Gathering(10, wait_ns=5 * S)
    gone, other, alone = payment(1), payment(2), payment(3, tenant="other")
    gathering.add([gone, other, alone])
    gathering.drop(gone.id)
    gathering.drop(alone.id)
    gathering.drop(alone.id)
    assert gone.id not in gathering
    assert gathering.take(LATE_NS, 8) == [(other,)]
    assert (len(gathering), gathering.ready_ns()) == (0, 0)


def test_nothing_joins_a_message_that_has_left() -> None:
    """The next payment of the same kind begins another one."""
    gathering = Gathering(10)
    gathering.add([payment(1)])
    gathering.take(LATE_NS, 1)
    gathering.add([payment(2)])
    assert gathering.take(LATE_NS, 8) == [(payment(2),)]
