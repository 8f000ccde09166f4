"""Each sin does on an HTTP/2 wire what it says, and moves money exactly when it says."""

import pytest
import trio
from h2.errors import ErrorCodes

from loadtest.bank import Sin
from loadtest.bank.sins import When
from loadtest.bank.wire import Ending
from tests.loadtest.conftest import Opener
from tests.loadtest.messages import single
from tests.loadtest.raw_client import connect

ENDINGS: list[Ending] = ["fin", "cut", "rst"]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_drop_reply(open_bank: Opener, ending: Ending) -> None:
    """A dropped reply has been booked, and not a byte of an answer was sent."""
    here = await open_bank()
    here.bank.sins.append(Sin("drop_reply", close=ending))
    answer = await here.client.pay(single("R1"))
    assert answer.log == []
    assert here.client.ending == ending
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_drop_request(open_bank: Opener, ending: Ending) -> None:
    """A dropped request is journaled as received but never booked."""
    here = await open_bank()
    here.bank.sins.append(Sin("drop_request", close=ending))
    answer = await here.client.pay(single("R1"))
    assert answer.log == []
    assert here.client.ending == ending
    assert here.bank.ledger.bookings_by_reference() == {}
    assert here.bank.ledger.received_by_reference() == {"R1": 1}


async def test_delay_before_booking_outlives_the_client(open_bank: Opener) -> None:
    """A client that hangs up during a delay before the booking is booked all the same, later."""
    here = await open_bank()
    here.bank.sins.append(Sin("delay", when="before", seconds=1.0))
    async with connect(here.ports.port, here.papers) as hasty:
        await hasty.send("POST", "/v1/payments", single("R1"))
        with trio.fail_after(5):
            while not here.bank.ledger.received_by_reference():
                await here.client.ask("GET", "/v1/status/R1")
    assert here.bank.ledger.bookings_by_reference() == {}
    with trio.fail_after(5):
        while (await here.client.ask("GET", "/v1/status/R1")).status == 404:
            pass
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_delay_after_booking(open_bank: Opener) -> None:
    """During a delay after the booking another stream of the connection already sees the payment."""
    here = await open_bank()
    here.bank.sins.append(Sin("delay", seconds=1.0))
    slow = await here.client.send("POST", "/v1/payments", single("R1"))
    with trio.fail_after(5):
        while (await here.client.ask("GET", "/v1/status/R1")).status == 404:
            pass
    assert not here.client.streams[slow].over
    assert (await here.client.answer(slow)).status == 200


async def test_duplicate_reply(open_bank: Opener) -> None:
    """A duplicated reply is the same complete answer twice on one stream."""
    here = await open_bank()
    here.bank.sins.append(Sin("duplicate_reply"))
    answer = await here.client.pay(single("R1"))
    with trio.fail_after(5):
        while len(answer.headers) < 2:
            await here.client.read()
    assert [entry[0] for entry in answer.log] == ["headers", "data", "end"] * 2
    assert answer.log[:3] == answer.log[3:]


async def test_duplicate_late_answer(open_bank: Opener) -> None:
    """A bank that answers later and duplicates puts the answer into the mailbox twice."""
    here = await open_bank(mode="later", report_delay_s=0, settle_delay_s=3600)
    here.bank.sins.append(Sin("duplicate_reply"))
    assert (await here.client.pay(single("R1"))).status == 202
    with trio.fail_after(5):
        while b'next="2"' not in (mailbox := await here.client.ask("GET", "/v1/reports")).body:
            pass
    assert mailbox.body.count(b"<TxSts>ACCP</TxSts>") == 2


@pytest.mark.parametrize(("when", "booked"), [("before", {}), ("after", {"R1": 1})])
async def test_status(open_bank: Opener, when: When, booked: dict[str, int]) -> None:
    """An error status carries Retry-After and says nothing about whether the money moved."""
    here = await open_bank()
    here.bank.sins.append(Sin("status", when=when, code=429, retry_after=7))
    answer = await here.client.pay(single("R1"))
    assert (answer.status, answer.headers[0]["retry-after"], answer.ended) == (429, "7", True)
    assert here.bank.ledger.bookings_by_reference() == booked


