"""A stream of submissions without a wire."""

from collections.abc import Sequence

from causeway.v1.payment_service_pb2 import SubmitPaymentsRequest, SubmitPaymentsResponse


class Asking:
    """A call without a wire: it counts how often its handler gives way."""

    peer_certificate = None

    def __init__(self) -> None:
        self.gave_way = 0
        self.answers: list[SubmitPaymentsResponse] = []

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        return ()

    async def give_way(self) -> None:
        self.gave_way += 1

    async def write(self, response: list[SubmitPaymentsResponse | bytes]) -> None:
        read = SubmitPaymentsResponse.FromString
        self.answers += [read(one) if isinstance(one, bytes) else one for one in response]


class Arrived:
    """Batches of requests, and the end."""

    def __init__(self, *batches: list[SubmitPaymentsRequest]) -> None:
        self._batches = [*batches, []]

    async def batch(self) -> list[SubmitPaymentsRequest]:
        return self._batches.pop(0)
