"""What the bank answers when it behaves: modes, settlement, inquiries, the mailbox, rules and duplicates."""

from decimal import Decimal

import pytest
import trio
from lxml import etree

from loadtest.bank import Sin
from loadtest.bank.config import BODY_BYTES_MAX, REPORTS_PER_ANSWER_MAX
from loadtest.bank.sins import Says
from tests.loadtest.conftest import Open, Opener
from tests.loadtest.messages import CREDITOR, DEBTOR, message, single, transfer
from tests.loadtest.raw_client import Stream, connect

NS = "{urn:iso:std:iso:20022:tech:xsd:pain.002.001.10}"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def statuses(body: bytes) -> dict[str, str]:
    """End-to-end id to `TxSts` or `TxSts reason`, over every document in the body."""
    found = {}
    for element in etree.fromstring(body).iter(f"{NS}TxInfAndSts"):
        reason = element.findtext(f"{NS}StsRsnInf/{NS}Rsn/{NS}Cd")
        status = element.findtext(f"{NS}TxSts") or ""
        found[element.findtext(f"{NS}OrgnlEndToEndId") or ""] = f"{status} {reason}" if reason else status
    return found


def group_status(body: bytes) -> str | None:
    return etree.fromstring(body).findtext(f".//{NS}OrgnlGrpInfAndSts/{NS}GrpSts")


async def mailbox(here: Open, after: int = 0, limit: int = 100) -> tuple[int, bytes]:
    """The mailbox's `next` and the whole body."""
    answer = await here.client.ask("GET", f"/v1/reports?after={after}&limit={limit}")
    assert answer.status == 200
    return int(etree.fromstring(answer.body).get("next") or 0), answer.body


async def mail(here: Open, count: int) -> bytes:
    """The mailbox once it holds at least `count` reports."""
    with trio.fail_after(5):
        while True:
            last, body = await mailbox(here)
            if last >= count:
                return body


async def status(here: Open, reference: str) -> Stream:
    return await here.client.ask("GET", f"/v1/status/{reference}")


async def test_an_accepted_payment_is_booked_and_settled(open_bank: Opener) -> None:
    """With no settlement delay: ACCP in the answer, ACSC in inquiry and mailbox, one settled booking."""
    here = await open_bank()
    answer = await here.client.pay(single("R1"), traceparent=TRACEPARENT)
    assert (answer.status, answer.headers[0]["content-type"]) == (200, "application/xml")
    assert statuses(answer.body) == {"E-R1": "ACCP"}
    for reference in ("R1", "M-R1"):
        assert statuses((await status(here, reference)).body) == {"E-R1": "ACSC"}
    assert statuses((await mailbox(here))[1]) == {"E-R1": "ACSC"}
    (booking,) = here.bank.ledger.rows()
    assert (booking.reference, booking.message_id, booking.end_to_end_id) == ("R1", "M-R1", "E-R1")
    assert (booking.amount, booking.currency) == (Decimal("100.00"), "EUR")
    assert (booking.debtor, booking.creditor) == (DEBTOR, CREDITOR)
    assert booking.traceparent == TRACEPARENT
    assert booking.settled_at is not None


async def test_a_part_accepted_batch(open_bank: Opener) -> None:
    """Each transfer of a bulk message has its own status; the group's is PART."""
    here = await open_bank()
    first = [transfer("A"), transfer("REJECT-AC04-1", "I2")]
    second = [transfer("LOW", amount="0"), transfer("NAMED", creditor="REJECT BE04")]
    body = message("BULK", first, second)
    answer = await here.client.pay(body)
    assert group_status(answer.body) == "PART"
    assert statuses(answer.body) == {
        "A": "ACCP",
        "REJECT-AC04-1": "RJCT AC04",
        "LOW": "RJCT AM01",
        "NAMED": "RJCT BE04",
    }
    assert here.bank.ledger.bookings_by_reference() == {"A": 1}
    assert statuses((await status(here, "I2")).body) == {"REJECT-AC04-1": "RJCT AC04"}