async def test_goaway_below_the_stream(open_bank: Opener) -> None:
    """GOAWAY below a stream: that stream is not booked, the one before it is still answered, then the end."""
    here = await open_bank()
    here.bank.sins += [
        Sin("delay", reference="R1", seconds=0.2),
        Sin("goaway", reference="R2", last_stream="below"),
    ]
    first = await here.client.send("POST", "/v1/payments", single("R1"))
    second = await here.client.send("POST", "/v1/payments", single("R2"))
    await here.client.read_to_end()
    assert here.client.goaways == [(first, ErrorCodes.NO_ERROR)]
    assert here.client.streams[first].status == 200
    assert here.client.streams[first].ended
    assert here.client.streams[second].log == []
    assert here.client.ending == "fin"
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_goaway_never_disowns_what_is_booked(open_bank: Opener) -> None:
    """GOAWAY below a stream while a later one is being booked: the later one stays inside, so the bank does not lie
    about money that moved; and so does the stream itself, which is then booked and answered as promised."""
    here = await open_bank()
    here.bank.sins += [
        Sin("delay", reference="R1", seconds=0.1, when="before"),
        Sin("goaway", reference="R1", last_stream="below"),
        Sin("delay", reference="R2", seconds=0.3, when="after"),
    ]
    first = await here.client.send("POST", "/v1/payments", single("R1"))
    second = await here.client.send("POST", "/v1/payments", single("R2"))
    await here.client.read_to_end()
    assert here.client.goaways == [(second, ErrorCodes.NO_ERROR)]
    assert here.client.streams[first].status == 200
    assert here.client.streams[second].status == 200
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1, "R2": 1}


async def test_goaway_disowns_what_is_not_booked_yet(open_bank: Opener) -> None:
    """GOAWAY below a stream: a later one that the bank has, but has not booked yet, is never booked."""
    here = await open_bank()
    here.bank.sins += [
        Sin("delay", reference="R2", seconds=0.2, when="before"),
        Sin("goaway", reference="R1", last_stream="below"),
    ]
    await here.client.send("POST", "/v1/payments", single("R1"))
    second = await here.client.send("POST", "/v1/payments", single("R2"))
    await here.client.read_to_end()
    assert here.client.streams[second].log == []
    here.bank.sins.append(Sin("delay", reference="R3", seconds=0.3, when="before"))
    async with connect(here.ports.port, here.papers) as other:
        assert (await other.pay(single("R3"))).status == 200, "by now the bank is through with R2"
    assert here.bank.ledger.bookings_by_reference() == {"R3": 1}


async def test_goaway_never_takes_back_what_it_disowned(open_bank: Opener) -> None:
    """A later GOAWAY never names a higher last stream: what was disowned may have been sent elsewhere by now."""
    here = await open_bank()
    here.bank.sins += [
        Sin("delay", reference="R1", seconds=0.4, when="before"),
        Sin("goaway", reference="R2", last_stream="below"),
        Sin("delay", reference="R3", seconds=0.2, when="before"),
        Sin("goaway", reference="R3", last_stream="at"),
    ]
    first, _second, third = [await here.client.send("POST", "/v1/payments", single(f"R{n}")) for n in (1, 2, 3)]
    await here.client.read_to_end()
    assert {last for last, _ in here.client.goaways} == {first}
    assert here.client.streams[third].log == []
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_goaway_at_the_stream(open_bank: Opener) -> None:
    """GOAWAY at a stream: that stream is booked and answered, later ones are ignored, then the end."""
    here = await open_bank()
    here.bank.sins += [Sin("goaway", reference="R1", last_stream="at"), Sin("delay", seconds=0.2)]
    first = await here.client.send("POST", "/v1/payments", single("R1"))
    with trio.fail_after(5):
        while not here.client.goaways:
            await here.client.read()
    late = await here.client.send("POST", "/v1/payments", single("R2"))
    await here.client.read_to_end()
    assert here.client.goaways == [(first, ErrorCodes.NO_ERROR)]
    assert here.client.streams[first].status == 200
    assert here.client.streams[late].log == []
    assert here.client.ending == "fin"
    assert here.bank.ledger.received_by_reference() == {"R1": 1}


async def test_goaway_as_a_notice(open_bank: Opener) -> None:
    """GOAWAY with the largest stream id announces a drain and refuses nothing yet."""
    here = await open_bank()
    here.bank.sins.append(Sin("goaway", last_stream="max", times=1))
    assert (await here.client.pay(single("R1"))).status == 200
    assert (await here.client.pay(single("R2"))).status == 200
    assert here.client.goaways == [(2**31 - 1, ErrorCodes.NO_ERROR)]


@pytest.mark.parametrize(("when", "booked"), [("before", {}), ("after", {"R1": 1})])
async def test_refused_stream(open_bank: Opener, when: When, booked: dict[str, int]) -> None:
    """REFUSED_STREAM before the booking is honest; after it, it is a lie about money that moved."""
    here = await open_bank()
    here.bank.sins.append(Sin("refused_stream", when=when, times=1))
    answer = await here.client.pay(single("R1"))
    assert answer.log == [("reset", ErrorCodes.REFUSED_STREAM)]
    assert here.bank.ledger.bookings_by_reference() == booked
    assert (await here.client.pay(single("R2"))).status == 200, "the connection lives on"


