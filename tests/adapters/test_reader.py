"""Hostile and broken XML: always Unreadable, never a crash, never a file or a connection opened."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.iso20022.mailbox import read_mailbox
from adapters.iso20022.reader import DOCUMENT_BYTES_MAX, local_name, parse, read_reports
from gateway import limits
from gateway.core.errors import Unreadable
from tests.fakes.bank_reports import Batch, Tx, document, mailbox
from tests.fills import fills

GOOD = document("MSG-1", Batch("PMT-1", "PART", [Tx("RJCT", "INSTR-1", "E2E-1", "AC04")]))
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(f'<!ENTITY {b} "{f"&{a};" * 10}">'.encode() for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + b"]><Document><CstmrPmtStsRpt>&j;</CstmrPmtStsRpt></Document>"
)
HOSTILE = {
    "empty": b"",
    "blank": b"  \n",
    "no xml": b"HTTP/1.1 500 oops",
    "json": b'{"status": "ACSC"}',
    "web page": b"<html><body>Bad gateway</body></html>",
    "truncated": GOOD[:-1],
    "half": GOOD[: len(GOOD) // 2],
    "two roots": GOOD + GOOD,
    "nul": GOOD.replace(b"INSTR", b"IN\x00TR"),
    "bad utf-8": GOOD.replace(b"INSTR", b"IN\xff\xfeTR"),
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?>' + GOOD,
    "document type": b"<!DOCTYPE Document>" + GOOD,
    "document type in utf-16": ("<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE Document>" + GOOD.decode()).encode(
        "utf-16"
    ),
    "external document type": b'<!DOCTYPE Document SYSTEM "file:///etc/passwd">' + GOOD,
    "external entity": b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>',
    "parameter entity": b'<!DOCTYPE d [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]>' + GOOD,
    "billion laughs": LAUGHS,
    "undefined entity": GOOD.replace(b"INSTR-1", b"&who;"),
    "deep": b"<a>" * 100_000 + b"</a>" * 100_000,
    "other message": b"<Document><BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr></BkToCstmrStmt></Document>",
    "interbank status": GOOD.replace(b"CstmrPmtStsRpt", b"FIToFIPmtStsRpt"),
    "without a message": b"<Document><CstmrPmtStsRpt><GrpHdr/></CstmrPmtStsRpt></Document>",
    "too long": GOOD + b"\n" * DOCUMENT_BYTES_MAX,
}


def read(body: bytes) -> None:
    read_reports(parse(body))


LINES = b"<Document><CstmrPmtStsRpt><OrgnlGrpInfAndSts/><OrgnlPmtInfAndSts><OrgnlPmtInfId>P</OrgnlPmtInfId>%s"
LINES += b"</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
WRITINGS = {
    "plain": b"<TxInfAndSts><TxSts>A1</TxSts></TxInfAndSts><TxInfAndSts><TxSts>A2</TxSts></TxInfAndSts>",
    "apart": b"\n <TxInfAndSts>\n<TxSts>A1</TxSts></TxInfAndSts>\n <TxInfAndSts><TxSts>A2</TxSts>\n</TxInfAndSts>\n",
    "with a prefix": b'<p:TxInfAndSts xmlns:p="u:p"><p:TxSts>A1</p:TxSts></p:TxInfAndSts><TxInfAndSts>A2</TxInfAndSts>',
    "with an attribute": b'<TxInfAndSts>A1</TxInfAndSts><TxInfAndSts a="b"><TxSts>A2</TxSts></TxInfAndSts>',
    "one in the other": b"<TxInfAndSts><TxInfAndSts>A1</TxInfAndSts></TxInfAndSts><TxInfAndSts>A2</TxInfAndSts>",
    "empty": b"<TxInfAndSts/><TxInfAndSts>A2</TxInfAndSts>",
    "a tag in a text": b"<TxInfAndSts>A1 &lt;/TxInfAndSts></TxInfAndSts><TxInfAndSts><TxSts>A2</TxSts></TxInfAndSts>",
}


@pytest.mark.parametrize("written", WRITINGS.values(), ids=WRITINGS.keys())
def test_each_line_is_kept_as_it_stood(written: bytes) -> None:
    """However a bank writes its lines, the excerpt of each is that line, whole, and nothing of another."""
    [report] = read_reports(parse(LINES % written))
    [block] = report.batches
    excerpts = [one.excerpt for one in block.transactions]
    assert [b"A1" in excerpts[0] or b"A1" not in written, b"A2" in excerpts[0]] == [True, False]
    assert [b"A1" in excerpts[1], b"A2" in excerpts[1]] == [False, True]
    for excerpt in excerpts:
        assert local_name(parse(excerpt)) == "TxInfAndSts"
    assert b"<OrgnlPmtInfId>P</OrgnlPmtInfId>" in block.excerpt
    assert b"TxInfAndSts" not in block.excerpt


def test_the_good_one_is_read() -> None:
    """What the others are made of is a document that can be read."""
    [report] = read_reports(parse(GOOD))
    assert report.batches[0].transactions[0].status.code == "RJCT"


@fills("DOCUMENT_BYTES_MAX")
def test_an_answer_of_the_greatest_size_is_read() -> None:
    """The adapter's bound is the house's, and what fits is not refused."""
    assert DOCUMENT_BYTES_MAX == limits.ANSWER_BYTES_MAX
    read(GOOD + b"\n" * (DOCUMENT_BYTES_MAX - len(GOOD)))


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_xml_is_unreadable(what: str) -> None:
    """It costs less than a second, and the error shows nothing of what was in it."""
    started = time.perf_counter()
    with pytest.raises(Unreadable) as refused:
        read(HOSTILE[what])
    with pytest.raises(Unreadable):
        read_mailbox(HOSTILE[what])
    assert time.perf_counter() - started < 1.0
    assert "INSTR" not in str(refused.value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    """Whatever a bank sends, reading it either works or is Unreadable."""
    for reader in (read, read_mailbox):
        try:
            reader(body)
        except Unreadable:
            pass


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_to_a_report_breaks_the_reader(data: st.DataObject) -> None:
    """Cut, flipped and doubled bytes inside real reports: the same."""
    whole = mailbox("9", GOOD, GOOD)
    at, count = data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, 40))
    body = whole[:at] + data.draw(st.binary(max_size=20)) + whole[at + count :]
    for reader in (read, read_mailbox):
        try:
            reader(body)
        except Unreadable:
            pass


@pytest.mark.parametrize("version", [f"{number:02}" for number in range(3, 16)])
@pytest.mark.parametrize("prefix", ["", "ns0"])
def test_any_version_and_prefix_is_read(version: str, prefix: str) -> None:
    """A bank may change its version without telling us."""
    space = f"urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}"
    body = document("MSG-1", Batch("P", "", [Tx("ACSP", "I", "E")]), namespace=space, prefix=prefix)
    [report] = read_reports(parse(body))
    assert report.batches[0].transactions[0].instruction_id == "I"


def test_envelopes_and_several_documents_are_read() -> None:
    """AppHdr beside the document, two documents in one envelope, comments and blanks: all the same to us."""
    header = b'<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"><BizMsgIdr>1</BizMsgIdr></AppHdr>'
    spaced = GOOD.replace(b"<OrgnlMsgId>MSG-1<", b"<!-- x --><OrgnlMsgId> MSG-<!-- y -->1\n <")
    body = b"<Envelope>" + header + spaced + document("MSG-2", group="ACCP") + b"</Envelope>"
    assert [report.message_id for report in read_reports(parse(body))] == ["MSG-1", "MSG-2"]
