"""What handlers need to know of their call; gateway.rpc's Context has it."""

from collections.abc import Sequence
from typing import Any, Protocol


class Call(Protocol):
    """Any call."""

    @property
    def peer_certificate(self) -> bytes | None: ...
    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]: ...
    async def give_way(self) -> None: ...


class StreamingCall(Call, Protocol):
    """A call whose handler writes its answers itself, also from several tasks."""

    async def write(self, response: Any) -> None: ...
