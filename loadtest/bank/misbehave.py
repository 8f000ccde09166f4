"""Each kind of sin as acts on the wire. `reply` is the honest answer that will not arrive as it is."""

from collections.abc import Awaitable, Callable

import trio
from h2.errors import ErrorCodes

from loadtest.bank.exchange import PLAIN, XML, Exchange, Reply
from loadtest.bank.sins import Sin
from loadtest.bank.wire import Ending

NO_PROTOCOL = b"\x16\x99 this is neither HTTP/2 nor a TLS record \xff\xfe\x00" * 4
NO_XML = b"<Document><CstmrPmtStsRpt><GrpHdr>\x00\xff not a status report"
NOTHING_YET = Reply(200, NO_XML, XML)  # the answer of a sin that acts before the bank has one
DRIP_S = 0.01  # between two bytes, unless the sin says otherwise

Act = Callable[[Sin, Exchange, Reply], Awaitable[None]]


async def commit(sin: Sin, exchange: Exchange, reply: Reply = NOTHING_YET) -> None:
    """Commits the sin. Raises Gone when the client has left before it was done."""
    await _ACTS[sin.kind](sin, exchange, reply)


async def _drop(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    await exchange.close(_ending(sin))


async def _delay(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    await trio.sleep(sin.seconds if sin.seconds is not None else 1.0)


async def _duplicate(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    if reply.status == 202:
        await exchange.reply(reply)  # the late answer is the one that comes twice
    else:
        await exchange.reply_twice(reply)


async def _status(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    again = () if sin.retry_after is None else (("retry-after", str(sin.retry_after)),)
    await exchange.reply(Reply(sin.code, f"the bank says {sin.code}\n".encode(), PLAIN + again))


async def _goaway(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    await exchange.goaway(sin.last_stream, _code(sin, ErrorCodes.NO_ERROR))


async def _refused_stream(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    await exchange.reset(_code(sin, ErrorCodes.REFUSED_STREAM))


async def _rst(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    if sin.when == "after":
        await _part(sin, exchange, reply, announce_length=True)
    await exchange.reset(_code(sin, ErrorCodes.INTERNAL_ERROR))


async def _truncate(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    if sin.close == "end":
        await exchange.begin(reply, announce_length=False)
        await exchange.piece(reply.body[: _part_bytes(sin, reply)], end=True)
        return
    await _part(sin, exchange, reply, announce_length=False)
    await exchange.close(_ending(sin))


async def _garbage(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    if sin.form == "body":
        await exchange.reply(Reply(200, NO_XML, XML))
    else:
        await exchange.garbage(NO_PROTOCOL, below_tls=sin.form == "tls")
        await _end_or_hang(sin, exchange)


async def _slow_drip(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    if not reply.body:
        await exchange.reply(reply)
        return
    await exchange.begin(reply)
    for at in range(len(reply.body)):
        await exchange.piece(reply.body[at : at + 1], end=at == len(reply.body) - 1)
        await trio.sleep(DRIP_S if sin.seconds is None else sin.seconds)


async def _half_header(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    await exchange.half_header(reply)
    await _end_or_hang(sin, exchange)


async def _silent(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    if sin.scope == "connection":
        exchange.mute()
    await exchange.hang()


async def _nothing(sin: Sin, exchange: Exchange, reply: Reply) -> None:
    """A lie is told in the answer itself, by the books."""


async def _part(sin: Sin, exchange: Exchange, reply: Reply, announce_length: bool) -> None:
    await exchange.begin(reply, announce_length)
    await exchange.piece(reply.body[: _part_bytes(sin, reply)], end=False)


async def _end_or_hang(sin: Sin, exchange: Exchange) -> None:
    if sin.close is None:
        await exchange.hang()
    else:
        await exchange.close(_ending(sin))


def _part_bytes(sin: Sin, reply: Reply) -> int:
    return len(reply.body) // 2 if sin.after_bytes is None else sin.after_bytes


def _ending(sin: Sin) -> Ending:
    return "fin" if sin.close is None or sin.close == "end" else sin.close


def _code(sin: Sin, default: ErrorCodes) -> int:
    return int(default) if sin.error_code is None else sin.error_code


_ACTS: dict[str, Act] = {
    "drop_reply": _drop,
    "drop_request": _drop,
    "delay": _delay,
    "duplicate_reply": _duplicate,
    "status": _status,
    "goaway": _goaway,
    "refused_stream": _refused_stream,
    "rst": _rst,
    "truncate": _truncate,
    "garbage": _garbage,
    "slow_drip": _slow_drip,
    "lie": _nothing,
    "half_header": _half_header,
    "silent": _silent,
}
