"""Stock grpcio cannot tell our server from its own: the canonical interop cases."""

import grpc
import pytest
import trio

from tests.interop.conftest import Target
from tests.interop.grpcio_cases import CASES


@pytest.mark.parametrize("case", CASES)
async def test_case(case: str, target: Target) -> None:
    """grpcio's client finds this interop case answered as the protocol's description says."""

    def run() -> None:
        with grpc.insecure_channel(target.address) as channel:
            CASES[case](channel, target.wire)

    with trio.fail_after(20):
        await trio.to_thread.run_sync(run)
