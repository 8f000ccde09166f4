"""Every decoder of ours that reads what others wrote: it understands, or says in its own words that it does not."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.iso20022.mailbox import read_mailbox
from adapters.iso20022.reader import parse, read_reports
from causeway.v1 import payment_service_pb2 as service
from gateway.cli.complaint import Complaint
from gateway.cli.files import read_lines
from gateway.core.errors import Unreadable
from gateway.ingress import requests, tokens, translate
from gateway.ingress.errors import InvalidRequest
from gateway.store import envelope, evidence, log, records
from gateway.store.envelope import CorruptRecord
from tests.fakes.admissions import a_payment
from tests.ingress.messages import instruction

ID = bytes(16)
KEY = (1).to_bytes(8, "big")
UNSEALERS: dict[str, Callable[[bytes], object]] = {
    "payment": lambda stored: records.unseal_payment("payment2record", ID, stored),
    "fact": lambda stored: log.unseal_fact("seq2fact", KEY, stored),
    "head": lambda stored: log.unseal_head("meta", KEY, stored),
    "evidence": lambda stored: evidence.unseal_evidence("evidence", KEY, stored),
    "plain": lambda stored: envelope.unseal("meta", KEY, stored),
}
BODY = envelope.unseal("payment2record", (payment := a_payment()).id, records.seal_payment(payment))


@pytest.mark.parametrize("kind", UNSEALERS)
@settings(deadline=None)
@given(st.data())
def test_records_are_whole_or_corrupt(kind: str, data: st.DataObject) -> None:
    """Random bytes, and bytes that are sealed as they should be and still make no sense, raise CorruptRecord only."""
    unseal_any(kind, data)


@settings(deadline=None)
@given(st.sampled_from(sorted(UNSEALERS)), st.data())
def test_any_record(kind: str, data: st.DataObject) -> None:
    """The same with the kind drawn too, for the fuzzer."""
    unseal_any(kind, data)


def unseal_any(kind: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(BODY)))
    body = data.draw(st.binary(max_size=120)) or BODY[:at] + data.draw(st.binary(max_size=12)) + BODY[at + 3 :]
    key = ID if kind == "payment" else KEY
    try:
        UNSEALERS[kind](envelope.seal(key, body) if data.draw(st.booleans()) else body)
    except CorruptRecord:
        pass


@settings(deadline=None)
@given(st.text(max_size=160) | st.binary(max_size=60).map(lambda raw: tokens.seal(tokens.Kind.PAGE, raw)))
def test_tokens_and_positions(text: str) -> None:
    """A page token or a position is one of ours, or the request is invalid; nothing else."""
    for kind in tokens.Kind:
        tokens.unseal(kind, text)
    for ask in (
        lambda: requests.page_asked(service.ListPaymentsRequest(page_token=text), "tenant"),
        lambda: requests.WatchAsked(service.WatchPaymentsRequest(position=text, payment_ids=[text]), 10),
        lambda: requests.payment_id(text),
    ):
        try:
            ask()
        except InvalidRequest:
            pass


@settings(deadline=None)
@given(st.data())
def test_requests_on_the_wire(data: st.DataObject) -> None:
    """Any bytes that protobuf takes for an instruction can be translated; what is wrong with it, intake says."""
    whole = service.SubmitPaymentRequest(instruction=instruction()).SerializeToString()
    at = data.draw(st.integers(0, len(whole)))
    raw = whole[:at] + data.draw(st.binary(max_size=30)) + whole[at + data.draw(st.integers(0, 10)) :]
    try:
        request = service.SubmitPaymentRequest.FromString(raw)
    except DecodeError:
        return
    translate.draft(request.instruction)


LINE = b'{"key": "k", "amount": "1.00", "currency": "EUR", "creditor_iban": "FR1420041010050500013M02606"}'
SEEDS = {
    ".csv": b"key,amount,currency,debtor_iban,creditor_name,creditor_iban\nk,1.00,EUR,DE89370400440532013000,x,y\n",
    ".json": b"[" + LINE + b"," + LINE + b"]",
    ".jsonl": LINE + b"\n" + LINE + b"\n",
}


@settings(deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.data())
def test_files_of_instructions(suffix: str, data: st.DataObject) -> None:
    """A damaged file is a Complaint, a damaged line has problems; neither is a crash."""
    seed = SEEDS[suffix]
    at = data.draw(st.integers(0, len(seed)))
    content = seed[:at] + data.draw(st.binary(max_size=30)) + seed[at + data.draw(st.integers(0, 10)) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file" + suffix)
        path.write_bytes(content)
        try:
            for line in read_lines(str(path)):
                assert line.number >= 1
        except Complaint:
            pass


XML = b"<Document><CstmrPmtStsRpt><GrpHdr><MsgId>1</MsgId></GrpHdr></CstmrPmtStsRpt></Document>"


@settings(deadline=None)
@given(st.data())
def test_reports_of_banks(data: st.DataObject) -> None:
    """Damaged reports are Unreadable, as tests/adapters claims at greater length."""
    at = data.draw(st.integers(0, len(XML)))
    body = XML[:at] + data.draw(st.binary(max_size=40)) + XML[at + data.draw(st.integers(0, 20)) :]
    for read in (lambda: read_reports(parse(body)), lambda: read_mailbox(body)):
        try:
            read()
        except Unreadable:
            pass