async def test_the_largest_amount(open_bank: Opener) -> None:
    """Above the bank's largest amount: RJCT AM02, and a wholly rejected message says so."""
    here = await open_bank(max_amount=Decimal(500))
    answer = await here.client.pay(single("R1", amount="500.01"))
    assert (group_status(answer.body), statuses(answer.body)) == ("RJCT", {"E-R1": "RJCT AM02"})


async def test_answers_later(open_bank: Opener) -> None:
    """Mode later: 202 without a body, PDNG in inquiries, then ACCP and ACSC in the mailbox in that order."""
    here = await open_bank(mode="later", report_delay_s=0.3)
    answer = await here.client.pay(single("R1"))
    assert (answer.status, answer.body, answer.ended) == (202, b"", True)
    assert statuses((await status(here, "R1")).body) == {"E-R1": "PDNG"}
    body = await mail(here, 2)
    assert body.index(b"<TxSts>ACCP") < body.index(b"<TxSts>ACSC")
    assert here.bank.ledger.totals().settled == 1


async def test_settlement_waits(open_bank: Opener) -> None:
    """Until its settlement delay has passed a payment is ACCP and nothing is in the mailbox."""
    here = await open_bank(settle_delay_s=3600)
    await here.client.pay(single("R1"))
    assert statuses((await status(here, "R1")).body) == {"E-R1": "ACCP"}
    assert await mailbox(here) == (0, b'<?xml version="1.0" encoding="UTF-8"?>\n<reports next="0"></reports>')
    totals = here.bank.ledger.totals()
    assert (totals.bookings, totals.settled, totals.amounts) == (1, 0, {"EUR": Decimal("100.00")})


async def test_settlement_comes(open_bank: Opener) -> None:
    """After its delay a payment is ACSC in the mailbox and in inquiries; HOLD- never is, LATE- is rejected."""
    here = await open_bank(settle_delay_s=0.05)
    body = message("M", [transfer("A"), transfer("HOLD-1"), transfer("LATE-AC06")])
    assert set(statuses((await here.client.pay(body)).body).values()) == {"ACCP"}
    assert statuses(await mail(here, 1)) == {"A": "ACSC", "LATE-AC06": "RJCT AC06"}
    found = await status(here, "M")
    assert statuses(found.body) == {"A": "ACSC", "HOLD-1": "ACCP", "LATE-AC06": "RJCT AC06"}
    assert here.bank.ledger.bookings_by_reference() == {"A": 1, "HOLD-1": 1}


async def test_visibility_delay(open_bank: Opener) -> None:
    """Before the visibility delay has passed, even a booked payment is unknown to inquiries."""
    here = await open_bank(visibility_delay_s=3600)
    await here.client.pay(single("R1"))
    assert (await status(here, "R1")).status == 404
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_the_mailbox_is_read_by_position(open_bank: Opener) -> None:
    """`after` and `limit` page the mailbox without deleting anything."""
    here = await open_bank()
    for number in range(3):
        await here.client.pay(single(f"R{number}"))
    assert (await mailbox(here, limit=2))[0] == 2
    last, body = await mailbox(here, after=2)
    assert (last, statuses(body)) == (3, {"E-R2": "ACSC"})
    assert (await mailbox(here, after=3))[0] == 3
    assert (await mailbox(here))[0] == 3
    assert (await here.client.ask("GET", "/v1/reports?after=-1")).status == 400
    assert (await here.client.ask("GET", "/v1/reports?after=x")).status == 400


async def test_the_mailbox_has_a_largest_page(open_bank: Opener) -> None:
    """However much is asked for, one answer holds no more documents than the bound."""
    here = await open_bank()
    payments = [single(f"R{number}") for number in range(REPORTS_PER_ANSWER_MAX + 1)]
    sent = [await here.client.send("POST", "/v1/payments", body) for body in payments]
    for stream_id in sent:
        assert (await here.client.answer(stream_id)).status == 200
    assert (await mailbox(here, limit=10**9))[0] == REPORTS_PER_ANSWER_MAX


