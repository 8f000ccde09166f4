"""What a step means for a payment as it stands: the one answer of every store, given inside its write transaction."""

from gateway.core.decisions import Objection, decided
from gateway.core.happenings import Happening
from gateway.core.outcome import concluded
from gateway.core.payment import Payment
from gateway.core.ports import Step


def happening_of(payment: Payment, step: Step, now_ns: int) -> Happening | Objection | None:
    """None where the step comes too late or says nothing new; an Objection where a person may not do this."""
    if step.expected_version not in (0, payment.version):
        return None
    if step.act is not None:
        return decided(payment, step.act, now_ns, inquire_at_ns=step.inquire_at_ns)
    if step.happening is not None:
        return step.happening
    assert step.outcome is not None, "a step without a happening, an outcome or an act"
    return concluded(payment, step.outcome, now_ns, inquire_at_ns=step.inquire_at_ns)
