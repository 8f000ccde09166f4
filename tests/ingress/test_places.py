"""One principal's watchers are bounded: they cannot take the places of all others."""

from pathlib import Path

import grpc
import pytest
import trio

from causeway.v1 import payment_service_pb2, payment_service_pb2_grpc
from gateway.core.errors import Overloaded
from gateway.ingress.edge import Edge
from gateway.ingress.places import RETRY_AFTER_S, Places
from tests.campaign.stage import staged
from tests.ingress.messages import info, retry_after_s


def test_places_of_one_are_not_places_of_another() -> None:
    """One too many is told when to come back; another principal has its own; a place that is left is free."""
    places = Places(2)
    with places.one("treasury"), places.one("payroll"):
        with places.one("treasury"):
            with pytest.raises(Overloaded) as caught, places.one("treasury"):
                pass
            assert caught.value.retry_after_s == RETRY_AFTER_S
            with places.one("payroll"):
                pass
        with places.one("treasury"):
            pass


async def test_watches_of_one_principal(tmp_path: Path) -> None:
    """One stream of facts more than `watches_per_principal_max` is RESOURCE_EXHAUSTED with RetryInfo, and the place of
    one that ends is free."""
    async with staged(tmp_path, watches_per_principal_max=1) as (edge, _):
        await trio.to_thread.run_sync(_watch_twice, edge)


def _watch_twice(edge: Edge) -> None:
    request = payment_service_pb2.WatchPaymentsRequest()
    with grpc.insecure_channel(edge.addresses["plaintext"]) as channel:
        watch = payment_service_pb2_grpc.PaymentServiceStub(channel).WatchPayments
        first = watch(request, timeout=20.0)
        assert next(first).position
        with pytest.raises(grpc.RpcError) as caught:
            next(watch(request, timeout=20.0))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert info(caught.value).reason == "OVERLOADED"
        assert retry_after_s(caught.value) == RETRY_AFTER_S
        first.cancel()
        for _ in range(100):  # the server hears of the cancellation in its own time
            try:
                assert next(watch(request, timeout=20.0)).position
                return
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        pytest.fail("the place did not become free")
