"""The same bank by HTTP/1.1, where ALPN chooses it."""

from dataclasses import dataclass

import pytest
import trio

from loadtest.bank import Sin
from tests.loadtest.conftest import Open, Opener
from tests.loadtest.messages import single
from tests.loadtest.raw_client import WAIT_S, client_context, tls_to


def request(body: bytes, path: str = "/v1/payments", method: str = "POST", more: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


async def talk(here: Open, data: bytes, until: bytes | None = None) -> tuple[bytes, str]:
    """Everything the bank sends after `data`, and how it ended: "fin", "cut", or "open" once `until` came."""
    got = bytearray()
    context = client_context(here.papers, "http/1.1")
    async with tls_to(here.ports.port, context) as tls:
        assert tls.selected_alpn_protocol() == "http/1.1"
        await tls.send_all(data)
        with trio.fail_after(WAIT_S):
            try:
                while piece := await tls.receive_some(1 << 16):
                    got += piece
                    if until is not None and until in got:
                        return bytes(got), "open"
            except trio.BrokenResourceError:
                return bytes(got), "cut"
    return bytes(got), "fin"


async def test_two_payments_on_one_connection(open_bank: Opener) -> None:
    """Keep-alive: two requests, two answers, two bookings; `connection: close` ends it in order."""
    here = await open_bank()
    both = request(single("R1")) + request(single("R2"), more="connection: close\r\n")
    got, ending = await talk(here, both)
    assert got.count(b"HTTP/1.1 200") == 2
    assert got.count(b"<TxSts>ACCP</TxSts>") == 2
    assert ending == "fin"
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1, "R2": 1}


async def test_expect_continue(open_bank: Opener) -> None:
    """A client that waits for leave to send its body gets it."""
    here = await open_bank()
    head = request(single("R1"), more="expect: 100-continue\r\n").split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    got, _ = await talk(here, head, until=b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 100")


async def test_nonsense_ends_the_connection(open_bank: Opener) -> None:
    """Bytes that are no HTTP get no answer, and the bank lives on."""
    here = await open_bank()
    assert await talk(here, b"\x00\x01\x02\r\n\r\n") == (b"", "fin")
    assert (await here.client.pay(single("R1"))).status == 200


@dataclass(frozen=True)
class Case:
    """A sin, the first bytes of what is sent, how it ends ("open": once `until` came), and the bookings."""

    sin: Sin
    start: bytes
    ending: str
    booked: int
    until: bytes | None = None


CASES = [
    Case(Sin("drop_reply", close="fin"), b"", "fin", 1),
    Case(Sin("drop_reply", close="rst"), b"", "cut", 1),
    Case(Sin("drop_request", close="cut"), b"", "cut", 0),
    Case(Sin("refused_stream"), b"", "cut", 0),
    Case(Sin("goaway"), b"", "fin", 0),
    Case(Sin("status", code=503), b"HTTP/1.1 503", "open", 0, until=b"503\n"),
    Case(Sin("truncate", close="fin"), b"HTTP/1.1 200", "fin", 1),
    Case(Sin("truncate", close="end"), b"HTTP/1.1 200", "open", 1, until=b"\r\n0\r\n\r\n"),
    Case(Sin("rst"), b"HTTP/1.1 200", "cut", 1),
    Case(Sin("garbage", form="wire", close="fin"), b"\x16\x99", "fin", 1),
    Case(Sin("half_header", close="cut"), b"HTTP/1.1 200", "cut", 1),
    Case(Sin("slow_drip", seconds=0), b"HTTP/1.1 200", "open", 1, until=b"</Document>"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.sin.kind}-{case.sin.close}")
async def test_sins(open_bank: Opener, case: Case) -> None:
    """Each sin in HTTP/1.1's words; those about streams end the connection."""
    here = await open_bank()
    here.bank.sins.append(case.sin)
    got, ending = await talk(here, request(single("R1")), case.until)
    assert got.startswith(case.start)
    assert (got == b"") == (case.start == b"")
    assert ending == case.ending
    assert here.bank.ledger.totals().bookings == case.booked
    if case.sin.kind in ("half_header", "truncate", "rst"):
        assert b"</Document>" not in got


async def test_duplicate_reply(open_bank: Opener) -> None:
    """The second answer belongs to no request."""
    here = await open_bank()
    here.bank.sins.append(Sin("duplicate_reply"))
    got, _ = await talk(here, request(single("R1"), more="connection: close\r\n"))
    assert got.count(b"HTTP/1.1 200") == 2
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_silence_ends_when_the_client_leaves(open_bank: Opener) -> None:
    """A silent bank says nothing; once the client has gone it keeps nothing of the exchange."""
    here = await open_bank()
    here.bank.sins.append(Sin("silent", times=1))
    with trio.move_on_after(0.3):
        await talk(here, request(single("R1")))
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}
    got, _ = await talk(here, request(single("R2"), more="connection: close\r\n"))
    assert got.startswith(b"HTTP/1.1 200")
