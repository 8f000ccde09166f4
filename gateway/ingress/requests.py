"""What callers ask for, checked: names of payments, filters, page tokens, positions. Every wrong field at once."""

import hashlib
from collections.abc import Sequence
from typing import Final

from causeway.v1 import payment_service_pb2 as service
from gateway import limits
from gateway.core.errors import Violation
from gateway.core.payment import parse_id
from gateway.core.ports import PaymentFilter
from gateway.core.states import State
from gateway.ingress import tokens, translate
from gateway.ingress.errors import InvalidRequest

NOW: Final = "now"
WATCHED_PAYMENTS_MAX: Final = 1_000  # as payment_service.proto promises
_START_OVER: Final = 'start over with "" (from the first fact) or "now" (only what comes)'


class Checks:
    """Collects what is wrong with a request; `done` raises it."""

    def __init__(self) -> None:
        self._broken: list[Violation] = []

    def wrong(self, field: str, reason: str, says: str) -> None:
        self._broken.append(Violation(field, reason, says))

    def done(self) -> None:
        """Raises InvalidRequest where anything was wrong."""
        if self._broken:
            raise InvalidRequest(*self._broken)

    def payment_id(self, field: str, text: str) -> bytes:
        found = parse_id(text)
        if found is None:
            self.wrong(field, "ID_INVALID", "must be a payment's id: a UUID")
        return found or b""

    def states(self, field: str, numbers: Sequence[int]) -> frozenset[State]:
        found = translate.states(numbers)
        if found is None:
            self.wrong(field, "STATE_UNKNOWN", "must be states of causeway.v1.State, and not STATE_UNSPECIFIED")
        return found or frozenset()


def payment_id(text: str) -> bytes:
    """The id in a request that names a payment by `id`. Raises InvalidRequest."""
    checks = Checks()
    found = checks.payment_id("id", text)
    checks.done()
    return found


class Page:
    """Which payments, how many, from where on."""

    def __init__(
        self, which: PaymentFilter, size: int, token: str, checks: Checks, kind: tokens.Kind = tokens.Kind.PAGE
    ) -> None:
        """What is wrong with `page_size` and `page_token` goes into `checks`. Lists of another order have tokens of
        another kind: none is taken for the other's."""
        self._kind = kind
        self.which = which
        self.size = size or limits.PAGE_SIZE_DEFAULT
        if not 0 < self.size <= limits.PAGE_SIZE_MAX:
            said = f"must be 1 to {limits.PAGE_SIZE_MAX:,}, or 0 for {limits.PAGE_SIZE_DEFAULT}"
            checks.wrong("page_size", "PAGE_SIZE_OUT_OF_RANGE", said)
        self._bound_to = _digest(which)
        after = tokens.unseal(kind, token, self._bound_to) if token else b""
        if after is None:
            said = "must be the next_page_token of a page with the same filters; leave it empty to start over"
            checks.wrong("page_token", "PAGE_TOKEN_INVALID", said)
        self.after = after or b""

    def next_token(self, after: bytes) -> str:
        """The token of the page after `after`; "" at the end."""
        return tokens.seal(self._kind, after, self._bound_to) if after else ""


def page_asked(request: service.ListPaymentsRequest, tenant: str) -> Page:
    """A ListPayments request, checked. Raises InvalidRequest."""
    checks = Checks()
    if len(request.labels) > limits.LABELS_MAX:
        checks.wrong("labels", "LABELS_TOO_MANY", f"at most {limits.LABELS_MAX} labels")
    which = PaymentFilter(
        tenant=tenant,
        states=checks.states("states", request.states),
        bank=request.bank,
        end_to_end_id=request.end_to_end_id.strip(),
        received_from_ns=_moment(request, "received_from"),
        received_before_ns=_moment(request, "received_before"),
        labels=dict(request.labels),
    )
    page = Page(which, request.page_size, request.page_token, checks)
    checks.done()
    return page


class WatchAsked:
    """A WatchPayments request, checked. Raises InvalidRequest."""

    def __init__(self, request: service.WatchPaymentsRequest, last: int) -> None:
        """`last` is the sequence of the last fact there is."""
        checks = Checks()
        self.after = _after(request.position, last, checks)
        if len(request.payment_ids) > WATCHED_PAYMENTS_MAX:
            checks.wrong("payment_ids", "PAYMENT_IDS_TOO_MANY", f"at most {WATCHED_PAYMENTS_MAX:,} payments")
            checks.done()
        self.payment_ids = frozenset(
            checks.payment_id(f"payment_ids[{place}]", text) for place, text in enumerate(request.payment_ids)
        )
        self.states = checks.states("states", request.states)
        self.bank: str = request.bank
        checks.done()


def position(sequence: int) -> str:
    """Where to resume after the fact of this sequence."""
    return tokens.seal(tokens.Kind.POSITION, sequence.to_bytes(8, "big"))


def _after(text: str, last: int, checks: Checks) -> int:
    if not text:
        return 0
    if text == NOW:
        return last
    content = tokens.unseal(tokens.Kind.POSITION, text)
    if content is None:
        checks.wrong("position", "POSITION_MALFORMED", f"must be a `position` of an answer; else {_START_OVER}")
        return 0
    after = int.from_bytes(content, "big")
    if after > last:
        said = f"lies beyond the log, which may have been restored from a backup; {_START_OVER}"
        checks.wrong("position", "POSITION_BEYOND_LOG", said)
    return after


def _moment(request: service.ListPaymentsRequest, field: str) -> int:
    return translate.nanoseconds(getattr(request, field)) if request.HasField(field) else 0


def _digest(which: PaymentFilter) -> bytes:
    """What a page token is bound to: the filter, unambiguously."""
    labels = sorted(which.labels.items())
    said = (which.tenant, sorted(which.states), which.bank, which.end_to_end_id, labels)
    return hashlib.sha256(repr((said, which.received_from_ns, which.received_before_ns)).encode()).digest()
