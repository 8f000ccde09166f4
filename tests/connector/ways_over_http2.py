"""Rows of the failure table that a bank makes over HTTP/2."""

from dataclasses import replace

import h2.events
import h2.settings
from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame

from tests.connector.failure_ways import SHORT_S, WAYS, over_h2, scripted
from tests.connector.socket_bank import Asked, Script, SocketPeer

LAST = 2**31 - 1
NONSENSE = b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + bytes(4)  # WINDOW_UPDATE by nothing


async def greeted(peer: SocketPeer) -> Asked:
    await peer.greet()
    return await peer.asked()


def answer_frames(peer: SocketPeer, to: Asked) -> bytes:
    """The answer that takes the payment, past what h2 thinks of the stream."""
    block = peer.h2.encoder.encode([(":status", "200")])
    head = HeadersFrame(to.stream_id, data=block, flags=["END_HEADERS"]).serialize()
    return bytes(head + DataFrame(to.stream_id, data=to.report(), flags=["END_STREAM"]).serialize())


def goaway(last: int, code: int = 0) -> bytes:
    return bytes(GoAwayFrame(0, last_stream_id=last, error_code=code).serialize())


# ------------------------------------------------------------ not processed, by the bank's own protocol


@over_h2()
async def refused_stream(peer: SocketPeer) -> None:
    await peer.reset(await greeted(peer), ErrorCodes.REFUSED_STREAM)
    await peer.stay()


@over_h2()
async def goaway_below(peer: SocketPeer) -> None:
    await greeted(peer)
    await peer.flush(goaway(0))
    await peer.stay()


@over_h2()
async def goaway_below_and_closes(peer: SocketPeer) -> None:
    await greeted(peer)
    await peer.flush(goaway(0, ErrorCodes.ENHANCE_YOUR_CALM))


# ------------------------------------------------------------ answered


def _answers(code: str, status: int = 200) -> Script:
    async def script(peer: SocketPeer) -> None:
        asked = await greeted(peer)
        await peer.answer(asked, asked.report(code), status)
        await peer.stay()

    return script


