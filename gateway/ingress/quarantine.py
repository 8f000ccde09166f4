"""QuarantineService: what a restored store is waiting for, and the act that ends it."""

from typing import Final

from causeway.v1 import quarantine_service_pb2 as service
from causeway.v1.quarantine_service_pb2_grpc import QuarantineServiceServicer
from gateway.core.facts import StoreHappening, StoreKind
from gateway.core.payment import Principal
from gateway.core.roles import Role
from gateway.house import Bank, House
from gateway.ingress.call import Call
from gateway.ingress.doubt_requests import checked_note
from gateway.ingress.errors import NotQuarantined, QuarantineUndecided, answered
from gateway.ingress.principals import Principals
from gateway.ingress.requests import Checks
from gateway.ingress.translate import timestamp

ENDED: Final = service.Quarantine(active=False)


class QuarantineService(QuarantineServiceServicer):
    """Every call needs Role.QUARANTINE. Counts and references only: nothing of any tenant."""

    def __init__(self, house: House, principals: Principals) -> None:
        self._house = house
        self._principals = principals

    async def GetQuarantine(  # noqa: N802 (the API's name, as below)
        self, request: service.GetQuarantineRequest, context: Call
    ) -> service.GetQuarantineResponse:
        with answered():
            self._caller(context)
            return service.GetQuarantineResponse(quarantine=await self._seen())

    async def EndQuarantine(  # noqa: N802
        self, request: service.EndQuarantineRequest, context: Call
    ) -> service.EndQuarantineResponse:
        with answered():
            caller = self._caller(context)
            checks = Checks()
            note = checked_note(request.note, checks)
            checks.done()
            quarantine = self._house.quarantine
            async with quarantine.ending:
                self._check_decided(await self._seen())
                ended = StoreHappening(StoreKind.QUARANTINE_ENDED, actor=caller.name, evidence=note.encode())
                await self._house.store.log([ended])
                quarantine.over.set()
            return service.EndQuarantineResponse(quarantine=ENDED)

    def _caller(self, context: Call) -> Principal:
        return self._principals.with_role(context.peer_certificate, Role.QUARANTINE)

    def _check_decided(self, seen: service.Quarantine) -> None:
        """Raises NotQuarantined, QuarantineUndecided. Nothing is sent meanwhile, so no new doubt comes up behind it."""
        if not seen.active:
            raise NotQuarantined
        in_doubt = sum(bank.in_doubt_count for bank in seen.banks)
        unread = [bank.name for bank in seen.banks if bank.mailbox == service.MAILBOX_UNREAD]
        if in_doubt or unread:
            raise QuarantineUndecided(in_doubt, unread)

    async def _seen(self) -> service.Quarantine:
        quarantine = self._house.quarantine
        if not quarantine.active or quarantine.restored is None:
            return ENDED
        restored = quarantine.restored
        return service.Quarantine(
            active=True,
            restore_time=timestamp(restored.at_ns),
            restored_by=restored.actor,
            backup_sequence=restored.sequence - 1,
            banks=[await self._bank(self._house.banks[name]) for name in sorted(self._house.banks)],
            unknown_references=[
                service.UnknownReference(
                    bank=fact.bank,
                    wire_reference=fact.wire_reference,
                    bank_status_code=fact.bank_status,
                    time=timestamp(fact.at_ns),
                )
                for fact in quarantine.unknown.values()
            ],
            unlisted_count=quarantine.unlisted,
        )

    async def _bank(self, bank: Bank) -> service.QuarantinedBank:
        counts = await self._house.store.counts(bank.name)
        read = service.MAILBOX_READ if bank.name in self._house.quarantine.mailboxes_read else service.MAILBOX_UNREAD
        return service.QuarantinedBank(
            name=bank.name,
            in_doubt_count=counts.in_doubt + counts.sending,
            queued_count=counts.queued,
            held_count=counts.held,
            inquiry=bank.adapter.declaration.inquiry,
            mailbox=read if bank.collects else service.MAILBOX_NONE,
        )
