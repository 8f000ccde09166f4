"""BankService: how the banks are doing."""

from collections.abc import Callable
from typing import Final

from causeway.v1 import bank_service_pb2 as service
from causeway.v1.bank_service_pb2_grpc import BankServiceServicer
from gateway.house import Bank, House
from gateway.ingress import translate
from gateway.ingress.call import Call
from gateway.ingress.errors import BankNotFound, answered
from gateway.ingress.principals import Principals
from gateway.intake.bank import listed

_BREAKERS: Final = {
    "CLOSED": service.BREAKER_CLOSED,
    "OPEN": service.BREAKER_OPEN,
    "HALF_OPEN": service.BREAKER_HALF_OPEN,
}

BreakerOf = Callable[[str], str]
"""Name of a bank → CLOSED, OPEN or HALF_OPEN; "" where its lane does not run. The dispatch room knows."""


class BankService(BankServiceServicer):
    """Every known principal may see every bank: there is nothing of any tenant in it."""

    def __init__(self, house: House, principals: Principals, breaker_of: BreakerOf) -> None:
        self._house = house
        self._principals = principals
        self._breaker_of = breaker_of

    async def ListBanks(  # noqa: N802 (the API's name)
        self, request: service.ListBanksRequest, context: Call
    ) -> service.ListBanksResponse:
        """By name."""
        with answered():
            self._principals.of(context.peer_certificate)
            banks = [self._house.banks[name] for name in sorted(self._house.banks)]
            return service.ListBanksResponse(banks=[await self._seen(bank) for bank in banks])

    async def GetBank(  # noqa: N802
        self, request: service.GetBankRequest, context: Call
    ) -> service.GetBankResponse:
        with answered():
            self._principals.of(context.peer_certificate)
            bank = self._house.banks.get(request.name)
            if bank is None:
                raise BankNotFound(f"There is no bank of this name. The banks are: {listed(self._house.banks)}.")
            return service.GetBankResponse(bank=await self._seen(bank))

    async def _seen(self, bank: Bank) -> service.Bank:
        counts, wire = await self._house.store.counts(bank.name), bank.link.snapshot()
        return service.Bank(
            name=bank.name,
            display_name=bank.profile.display_name,
            protocol=bank.profile.protocol,
            queued_count=counts.queued,
            sending_count=counts.sending,
            in_doubt_count=counts.in_doubt,
            accepted_count=counts.accepted,
            held_count=counts.held,
            breaker=_BREAKERS.get(self._breaker_of(bank.name), service.BREAKER_UNSPECIFIED),
            session_count=wire.sessions,
            exchange_count=wire.in_flight,
            certificate_expire_time=translate.timestamp_of(wire.certificate_expires_at),
            last_failure=wire.last_failure,
        )
