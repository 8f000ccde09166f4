"""What a handler may know and say about its call; the names are grpcio's where grpcio has them."""

from typing import Any, NoReturn

import grpc
import trio

from gateway.net.literal_hpack import literal_block

from .call import Call
from .metadata import Metadata, encode_metadata
from .status import OK, AbortError, Status


class Context:
    """Handed to every handler as its second argument."""

    __slots__ = ("_aborted", "_call", "_code", "_details", "_trailing")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Metadata = ()
        self._aborted: Status | None = None

    @property
    def method(self) -> str:
        """The full method, "/pkg.Service/Method"."""
        return self._call.method.path

    def invocation_metadata(self) -> Metadata:
        """The client's metadata in order of arrival; values of `-bin` keys are bytes, all others str."""
        return self._call.stream.head.metadata

    def peer(self) -> str:
        """Where the call comes from: "ipv4:127.0.0.1:40000", "ipv6:[::1]:40000", or "unknown"."""
        return self._call.wire.peer

    @property
    def peer_certificate(self) -> bytes | None:
        """The client's certificate in DER, if it proved to hold one."""
        return self._call.wire.peer_certificate

    @property
    def deadline(self) -> float | None:
        """On trio's clock; None if the client set none."""
        deadline = self._call.deadline
        return None if deadline == float("inf") else deadline

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None if the client set none."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - trio.current_time())

    async def give_way(self) -> None:
        """Let others have their turn, between two parts of a handler's work: more turns of the loop where somebody else
        calls, and a pause for a caller under suspicion (rpc.callers)."""
        await self._call.wire.give_way()

    async def write(self, response: Any) -> None:
        """Send one response of a streaming call, or a `Batch`: for handlers that are coroutines and yield nothing, as
        in grpc.aio. Returns when the client has room for more; tasks of one call may write side by side.

        Raises:
            RpcError: INTERNAL for what is no response, RESOURCE_EXHAUSTED if it is over the limit.
        """
        await self._call.respond(response)

    def cancelled(self) -> bool:
        """Whether the handler is being cancelled: the client left, the deadline passed, or the server stops."""
        return self._call.cancelled

    @property
    def request_was_compressed(self) -> bool:
        """Whether the request handed out last travelled compressed."""
        return self._call.compressed_request

    def set_compression(self, compression: grpc.Compression) -> None:
        """Compress the messages that follow with gzip, or no longer.

        Only if the client accepts gzip, and only if set before the response headers have left; otherwise they
        stay plain, which every client can read.
        """
        call = self._call
        accepted = call.stream.head.accept_encoding.replace(b" ", b"").split(b",")
        begun = call.stream.began or call.stream.initial is not None
        if call.gzip_announced or not begun:
            call.compress = compression is grpc.Compression.Gzip and b"gzip" in accepted

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        """Send the response headers now, with this metadata.

        Raises:
            RuntimeError: if they have been sent.
            ValueError: if gRPC forbids a key or value.
        """
        stream = self._call.stream
        if stream.began or stream.initial is not None:
            raise RuntimeError("the initial metadata has been sent")
        self._call.begin(literal_block(encode_metadata(metadata)))
        self._call.wire.wake_writer()
        await trio.lowlevel.checkpoint()

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """What the trailers carry beside the status, in place of what was set before."""
        encode_metadata(metadata)
        self._trailing = tuple(metadata)

    def trailing_metadata(self) -> Metadata:
        """What `set_trailing_metadata` was given."""
        return self._trailing

    def set_code(self, code: grpc.StatusCode) -> None:
        """The code of the call if the handler returns."""
        self._code = code

    def code(self) -> grpc.StatusCode | None:
        """The code set or aborted with so far."""
        return self._aborted.code if self._aborted is not None else self._code

    def set_details(self, details: str) -> None:
        """The message of the call if the handler returns."""
        self._details = details

    def details(self) -> str:
        """The message set or aborted with so far."""
        return self._aborted.details if self._aborted is not None else self._details

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        """End the call with this status: raises AbortError through the handler. OK becomes UNKNOWN, as in grpcio."""
        await self.abort_with_status(Status(code, details, tuple(trailing_metadata)))

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """The same with a `grpc.Status`, such as `rich_status` or grpcio-status give."""
        code = status.code
        if code is grpc.StatusCode.OK:
            code = grpc.StatusCode.UNKNOWN
        metadata = tuple(status.trailing_metadata or ())
        encode_metadata(metadata)
        self._aborted = Status(code, status.details or "", metadata)
        await trio.lowlevel.checkpoint_if_cancelled()
        raise AbortError(f"{code.name}: {status.details}")

    @property
    def chosen_status(self) -> Status | None:
        """What the handler has decided so far; None if it has decided nothing. An abort outlives being caught."""
        if self._aborted is not None:
            return self._aborted
        if self._code is None and not self._details:
            return None
        return Status(self._code or grpc.StatusCode.OK, self._details)

    @property
    def final_status(self) -> Status:
        """The status of a handler that returned."""
        return self.chosen_status or OK