async def test_a_double_send_is_two_bookings(open_bank: Opener) -> None:
    """Without dedupe the ledger shows a double payment as what it is."""
    here = await open_bank()
    for _ in range(2):
        assert statuses((await here.client.pay(single("R1"))).body) == {"E-R1": "ACCP"}
    assert here.bank.ledger.booked_twice() == {"R1": 2}


async def test_dedupe(open_bank: Opener) -> None:
    """With dedupe a repeated MsgId is DU01, a repeated InstrId AM05; inquiries go on telling of the first."""
    here = await open_bank(dedupe=True)
    await here.client.pay(single("R1"))
    again = await here.client.pay(single("R1"))
    assert statuses(again.body) == {"E-R1": "RJCT DU01"}
    assert b"<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>DU01" in again.body
    other = await here.client.pay(message("OTHER", [transfer("E-R1", "R1"), transfer("NEW")]))
    assert statuses(other.body) == {"E-R1": "RJCT AM05", "NEW": "ACCP"}
    assert statuses((await status(here, "R1")).body) == {"E-R1": "ACSC"}
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1, "NEW": 1}
    assert here.bank.ledger.received_by_reference() == {"R1": 3, "NEW": 1}


async def test_dedupe_holds_within_one_commit(open_bank: Opener) -> None:
    """Ten copies of one message sent at once are booked once."""
    here = await open_bank(dedupe=True)
    sent = [await here.client.send("POST", "/v1/payments", single("R1")) for _ in range(10)]
    said = [statuses((await here.client.answer(stream_id)).body)["E-R1"] for stream_id in sent]
    assert sorted(said) == ["ACCP"] + ["RJCT DU01"] * 9
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_a_lie_that_books_nothing(open_bank: Opener) -> None:
    """ACCP without a booking: inquiry and mailbox know nothing of it."""
    here = await open_bank()
    here.bank.sins.append(Sin("lie", says="ACCP", end_to_end_id="A"))
    answer = await here.client.pay(message("M", [transfer("A"), transfer("B")]))
    assert statuses(answer.body) == {"A": "ACCP", "B": "ACCP"}
    assert here.bank.ledger.bookings_by_reference() == {"B": 1}
    assert (await status(here, "A")).status == 404
    assert statuses((await mailbox(here))[1]) == {"B": "ACSC"}


async def test_a_lie_that_books(open_bank: Opener) -> None:
    """RJCT although it was booked: the inquiry tells the truth."""
    here = await open_bank()
    here.bank.sins.append(Sin("lie", says="RJCT", reason="AC01"))
    assert statuses((await here.client.pay(single("R1"))).body) == {"E-R1": "RJCT AC01"}
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}
    assert statuses((await status(here, "R1")).body) == {"E-R1": "ACSC"}


async def test_a_lie_about_the_reference(open_bank: Opener) -> None:
    """A settlement reported under a wrong reference is nowhere under the right one."""
    here = await open_bank()
    here.bank.sins.append(Sin("lie", says="ACSC", wrong_reference="SOMEBODY-ELSE"))
    await here.client.pay(single("R1"))
    assert statuses((await mailbox(here))[1]) == {"SOMEBODY-ELSE": "ACSC"}


@pytest.mark.parametrize(("says", "code", "said"), [("NOTFOUND", 404, None), ("RJCT", 200, "RJCT MS03")])
async def test_a_lie_in_an_inquiry(open_bank: Opener, says: Says, code: int, said: str | None) -> None:
    """An inquiry may be answered with a lie while the booking stands."""
    here = await open_bank()
    here.bank.sins.append(Sin("lie", operation="status", says=says))
    await here.client.pay(single("R1"))
    answer = await status(here, "R1")
    assert answer.status == code
    assert said is None or statuses(answer.body) == {"E-R1": said}
    assert here.bank.ledger.bookings_by_reference() == {"R1": 1}


