"""What operators ask about doubts and holds, checked: pages, decisions, digests, notes. Every wrong field at once."""

from causeway.v1 import doubt_service_pb2 as service
from causeway.v1.payment_service_pb2 import ReleaseHoldRequest
from gateway.core.decisions import NOTE_CHARS_MAX
from gateway.core.ports import PaymentFilter
from gateway.core.proposal import Decision
from gateway.core.states import State
from gateway.ingress import tokens
from gateway.ingress.doubt_translate import DECISIONS_BACK
from gateway.ingress.requests import Checks, Page

DIGEST_BYTES = 32


def page_asked(request: service.ListDoubtsRequest, tenant: str) -> Page:
    """Raises InvalidRequest."""
    checks = Checks()
    which = PaymentFilter(tenant=tenant, states=frozenset({State.IN_DOUBT}), bank=request.bank)
    page = Page(which, request.page_size, request.page_token, checks, tokens.Kind.DOUBTS)
    checks.done()
    return page


def proposed(request: service.ProposeResolutionRequest) -> tuple[bytes, Decision, str]:
    """(payment id, decision, note). Raises InvalidRequest."""
    checks = Checks()
    payment_id = checks.payment_id("id", request.id)
    decision = DECISIONS_BACK.get(request.decision)
    if decision is None:
        checks.wrong("decision", "DECISION_REQUIRED", "required: one of causeway.v1.Decision")
    note = checked_note(request.note, checks)
    checks.done()
    assert decision is not None
    return payment_id, decision, note


def confirmed(request: service.ConfirmResolutionRequest) -> tuple[bytes, bytes, str]:
    """(payment id, digest of the proposal, note). Raises InvalidRequest."""
    checks = Checks()
    payment_id = checks.payment_id("id", request.id)
    digest = _digest(request.proposal_digest, checks)
    note = checked_note(request.note, checks)
    checks.done()
    return payment_id, digest, note


def released_asked(request: ReleaseHoldRequest) -> tuple[bytes, str, str]:
    """(payment id, hold, note). Raises InvalidRequest."""
    checks = Checks()
    payment_id = checks.payment_id("id", request.id)
    if not request.hold:
        checks.wrong("hold", "HOLD_REQUIRED", "required: a name in the payment's `holds`")
    note = checked_note(request.note, checks)
    checks.done()
    return payment_id, request.hold, note


def _digest(text: str, checks: Checks) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        checks.wrong("proposal_digest", "DIGEST_INVALID", "required: the `digest` of the proposal you looked at")
    return digest


def checked_note(text: str, checks: Checks) -> str:
    """Its own words are in no message: an error ends up in logs, a note may name people."""
    note = text.strip()
    if not 0 < len(note) <= NOTE_CHARS_MAX:
        said = f"required, at most {NOTE_CHARS_MAX} characters: where you looked and what you saw"
        checks.wrong("note", "NOTE_LENGTH", said)
    elif not all(character.isprintable() or character == "\n" for character in note):
        # A note is shown on other people's terminals: no control characters, no reversed text.
        checks.wrong("note", "NOTE_UNPRINTABLE", "only printable characters and line ends")
    return note
