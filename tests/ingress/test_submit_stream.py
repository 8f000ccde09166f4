"""Claims about the stream of submissions."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn

import grpc
import pytest
import trio
import trio.testing

from causeway.v1 import payment_pb2
from causeway.v1.payment_service_pb2 import SubmitPaymentsRequest, SubmitPaymentsResponse
from gateway.config import PrincipalConfig
from gateway.core.errors import Overloaded, StoreFailed
from gateway.core.ports import Admission, Admitted, PaymentFilter
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.house import House
from gateway.ingress.payments import PaymentService
from gateway.ingress.principals import Principals
from gateway.ingress.submitting import ACCEPT_MAX, STREAM_BYTES_MAX, STREAM_MAX
from gateway.rpc.status import RpcError
from gateway.telemetry import names
from tests.fakes.clock import FakeClock
from tests.fakes.house import house, trail
from tests.fakes.memory_store import MemoryStore
from tests.fills import fills
from tests.ingress.arriving import Arrived, Asking
from tests.ingress.conftest import CALL_S, Edge, in_thread
from tests.ingress.messages import info, instruction, retry_after_s, submits, violations
from tests.ingress.weary_store import weary


async def stream(edge: Edge, requests: list[SubmitPaymentsRequest]) -> list[SubmitPaymentsResponse]:
    def run() -> list[SubmitPaymentsResponse]:
        with edge.stubs() as stubs:
            return list(stubs.payments.SubmitPayments(iter(requests), timeout=CALL_S))

    return await in_thread(run)


@fills("ACCEPT_MAX")
async def test_each_instruction_is_answered_in_order(edge: Edge) -> None:
    """One answer per instruction, in the order of the requests, also over more batches than one."""
    keys = [f"key-{number}" for number in range(2 * ACCEPT_MAX + 10)]
    answers = await stream(edge, submits(*keys))
    assert [answer.idempotency_key for answer in answers] == keys
    assert all(answer.state == payment_pb2.STATE_QUEUED and answer.payment_id for answer in answers)


async def test_broken_instructions_get_their_error_and_the_others_are_paid(edge: Edge) -> None:
    """An error is an answer in the stream: what SubmitPayment would have ended with; the stream goes on."""
    requests = [
        SubmitPaymentsRequest(instruction=instruction("good-1")),
        SubmitPaymentsRequest(instruction=instruction("bad", purpose_code="toolong")),
        SubmitPaymentsRequest(instruction=instruction("good-1")),
        SubmitPaymentsRequest(instruction=instruction("good-1", unstructured_remittance="other")),
        SubmitPaymentsRequest(instruction=instruction("nowhere", bank="eastbank")),
        SubmitPaymentsRequest(),
        SubmitPaymentsRequest(instruction=instruction("good-2")),
    ]
    answers = await stream(edge, requests)
    assert [bool(answer.payment_id) for answer in answers] == [True, False, True, False, False, False, True]
    assert answers[2].replayed
    assert violations(answers[1].error) == {"instruction.purpose_code": "PURPOSE_INVALID"}
    assert answers[3].error.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert info(answers[3].error).metadata["payment_id"] == answers[0].payment_id
    assert info(answers[4].error).reason == "BANK_UNKNOWN"
    assert answers[5].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_overload_is_an_answer_and_the_stream_goes_on(edge: Edge, of_house: House) -> None:
    """Every instruction of a shed batch gets RESOURCE_EXHAUSTED with RetryInfo; the next batch is taken again."""
    store = weary(of_house)
    store.error = Overloaded("the queue to the writer", 0.5)
    answered = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def run() -> list[SubmitPaymentsResponse]:
        def requests() -> Iterator[SubmitPaymentsRequest]:
            yield from submits("shed")
            trio.from_thread.run(answered.wait, trio_token=token)
            yield from submits("taken")

        with edge.stubs() as stubs:
            answers = []
            for answer in stubs.payments.SubmitPayments(requests(), timeout=CALL_S):
                answers.append(answer)
                store.error = None
                trio.from_thread.run_sync(answered.set, trio_token=token)
            return answers

    shed, taken = await in_thread(run)
    assert info(shed.error).reason == "OVERLOADED"
    assert retry_after_s(shed.error) == 0.5
    assert taken.payment_id


class Patient(MemoryStore):
    """Commits when it is told to; has room for `room` more until then."""

    def __init__(self, room: int) -> None:
        super().__init__(FakeClock())
        self.room = room
        self.waiting = 0
        self.commit = trio.Event()

    def check_room(self, admissions: int) -> int:
        if not self.room - self.waiting:
            raise Overloaded("store queue", 0.5)
        return min(admissions, self.room - self.waiting)

    async def admit(self, admissions: Sequence[Admission]) -> list[Admitted]:
        self.waiting += len(admissions)
        await self.commit.wait()
        return await super().admit(admissions)


async def test_a_refusal_does_not_wait_for_the_commits_before_it(autojump_clock: trio.testing.MockClock) -> None:
    """While two wait for the disk the third hears at once that there is no room, and then the two are answered, in
    their order."""
    store = Patient(room=2)
    call = Asking()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_service(store).SubmitPayments, Arrived(submits("a"), submits("b", "c")), call)
            await trio.testing.wait_all_tasks_blocked()
            assert [answer.idempotency_key for answer in call.answers] == ["c"]
            assert info(call.answers[0].error).reason == "OVERLOADED"
            store.commit.set()
    assert [answer.idempotency_key for answer in call.answers] == ["c", "a", "b"]
    assert all(answer.payment_id for answer in call.answers[1:])


@fills("STREAM_BYTES_MAX")
async def test_large_messages_wait_on_the_wire(autojump_clock: trio.testing.MockClock) -> None:
    """Beside instructions that wait for the disk, or for a client that reads, come some that are refused for their
    size: of a stream no more than STREAM_BYTES_MAX of them and one part are held, and all are answered in the end."""
    size, parts = STREAM_BYTES_MAX // 8, 40
    batches = [
        [*submits(f"a{place}"), SubmitPaymentsRequest(instruction=instruction(unstructured_remittance="x" * size))]
        for place in range(parts)
    ]
    store = Patient(room=STREAM_MAX)
    call = Asking()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_service(store).SubmitPayments, Arrived(*batches), call)
            await trio.testing.wait_all_tasks_blocked()
            assert store.waiting == STREAM_BYTES_MAX // size - 1
            store.commit.set()
    assert len(call.answers) == 2 * parts


@fills("STREAM_MAX")
async def test_a_stream_has_so_many_waiting_and_then_its_client_waits(autojump_clock: trio.testing.MockClock) -> None:
    """However much room the store has, one stream hands over STREAM_MAX, and reads on as they are answered."""
    store = Patient(room=10 * STREAM_MAX)
    call = Asking()
    batches = [submits(*(f"{number}-{one}" for one in range(ACCEPT_MAX))) for number in range(6)]
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_service(store).SubmitPayments, Arrived(*batches), call)
            await trio.testing.wait_all_tasks_blocked()
            assert store.waiting == STREAM_MAX
            assert not call.answers
            store.commit.set()
    assert [answer.idempotency_key for answer in call.answers] == [
        request.instruction.idempotency_key for batch in batches for request in batch
    ]


async def test_what_was_asked_before_a_broken_message_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    """A request that cannot be read ends the stream, but not before those ahead of it have their answers."""

    class Broken(Arrived):
        async def batch(self) -> list[SubmitPaymentsRequest]:
            return await super().batch() or _unreadable()

    store, call = Patient(room=10), Asking()
    store.commit.set()
    with pytest.raises(RpcError):
        await _service(store).SubmitPayments(Broken(submits("a", "b")), call)
    assert [answer.idempotency_key for answer in call.answers] == ["a", "b"]


async def test_a_stream_that_broke_leaves_no_circle(autojump_clock: trio.testing.MockClock) -> None:
    """What was held when it broke, such as four megabytes inflated in vain, is free when the call is over: two hundred
    such calls held 865 MB until the garbage collector came by."""

    class Message:
        pass

    held: list[weakref.ref[Message]] = []

    class Bomb(Arrived):
        async def batch(self) -> list[SubmitPaymentsRequest]:
            message = Message()
            held.append(weakref.ref(message))
            await trio.lowlevel.checkpoint()
            _unreadable()

    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with suppress(RpcError):
                await _service(Patient(room=10)).SubmitPayments(Bomb(), Asking())
        assert [one() for one in held] == [None] * 3
    finally:
        gc.enable()


def _unreadable() -> NoReturn:
    raise RpcError(grpc.StatusCode.INTERNAL, "Exception deserializing request!")


def _service(store: MemoryStore) -> PaymentService:
    of = house(store=store)
    principals = Principals({"erp": PrincipalConfig(tenant="treasury")}, without_certificate="erp")
    return PaymentService(of, principals, partial(watch, Feed(of.store)))


async def test_a_failed_store_ends_the_stream(edge: Edge, of_house: House) -> None:
    """Nobody knows what became of the batch, so no instruction is answered: an answer would be a guess."""
    weary(of_house).error = StoreFailed("disk")
    with pytest.raises(grpc.RpcError) as caught:
        await stream(edge, submits("a", "b"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_cancelling_the_call_cancels_no_payment(edge: Edge, of_house: House) -> None:
    """A client that leaves takes nothing back: what was acknowledged stays queued."""

    def run() -> SubmitPaymentsResponse:
        with edge.stubs() as stubs:
            call = stubs.payments.SubmitPayments(iter(submits("stays")), timeout=CALL_S)
            first: SubmitPaymentsResponse = next(call)
            call.cancel()
            return first

    answer = await in_thread(run)
    payments, _ = await of_house.store.page(PaymentFilter(), limit=10)
    assert [payment.state.value for payment in payments] == ["QUEUED"]
    assert payments[0].instruction.idempotency_key == answer.idempotency_key


async def test_a_batch_is_taken_as_far_as_there_is_room(edge: Edge, of_house: House) -> None:
    """The first instructions are admitted, the rest refused at once, with RetryInfo, and counted."""
    weary(of_house).room = 2
    answers = await stream(edge, submits(*"abcdefgh"))
    assert sorted(answer.idempotency_key for answer in answers) == list("abcdefgh")
    admitted = [answer for answer in answers if answer.payment_id]
    shed = [answer for answer in answers if not answer.payment_id]
    assert admitted
    assert admitted[0].idempotency_key == "a"
    assert {info(answer.error).reason for answer in shed} <= {"OVERLOADED"}
    assert all(retry_after_s(answer.error) > 0 for answer in shed)
    counted = trail(of_house).counts[names.SHED, (("queue", "writer"),)]
    assert counted == len(shed)
