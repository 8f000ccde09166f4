"""Which payments travel in one message: same debtor account, date, rail and currency, as banks ask for; and of one
tenant, since a bank's answer about a message is evidence that each of its payments' people may see."""

from collections.abc import Iterable
from datetime import date

from gateway.core.payment import Payment, Rail

_Key = tuple[str, str, str, date | None, Rail]


def grouped(payments: Iterable[Payment], lines_max: int) -> list[tuple[Payment, ...]]:
    """Messages of at most `lines_max` payments, each in the order given; an instant payment always travels alone."""
    groups: list[list[Payment]] = []
    open_group: dict[_Key, list[Payment]] = {}
    for payment in payments:
        instruction = payment.instruction
        key = (
            payment.tenant,
            instruction.debtor.account.number,
            instruction.amount.currency,
            instruction.requested_execution_date,
            instruction.rail,
        )
        group = open_group.get(key)
        if group is None or len(group) >= lines_max or instruction.rail is Rail.INSTANT:
            group = open_group[key] = []
            groups.append(group)
        group.append(payment)
    return [tuple(group) for group in groups]