def _says(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Script:
    async def script(peer: SocketPeer) -> None:
        await peer.answer(await greeted(peer), body, status, headers)
        await peer.stay()

    return script


PAGE = b"<html><body>Sorry</body></html>"
WAYS.update(
    {
        "answer_taken": scripted("h2", _answers("ACSP")),
        "answer_settled": scripted("h2", _answers("ACSC")),
        "answer_rejected": scripted("h2", _answers("RJCT")),
        "answer_202_empty": scripted("h2", _says(202)),
        "answer_400_rejected": scripted("h2", _answers("RJCT", 400)),
        "status_500_taken": scripted("h2", _answers("ACSP", 500)),
        "status_429_retry_after": scripted("h2", _says(429, b"", ("retry-after", "120")), wait_s=120.0),
        "status_503_documented": scripted(
            "h2", _says(503, b"", ("retry-after", "60")), protocol={"unprocessed_statuses": [429, 503]}, wait_s=60.0
        ),
        "status_429_undocumented": scripted("h2", _says(429), protocol={"unprocessed_statuses": []}),
        "status_503_retry_after": scripted("h2", _says(503, PAGE, ("retry-after", "60"))),
        "status_302": scripted("h2", _says(302, b"", ("location", "https://other.example/"))),
        "status_307": scripted("h2", _says(307, b"", ("location", "https://other.example/"))),
        "status_200_garbage": scripted("h2", _says(200, b"OK")),
        **{f"status_{status}": scripted("h2", _says(status, PAGE)) for status in (400, 401, 403, 404, 408, 500)},
        "status_204": scripted("h2", _says(204)),
    }
)


@over_h2()
async def informational_h2(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    await peer.informational(asked)
    await peer.informational(asked, 100)
    await peer.answer(asked)
    await peer.stay()


@over_h2(after=1)
async def goaway_at(peer: SocketPeer) -> None:
    """The payment after it goes over a new connection."""
    asked = await greeted(peer)
    await peer.flush(goaway(asked.stream_id))
    await peer.answer(asked)


@over_h2()
async def goaway_notice(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    await peer.flush(goaway(LAST) + goaway(asked.stream_id))
    await peer.answer(asked)


@over_h2(after=1)
async def answer_twice(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    peer.queue(asked)
    await peer.flush(answer_frames(peer, asked))
    await peer.answer(await peer.asked())
    await peer.stay()


@over_h2()
async def garbage_after_answer(peer: SocketPeer) -> None:
    peer.queue(await greeted(peer))
    await peer.flush(NONSENSE)


# ------------------------------------------------------------ resets and GOAWAY that prove nothing


def _resets(code: ErrorCodes, *, after: str = "") -> Script:
    async def script(peer: SocketPeer) -> None:
        asked = await greeted(peer)
        if after == "103":
            await peer.informational(asked)
        elif after == "half":
            await peer.answer(asked, asked.report()[:100], end=False)
        await peer.reset(asked, code)
        await peer.stay()

    return script


WAYS.update(
    {
        "refused_stream_after_103": scripted("h2", _resets(ErrorCodes.REFUSED_STREAM, after="103")),
        "reset_before_answer": scripted("h2", _resets(ErrorCodes.INTERNAL_ERROR)),
        "reset_cancel": scripted("h2", _resets(ErrorCodes.CANCEL)),
        "reset_no_error": scripted("h2", _resets(ErrorCodes.NO_ERROR)),
        "reset_mid_body": scripted("h2", _resets(ErrorCodes.INTERNAL_ERROR, after="half")),
        "refused_mid_body": scripted("h2", _resets(ErrorCodes.REFUSED_STREAM, after="half")),
    }
)


@over_h2()
async def goaway_below_after_103(peer: SocketPeer) -> None:
    await peer.informational(await greeted(peer))
    await peer.flush(goaway(0))
    await peer.stay()


@over_h2()
async def goaway_at_and_closes(peer: SocketPeer) -> None:
    await peer.flush(goaway((await greeted(peer)).stream_id))


# ------------------------------------------------------------ ends of the connection


@over_h2()
async def closed_before_answer(peer: SocketPeer) -> None:
    await greeted(peer)


@over_h2()
async def cut_before_answer(peer: SocketPeer) -> None:
    await greeted(peer)
    await peer.wire.close("cut")


@over_h2()
async def tcp_reset_before_answer(peer: SocketPeer) -> None:
    await greeted(peer)
    await peer.wire.close("rst")


@over_h2()
async def closed_mid_body(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    await peer.answer(asked, asked.report()[:100], end=False)


@over_h2()
async def cut_mid_body(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    await peer.answer(asked, asked.report()[:100], end=False)
    await peer.wire.close("cut")


@over_h2()
async def cut_after_whole_body(peer: SocketPeer) -> None:
    await peer.answer(await greeted(peer), end=False)
    await peer.wire.close("cut")


@over_h2()
async def half_header(peer: SocketPeer) -> None:
    frame = HeadersFrame((await greeted(peer)).stream_id, data=b"\x88", flags=["END_HEADERS"]).serialize()
    await peer.flush(bytes(frame[:-1]))


@over_h2()
async def header_without_continuation(peer: SocketPeer) -> None:
    await peer.flush(bytes(HeadersFrame((await greeted(peer)).stream_id, data=b"\x88").serialize()))


@over_h2()
async def closed_after_103(peer: SocketPeer) -> None:
    await peer.informational(await greeted(peer))


# ------------------------------------------------------------ what is not HTTP, or not ours


@over_h2()
async def garbage(peer: SocketPeer) -> None:
    await greeted(peer)
    await peer.flush(NONSENSE)


@over_h2()
async def garbage_below_tls(peer: SocketPeer) -> None:
    await greeted(peer)
    await peer.wire.send_below_tls(b"\x16\x99 no TLS record")
    await peer.stay()


@over_h2(beside=1)
async def length_mismatch_h2(peer: SocketPeer) -> None:
    """Another payment waits on the same connection for its answer."""
    first = await greeted(peer)
    await peer.asked()
    peer.h2.send_headers(first.stream_id, [(":status", "200"), ("content-length", "9")])
    await peer.flush(bytes(DataFrame(first.stream_id, data=b"<ok/>", flags=["END_STREAM"]).serialize()))


@over_h2()
async def other_stream(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    await peer.flush(answer_frames(peer, replace(asked, stream_id=asked.stream_id + 2)))
    await peer.stay()


@over_h2()
async def header_bomb(peer: SocketPeer) -> None:
    asked = await greeted(peer)
    peer.h2.send_headers(asked.stream_id, [(":status", "200"), *[("x", "y" * 4_000)] * 30])
    await peer.flush()
    await peer.stay()


@over_h2(link={"ping_after_s": 0.2, "ping_timeout_s": 1.0}, before=1)
async def ping_unanswered(peer: SocketPeer) -> None:
    """`stay` reads bytes and answers no frame."""
    await peer.answer(await greeted(peer))
    await peer.asked()
    await peer.stay()


@over_h2(beside=1)
async def answers_swapped(peer: SocketPeer) -> None:
    first = await greeted(peer)
    second = await peer.asked()
    await peer.answer(first, second.report())
    await peer.answer(second, first.report())
    await peer.stay()


# ------------------------------------------------------------ too late, on a session that was open in time


async def _after_one_answer(peer: SocketPeer) -> Asked:
    await peer.answer(await greeted(peer))
    return await peer.asked()


@over_h2(deadline_s=SHORT_S, before=1)
async def timeout_before_first_byte(peer: SocketPeer) -> None:
    await _after_one_answer(peer)
    await peer.stay()


@over_h2(deadline_s=SHORT_S, before=1)
async def timeout_after_first_byte(peer: SocketPeer) -> None:
    asked = await _after_one_answer(peer)
    await peer.answer(asked, asked.report()[:100], end=False)
    await peer.stay()


@over_h2(deadline_s=SHORT_S, before=1)
async def body_never_read(peer: SocketPeer) -> None:
    """The window is closed for all streams before the first answer is given."""
    asked = await greeted(peer)
    peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    await peer.flush()
    await peer.event(h2.events.SettingsAcknowledged)
    await peer.answer(asked)
    await peer.stay()


@over_h2(deadline_s=SHORT_S, before=1, after=1)
async def late_reply(peer: SocketPeer) -> None:
    """Answers when the gateway's RST_STREAM has come, as an answer does that crossed it; then serves the next one."""
    late = await _after_one_answer(peer)
    reset = await peer.event(h2.events.StreamReset)
    assert (reset.stream_id, reset.error_code) == (late.stream_id, ErrorCodes.CANCEL)
    await peer.flush(answer_frames(peer, late))
    await peer.answer(await peer.asked())
    await peer.stay()
