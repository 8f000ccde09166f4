"""An instruction as it came from the wire: translated, not yet checked."""

from dataclasses import dataclass

from gateway.core.errors import Violation
from gateway.core.payment import Instruction
from gateway.intake.known import KnownParty


@dataclass(frozen=True, slots=True)
class Draft:
    """What ingress hands to intake. Nothing about it is known to be right."""

    instruction: Instruction
    broken: tuple[Violation, ...] = ()
    """What could not even be translated (30 February, an enum value from the future), with the field left empty."""
    charge_bearer_open: bool = False
    """True: the client left the charge bearer to us; the instruction's own value then means nothing."""
    seen: tuple[KnownParty, KnownParty] | None = None
    """The instruction's debtor and creditor, where whoever translated it knows them already."""
