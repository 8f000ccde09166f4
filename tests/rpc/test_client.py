"""The client channel: how its calls end when the server, the clock or the connection ends them."""

import grpc
import pytest
import trio
import trio.testing

from gateway.rpc.client import CallFailed, open_channel
from gateway.rpc.server import Server, ServerLimits
from tests.rpc.echo import Echo, channel_to, path, server_of


async def test_deadline_is_kept_without_the_server(autojump_clock: trio.testing.MockClock) -> None:
    """A call to a peer that never answers fails with DEADLINE_EXCEEDED at its deadline."""
    ours, _theirs = trio.testing.memory_stream_pair()
    async with open_channel(ours, authority="localhost") as channel:
        with pytest.raises(CallFailed) as caught:
            await channel.unary_unary(path("Unary"))(b"", timeout=3.0)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert trio.current_time() == pytest.approx(3.0)


async def test_lost_connection(autojump_clock: trio.testing.MockClock) -> None:
    """When the connection goes, open calls and new ones fail with UNAVAILABLE instead of waiting."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with open_channel(ours, authority="localhost") as channel, trio.open_nursery() as nursery:
        codes = []

        async def call() -> None:
            with pytest.raises(CallFailed) as caught:
                await channel.unary_unary(path("Unary"))(b"")
            codes.append(caught.value.code)

        nursery.start_soon(call)
        await trio.testing.wait_all_tasks_blocked()
        await theirs.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await call()
        assert codes == [grpc.StatusCode.UNAVAILABLE] * 2


async def test_goaway(autojump_clock: trio.testing.MockClock) -> None:
    """After GOAWAY the call in progress ends well and no new one is begun."""
    server = server_of(Echo())
    async with channel_to(server) as channel, trio.open_nursery() as nursery:
        async with channel.stream_unary(path("Concat"))() as call:
            await call.send(b"a")
            nursery.start_soon(server.drain, 30.0)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(CallFailed) as caught:
                await channel.unary_unary(path("Unary"))(b"")
            await call.end()
            assert await call.batch() == [b"a"]
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE


async def test_calls_wait_for_room(autojump_clock: trio.testing.MockClock) -> None:
    """More calls than the server takes at once wait for their turn; none is refused."""
    server = Server(limits=ServerLimits(max_concurrent_streams=2))
    Echo().add_to(server)
    async with channel_to(server) as channel:
        unary = channel.unary_unary(path("Unary"))
        await unary(b"the limit is known once the server has said it")
        answers = []

        async def call(number: int) -> None:
            answers.append(await unary(b"%d" % number))

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(call, number)
        assert sorted(answers, key=int) == [b"%d" % number for number in range(20)]


async def test_leaving_the_context_cancels(autojump_clock: trio.testing.MockClock) -> None:
    """A call that is left before its end is cancelled at the server, and its slot is free again."""
    echo = Echo()
    async with channel_to(server_of(echo)) as channel:
        async with channel.unary_stream(path("Pour"))(b"") as call:
            assert len(await anext(call)) == 10_000
        await echo.cancelled.wait()
        assert not channel.session.streams


async def test_answer_over_the_limit(autojump_clock: trio.testing.MockClock) -> None:
    """A response larger than the client allows fails its call and no other."""
    ours, theirs = trio.testing.memory_stream_pair()
    limits = ServerLimits(max_receive_message_bytes=1_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server_of(Echo()).serve_stream, theirs)
        async with open_channel(ours, authority="localhost", limits=limits) as channel:
            unary = channel.unary_unary(path("Unary"))
            with pytest.raises(CallFailed) as caught:
                await unary(bytes(1_001))
            assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await unary(bytes(1_000)) == bytes(1_000)
        nursery.cancel_scope.cancel()
