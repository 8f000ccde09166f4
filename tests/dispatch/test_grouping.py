"""Claims about which payments share a message."""

from datetime import date

from gateway.core.payment import Rail
from gateway.dispatch.grouping import grouped
from tests.fakes.payments import payment


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


def test_an_instant_payment_travels_alone() -> None:
    """No instant payment waits for, or fails with, another one."""
    one, two = payment(1, rail=Rail.INSTANT), payment(2, rail=Rail.INSTANT)
    assert grouped([one, two], 10) == [(one,), (two,)]


def test_tenants_do_not_share_a_message() -> None:
    """What a bank answers about a message is shown to the people of its payments, and to nobody else's."""
    one, two = payment(1, tenant="acme"), payment(2, tenant="other")
    assert grouped([one, two], 10) == [(one,), (two,)]