async def test_rst_in_mid_body(open_bank: Opener) -> None:
    """A reset after the booking cuts the answer's body in the middle."""
    here = await open_bank()
    here.bank.sins.append(Sin("rst", after_bytes=20))
    answer = await here.client.pay(single("R1"))
    assert [entry[0] for entry in answer.log] == ["headers", "data", "reset"]
    assert len(answer.body) == 20 < int(answer.headers[0]["content-length"])
    assert answer.reset == ErrorCodes.INTERNAL_ERROR
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


@pytest.mark.parametrize("ending", ["fin", "cut"])
async def test_truncate(open_bank: Opener, ending: Ending) -> None:
    """A truncated answer is a part of the body and the end of the connection, without END_STREAM."""
    here = await open_bank()
    here.bank.sins.append(Sin("truncate", close=ending))
    answer = await here.client.pay(single("R1"))
    assert answer.status == 200
    assert answer.body.startswith(b"<?xml")
    assert not answer.body.endswith(b"</Document>")
    assert not answer.ended
    assert here.client.ending == ending


async def test_truncate_with_a_lying_end(open_bank: Opener) -> None:
    """A truncated answer may end its stream in order, so that only the XML shows the loss."""
    here = await open_bank()
    here.bank.sins.append(Sin("truncate", close="end"))
    answer = await here.client.pay(single("R1"))
    assert answer.ended
    assert "content-length" not in answer.headers[0]
    assert not answer.body.endswith(b"</Document>")


async def test_garbage_in_place_of_frames(open_bank: Opener) -> None:
    """Garbage on the wire is inside TLS and is no frame of any stream."""
    here = await open_bank()
    here.bank.sins.append(Sin("garbage", form="wire", close="fin"))
    answer = await here.client.pay(single("R1"))
    assert answer.log == []
    assert b"neither HTTP/2" in here.client.buffer
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_garbage_below_tls(open_bank: Opener) -> None:
    """Garbage below TLS breaks the connection itself."""
    here = await open_bank()
    here.bank.sins.append(Sin("garbage", form="tls", close="cut"))
    answer = await here.client.pay(single("R1"))
    assert answer.log == []
    assert here.client.ending == "cut"


async def test_garbage_body(open_bank: Opener) -> None:
    """A garbage body comes as a proper 200 with XML's content type."""
    here = await open_bank()
    here.bank.sins.append(Sin("garbage", form="body"))
    answer = await here.client.pay(single("R1"))
    assert (answer.status, answer.ended, answer.headers[0]["content-type"]) == (200, True, "application/xml")
    assert b"\x00\xff" in answer.body


async def test_slow_drip(open_bank: Opener) -> None:
    """A dripping answer is whole, one byte to a DATA frame."""
    here = await open_bank()
    here.bank.sins.append(Sin("slow_drip", seconds=0))
    answer = await here.client.pay(single("R1"))
    pieces = [entry for entry in answer.log if entry[0] == "data"]
    assert len(pieces) == len(answer.body)
    assert answer.body.endswith(b"</Document>")


async def test_half_header(open_bank: Opener) -> None:
    """A half header is HEADERS without END_HEADERS, and after it the bank is mute."""
    here = await open_bank()
    here.bank.sins.append(Sin("half_header", close="cut"))
    answer = await here.client.pay(single("R1"))
    assert [entry[0] for entry in answer.log] == ["half header"]
    assert here.client.ending == "cut"
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_silent_stream(open_bank: Opener) -> None:
    """A silent stream is never answered while the others and PING are."""
    here = await open_bank()
    here.bank.sins.append(Sin("silent", reference="R1"))
    silent = await here.client.send("POST", "/v1/payments", single("R1"))
    assert (await here.client.pay(single("R2"))).status == 200
    await here.client.ping()
    with trio.fail_after(5):
        while not here.client.pongs:
            await here.client.read()
    assert here.client.streams[silent].log == []
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1, "R2": 1}


async def test_silent_connection(open_bank: Opener) -> None:
    """A silent connection answers nothing any more, not even PING, while others live on."""
    here = await open_bank()
    here.bank.sins.append(Sin("silent", reference="R1", scope="connection", when="before"))
    await here.client.send("POST", "/v1/payments", single("R1"))
    async with connect(here.ports.port, here.papers) as other:
        with trio.fail_after(5):
            while not here.bank.ledger.received_by_reference():
                await other.ask("GET", "/v1/status/R1")
        assert (await other.pay(single("R2"))).status == 200
        await here.client.ping()
        with trio.move_on_after(0.2):
            while True:
                await here.client.read()
    assert here.client.pongs == 0
    assert here.bank.ledger.bookings_by_reference() == {"R2": 1}
