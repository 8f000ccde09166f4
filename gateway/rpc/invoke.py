"""Runs a handler: four kinds of call, one way to end."""

import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import grpc
import trio

from .call import Call, Requests
from .context import Context
from .status import AbortError, RpcError, Status, trailers

log = logging.getLogger(__name__)

Intercept = Callable[[Context], AbstractAsyncContextManager[object]]

DEADLINE = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
_UNEXPECTED = Status(grpc.StatusCode.UNKNOWN, "Exception calling application")
# A response larger than this is sent under the call's deadline; a smaller one is left to the connection.
_LEAVE_BEHIND_BYTES = 16 * 1024


async def run_call(call: Call, intercept: Intercept | None) -> None:
    """Run the handler to its end and queue the trailers; raises nothing but cancellation from outside the call."""
    context, scope = Context(call), call.scope
    assert scope is not None, "a call that runs alone has one"
    with scope:
        if call.deadline <= trio.current_time():
            scope.cancel()
            await trio.lowlevel.checkpoint()
        status = await _outcome(call, context, intercept)
        finish(call, context, status)
        if call.stream.out_bytes > _LEAVE_BEHIND_BYTES:
            await call.wait_until_sent()
    if scope.cancelled_caught and not call.gone:
        finish(call, context, call.fate or DEADLINE, discard=True)


async def _outcome(call: Call, context: Context, intercept: Intercept | None) -> Status:
    try:
        if intercept is None:
            await _serve(call, context)
        else:
            async with intercept(context):
                await _serve(call, context)
    except Exception as error:
        return status_of(call, context, error)
    return context.final_status


def status_of(call: Call, context: Context, error: Exception) -> Status:
    """What the client is told about an exception; only an error made for clients is shown to one."""
    leaf = _leaf(error)
    if isinstance(leaf, RpcError):
        return leaf.status
    chosen = context.chosen_status
    if chosen is not None and chosen.code is not grpc.StatusCode.OK:
        if not isinstance(leaf, AbortError | NotImplementedError):
            log.error("handler of %s failed after choosing %s", call.method.path, chosen.code, exc_info=error)
        return chosen
    log.error("handler of %s failed", call.method.path, exc_info=error)
    return _UNEXPECTED


def _leaf(error: BaseException) -> BaseException:
    """The one exception inside groups of one: nurseries wrap what their children raise."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def finish(call: Call, context: Context, status: Status, *, discard: bool = False) -> None:
    """Queue the call's end; `discard` as ServerSession.finish has it."""
    fields = trailers(status, context.trailing_metadata())
    call.wire.session.finish(call.stream, fields, discard=discard)
    call.wire.wake_writer()


async def _serve(call: Call, context: Context) -> None:
    method = call.method
    call.check_room()
    argument: Any = Requests(call) if method.request_streaming else await _only_request(call)
    if method.response_streaming:
        await _stream_responses(call, context, argument)
        return
    response = await method.behaviour(argument, context)
    if context.chosen_status is None or context.final_status.code is grpc.StatusCode.OK:
        reply(call, response)


def reply(call: Call, response: Any) -> None:
    """Queue a unary call's answer. Raises RpcError where it cannot be sent."""
    framed = call.encode(response)
    call.check_room(len(framed))
    call.send(framed)


async def _only_request(call: Call) -> Any:
    """The request of a call that has exactly one; codes as grpcio's for none, grpc-go's for several."""
    messages = await call.take()
    while not call.stream.ended and len(messages) <= 1:
        messages += await call.take()
    messages += call.stream.inbox
    if not messages:
        raise RpcError(grpc.StatusCode.UNIMPLEMENTED, f'"{call.method.path}" requires exactly one request message.')
    if len(messages) > 1:
        raise RpcError(grpc.StatusCode.INTERNAL, "more than one message in a call that takes one")
    return await call.decode_any(messages[0])


async def _stream_responses(call: Call, context: Context, argument: Any) -> None:
    """Of an async generator, what it yields; a coroutine writes for itself (`Context.write`)."""
    responses = call.method.behaviour(argument, context)
    if isinstance(responses, Coroutine):
        await responses
        return
    async with aclosing(responses):
        async for response in responses:
            sending = call.respond(response)
            del response  # a reader may keep us waiting for hours
            await sending
