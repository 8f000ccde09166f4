"""DoubtService in memory for the tests of the command line: one payment's proposal, and a caller that tests choose."""

from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from causeway.v1 import doubt_service_pb2 as service
from causeway.v1 import doubt_service_pb2_grpc, payment_pb2


class FakeDoubts(doubt_service_pb2_grpc.DoubtServiceServicer):
    """`caller` is who calls next; `doubts` what there is, by payment id; `evidence` what GetDoubt shows."""

    def __init__(self) -> None:
        self.caller = "ada"
        self.doubts: dict[str, service.Doubt] = {}
        self.evidence: list[service.Evidence] = []
        self.notes: list[str] = []
        self.refuse_with = ""
        """A reason of the catalogue that the next propose or confirm ends with."""

    def doubt(self, id_: str = "d1", bank: str = "northbank") -> None:
        payment = payment_pb2.Payment(id=id_, state=payment_pb2.STATE_IN_DOUBT)
        payment.instruction.bank = bank
        payment.instruction.amount.currency_code, payment.instruction.amount.units = "EUR", 100
        self.doubts[id_] = service.Doubt(
            payment=payment, age=Duration(seconds=7_500), attempt_count=1, inquiry_count=3, inquiries_left=0
        )

    def _seen(self, id_: str) -> service.Doubt:
        seen = service.Doubt()
        seen.CopyFrom(self.doubts[id_])
        if seen.HasField("proposal"):
            seen.proposal.own = seen.proposal.proposer == self.caller
        return seen

    def _maybe_refuse(self, context: grpc.ServicerContext) -> None:
        if self.refuse_with:
            info = error_details_pb2.ErrorInfo(reason=self.refuse_with, domain="causeway.v1")
            status = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="no")
            status.details.add().Pack(info)
            context.abort_with_status(rpc_status.to_status(status))

    def ListDoubts(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Two a page."""
        chosen = [id_ for id_, d in self.doubts.items() if request.bank in ("", d.payment.instruction.bank)]
        first = int(request.page_token or 0)
        token = str(first + 2) if first + 2 < len(chosen) else ""
        return service.ListDoubtsResponse(
            doubts=[self._seen(id_) for id_ in chosen[first : first + 2]], next_page_token=token
        )

    def GetDoubt(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return service.GetDoubtResponse(doubt=self._seen(request.id), evidence=self.evidence)

    def ProposeResolution(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._maybe_refuse(context)
        self.notes.append(request.note)
        proposal = service.Proposal(decision=request.decision, proposer=self.caller, digest="ab" * 32)
        self.doubts[request.id].proposal.CopyFrom(proposal)
        return service.ProposeResolutionResponse(doubt=self._seen(request.id))

    def ConfirmResolution(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._maybe_refuse(context)
        self.notes.append(request.note)
        doubt = self.doubts[request.id]
        assert request.proposal_digest == doubt.proposal.digest
        assert doubt.proposal.proposer != self.caller
        doubt.payment.state = payment_pb2.STATE_SETTLED
        return service.ConfirmResolutionResponse(payment=doubt.payment)