async def test_sins_strike_inquiries_and_the_mailbox_too(open_bank: Opener) -> None:
    """`operation` chooses which requests a sin strikes."""
    here = await open_bank()
    here.bank.sins += [Sin("status", operation="status", code=500), Sin("rst", operation="reports")]
    assert (await here.client.pay(single("R1"))).status == 200
    assert (await status(here, "R1")).status == 500
    assert (await here.client.ask("GET", "/v1/reports")).reset is not None


async def test_unreadable_messages(open_bank: Opener) -> None:
    """No XML: 400 in plain text. XML with a MsgId but no usable transfer: 400 with pain.002 RJCT FF01."""
    here = await open_bank()
    for body in (b"<Document>", b"", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        answer = await here.client.pay(body)
        assert (answer.status, answer.headers[0]["content-type"]) == (400, "text/plain; charset=utf-8")
    answer = await here.client.pay(message("EMPTY", []))
    assert (answer.status, group_status(answer.body)) == (400, "RJCT")
    assert b"<Cd>FF01</Cd>" in answer.body
    assert here.bank.ledger.received_by_reference() == {}


async def test_unknown_paths(open_bank: Opener) -> None:
    """Other paths and methods are 404."""
    here = await open_bank()
    assert (await here.client.ask("GET", "/v1/payments")).status == 404
    assert (await here.client.ask("GET", "/")).status == 404


async def test_a_body_beyond_the_bound(open_bank: Opener) -> None:
    """A request body above its bound is reset with ENHANCE_YOUR_CALM and the connection lives on."""
    here = await open_bank()
    stream = here.client.streams[await here.client.send("POST", "/v1/payments", b"x" * (BODY_BYTES_MAX + 1))]
    with trio.fail_after(20):
        while not stream.over:
            await here.client.read()
    assert stream.reset == 0xB
    assert (await here.client.pay(single("R1"))).status == 200


async def test_a_client_that_says_goodbye_is_still_answered(open_bank: Opener) -> None:
    """The client's GOAWAY does not keep the bank from finishing what it has received."""
    here = await open_bank(reply_delay_s=0.1)
    stream_id = await here.client.send("POST", "/v1/payments", single("R1"))
    await here.client.say_goodbye()
    assert (await here.client.answer(stream_id)).status == 200


async def test_a_stalled_stream_stalls_only_itself(open_bank: Opener) -> None:
    """An answer that waits for the client's window leaves the others alone, and goes on when it opens."""
    here = await open_bank()
    for number in range(150):
        await here.client.pay(single(f"R{number}"))
    here.client.reads_on = False
    stalled = await here.client.send("GET", "/v1/reports?limit=500")
    while len(here.client.streams[stalled].body) < 65_535:
        await here.client.read()
    assert (await status(here, "R1")).status == 200
    assert not here.client.streams[stalled].over
    await here.client.widen(stalled, 1 << 20)
    assert (await here.client.answer(stalled)).body.endswith(b"</reports>")


async def test_no_more_exchanges_than_the_bound(open_bank: Opener) -> None:
    """With all exchanges taken by silent ones the next request is told 503, and nothing of it is booked."""
    here = await open_bank(exchanges_max=2)
    here.bank.sins.append(Sin("silent", times=2))
    for number in range(2):
        await here.client.send("POST", "/v1/payments", single(f"R{number}"))
    assert (await here.client.pay(single("R2"))).status == 503
    assert here.bank.ledger.received_by_reference().keys() <= {"R0", "R1"}


async def test_no_more_connections_than_the_bound(open_bank: Opener) -> None:
    """A connection above the bound is ended before its handshake; one that ends makes room."""
    here = await open_bank(connections_max=1)
    with pytest.raises(trio.BrokenResourceError):
        async with connect(here.ports.port, here.papers):
            pass
    await trio.aclose_forcefully(here.client.tls)
    with trio.fail_after(5):
        while not await connects(here):
            pass


async def connects(here: Open) -> bool:
    try:
        async with connect(here.ports.port, here.papers) as client:
            return (await client.ask("GET", "/v1/reports")).status == 200
    except trio.BrokenResourceError:
        return False
