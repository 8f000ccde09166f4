"""A daemon in memory for the tests of the command line: the stock grpcio server, the stock servicer, and dicts.

It keeps the promises of the API that a client relies on (one key one payment, answers in order, resumable watch) and
can be told to break connections; it pays nobody.
"""

import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Event
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from causeway.v1 import (
    bank_service_pb2,
    bank_service_pb2_grpc,
    doubt_service_pb2_grpc,
    payment_pb2,
    payment_service_pb2,
    payment_service_pb2_grpc,
)
from tests.cli.fake_doubts import FakeDoubts

State = payment_pb2.State


class FakeGateway(payment_service_pb2_grpc.PaymentServiceServicer, bank_service_pb2_grpc.BankServiceServicer):
    """Payments by id, facts in order. Tests read and set the attributes below while it serves."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.payments: dict[str, payment_pb2.Payment] = {}
        self.by_key: dict[str, payment_pb2.Payment] = {}
        self.facts: list[payment_pb2.Fact] = []
        self.traceparents: list[str] = []
        self.requests_seen = 0
        self.fail_next: list[status_pb2.Status] = []
        """Statuses that the next calls (or streams) end with before they do anything."""
        self.break_stream_after: list[int] = []
        """For each of the next streams: after so many answers it breaks, one instruction admitted unanswered."""
        self.page_tokens: list[str] = []
        self.notes: list[str] = []
        self.doubts = FakeDoubts()
        self.stopping = Event()

    # ---- what tests do with it

    def serve(self, server_key: bytes, server_cert: bytes, ca: bytes, port: int = 0) -> tuple[grpc.Server, int]:
        server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        payment_service_pb2_grpc.add_PaymentServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        bank_service_pb2_grpc.add_BankServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        doubt_service_pb2_grpc.add_DoubtServiceServicer_to_server(self.doubts, server)  # type: ignore[no-untyped-call]
        credentials = grpc.ssl_server_credentials([(server_key, server_cert)], ca, require_client_auth=True)
        bound = server.add_secure_port(f"127.0.0.1:{port}", credentials)
        server.start()
        return server, bound

    def move(self, payment_id: str, state: str, kind: str = "") -> None:
        """One more fact of a payment."""
        with self.changed:
            payment = self.payments[payment_id]
            self._note(payment, State.Value(f"STATE_{state}"), kind or state.lower())
            self.changed.notify_all()

    # ---- PaymentService

    def SubmitPayment(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._maybe_fail(context)
        self.traceparents.append(dict(context.invocation_metadata()).get("traceparent", ""))
        payment, replayed, status = self._admit(request.instruction)
        if status is not None:
            context.abort_with_status(rpc_status.to_status(status))
        return payment_service_pb2.SubmitPaymentResponse(payment=payment, replayed=replayed)

    def SubmitPayments(self, requests: Iterable[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        self._maybe_fail(context)
        self.traceparents.append(dict(context.invocation_metadata()).get("traceparent", ""))
        left = self.break_stream_after.pop(0) if self.break_stream_after else -1
        for request in requests:
            self.requests_seen += 1
            order = request.instruction
            payment, replayed, status = self._admit(order)
            if left == 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
            left -= 1
            answer = payment_service_pb2.SubmitPaymentsResponse(idempotency_key=order.idempotency_key)
            if status is not None:
                answer.error.CopyFrom(status)
            elif payment is not None:
                answer.payment_id, answer.end_to_end_id = payment.id, payment.instruction.end_to_end_id
                answer.state, answer.replayed = payment.state, replayed
            yield answer

    def GetPayment(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._maybe_fail(context)
        found = self.payments.get(request.id) or self.by_key.get(request.idempotency_key)
        if found is None:
            status = _status(code_pb2.NOT_FOUND, "no such payment", _info("PAYMENT_NOT_FOUND"))
            context.abort_with_status(rpc_status.to_status(status))
            raise AssertionError("abort raises")
        history = [fact for fact in self.facts if fact.payment_id == found.id] if request.include_history else []
        return payment_service_pb2.GetPaymentResponse(payment=found, history=history)

    def ListPayments(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Two payments a page, so that every list has to turn pages."""
        self.page_tokens.append(request.page_token)
        chosen = [p for p in self.payments.values() if not request.states or p.state in request.states]
        first = int(request.page_token or 0)
        token = str(first + 2) if first + 2 < len(chosen) else ""
        return payment_service_pb2.ListPaymentsResponse(payments=chosen[first : first + 2], next_page_token=token)

    def CancelPayment(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        status = _status(code_pb2.FAILED_PRECONDITION, "it was sent", _info("TOO_LATE_TO_CANCEL", state="ACCEPTED"))
        context.abort_with_status(rpc_status.to_status(status))

    def ReleaseHold(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        payment = self.payments.get(request.id)
        if payment is None or request.hold not in payment.holds:
            status = _status(code_pb2.FAILED_PRECONDITION, "not held", _info("HOLD_NOT_OPEN", state="QUEUED"))
            context.abort_with_status(rpc_status.to_status(status))
        payment.holds.remove(request.hold)
        payment.state = State.STATE_QUEUED
        self.notes.append(request.note)
        return payment_service_pb2.ReleaseHoldResponse(payment=payment)

    def WatchPayments(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        self._maybe_fail(context)
        left = self.break_stream_after.pop(0) if self.break_stream_after else -1
        at = len(self.facts) if request.position == "now" else int(request.position or 0)
        context.add_callback(self._wake)
        while context.is_active() and not self.stopping.is_set():
            with self.changed:
                while at >= len(self.facts) and context.is_active() and not self.stopping.is_set():
                    self.changed.wait()
                fact = self.facts[at] if at < len(self.facts) else None
            if left == 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
            left -= 1
            at += 1
            if fact and (not request.payment_ids or fact.payment_id in request.payment_ids):
                yield payment_service_pb2.WatchPaymentsResponse(fact=fact, position=str(at))

    # ---- BankService

    def ListBanks(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._maybe_fail(context)
        bank = bank_service_pb2.Bank(
            name="northbank",
            protocol="iso20022",
            in_doubt_count=2,
            breaker=bank_service_pb2.BREAKER_OPEN,
            last_failure="CONNECT_FAILED",
        )
        return bank_service_pb2.ListBanksResponse(banks=[bank])

    # ---- inside

    def _wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _maybe_fail(self, context: grpc.ServicerContext) -> None:
        if self.fail_next:
            context.abort_with_status(rpc_status.to_status(self.fail_next.pop(0)))

    def _admit(
        self, order: payment_pb2.Instruction
    ) -> tuple[payment_pb2.Payment | None, bool, status_pb2.Status | None]:
        with self.changed:
            kept = self.by_key.get(order.idempotency_key)
            if kept is not None and kept.instruction == order:
                return kept, True, None
            if kept is not None:
                info = _info("IDEMPOTENCY_KEY_REUSED", payment_id=kept.id)
                return None, False, _status(code_pb2.ALREADY_EXISTS, "key reused", info)
            if not order.amount.units:
                return (
                    None,
                    False,
                    invalid(("instruction.amount", "must be above zero"), ("instruction.creditor", "?")),
                )
            payment = payment_pb2.Payment(id=str(uuid.uuid4()), instruction=order)
            self.payments[payment.id] = self.by_key[order.idempotency_key] = payment
            self._note(payment, payment_pb2.STATE_RECEIVED, "received")
            self.changed.notify_all()
            return payment, False, None

    def _note(self, payment: payment_pb2.Payment, state: Any, kind: str) -> None:
        payment.version += 1
        fact = payment_pb2.Fact(
            sequence=len(self.facts) + 1, payment_id=payment.id, version=payment.version, kind=kind, state=state
        )
        payment.state = state
        self.facts.append(fact)


def invalid(*violations: tuple[str, str]) -> status_pb2.Status:
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=path, description=text) for path, text in violations
        ]
    )
    return _status(code_pb2.INVALID_ARGUMENT, f"{len(violations)} violations", _info("INSTRUCTION_INVALID"), bad)


def unavailable() -> status_pb2.Status:
    return _status(code_pb2.UNAVAILABLE, "going down")


def overloaded(retry_after_s: int) -> status_pb2.Status:
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry_after_s))
    return _status(code_pb2.RESOURCE_EXHAUSTED, "the writer is full", _info("OVERLOADED"), retry)


def _info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="causeway.v1", metadata=metadata)


def _status(code: int, message: str, *details: Any) -> status_pb2.Status:
    packed = []
    for detail in details:
        wrapped = any_pb2.Any()
        wrapped.Pack(detail)
        packed.append(wrapped)
    return status_pb2.Status(code=code, message=message, details=packed)
