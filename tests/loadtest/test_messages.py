"""The bank's reader takes every real pain.001; its writer makes only valid pain.002."""

import itertools
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from loadtest.bank import pain001, pain002
from loadtest.bank.pain002 import Status, TransferStatus
from tests.loadtest.messages import CREDITOR, DEBTOR, message, transfer


def schema(data: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(data / "iso20022" / "xsd" / "pain.002.001.10.xsd"))


def samples(data: Path) -> list[Path]:
    folders = [data / "samples" / "pain001-coverage", data / "samples" / "pain001-market"]
    return sorted(path for folder in folders for path in folder.glob("**/*.xml"))


def test_real_messages_are_read(data: Path) -> None:
    """Every sample pain.001 is read with one wire reference for each of its transfers."""
    read = 0
    for path in samples(data):
        body = path.read_bytes()
        if b"CstmrCdtTrfInitn" not in body:
            continue
        count = len(etree.fromstring(body).findall(".//{*}CdtTrfTxInf"))
        initiation = pain001.read(body)
        assert len(initiation.transfers) == count, path.name
        assert all(each.reference and each.currency for each in initiation.transfers), path.name
        read += 1
    assert read > 10


def test_fields() -> None:
    """The wire reference is InstrId, else EndToEndId; accounts, amount and message name are read."""
    body = message("M", [transfer("E1", "I1", amount="1.50")], [transfer("E2")])
    initiation = pain001.read(body)
    first, second = initiation.transfers
    assert (initiation.message_id, initiation.name) == ("M", "pain.001.001.09")
    assert (first.reference, first.end_to_end_id, second.reference) == ("I1", "E1", "E2")
    assert (first.amount, first.currency) == (Decimal("1.50"), "EUR")
    assert (first.debtor, first.creditor) == (DEBTOR, CREDITOR)
    assert (first.payment_information_id, second.payment_information_id) == ("M-1", "M-2")


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("urn:iso:std:iso:20022:tech:xsd:pain.001.001.03", "pain.001.001.03"),
        ("http://www.example.com/de/pain.001.001.03.ch.02.xsd", "pain.001.001.03"),
    ],
)
def test_versions_and_prefixes(namespace: str, name: str) -> None:
    """Any version and any namespace prefix reads the same."""
    plain = message("M", [transfer("E1")], namespace=namespace)
    assert pain001.read(plain).name == name
    tree = etree.fromstring(plain)
    prefixed = plain.decode().split("?>", 1)[1].replace("</", "</p:").replace("<", "<p:")
    prefixed = prefixed.replace("<p:/p:", "</p:").replace("xmlns=", "xmlns:p=")
    assert etree.fromstring(prefixed).tag == tree.tag
    assert pain001.read(prefixed.encode()) == pain001.read(plain)


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (b"", None),
        (b"no xml", None),
        (b"<Document/>", None),
        (message("M" * 36, [transfer("E")]), None),
        (message("M"), "M"),
        (message("M", [transfer("E" * 36)]), "M"),
        (message("M", [transfer("E", "I" * 36)]), "M"),
        (message("M", [transfer("E", amount="ten")]), "M"),
        (message("M", [transfer("E", amount="NaN")]), "M"),
    ],
)
def test_unreadable(body: bytes, message_id: str | None) -> None:
    """What cannot be read is refused with as much of its identity as there is."""
    with pytest.raises(pain001.Unreadable) as caught:
        pain001.read(body)
    assert caught.value.message_id == message_id


def test_entities_are_not_expanded() -> None:
    """A document type, and with it every entity trick, is refused."""
    with pytest.raises(pain001.Unreadable, match="document type"):
        pain001.read(b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]><d>&e;</d>')


def test_every_report_is_valid(data: Path) -> None:
    """Every mix of statuses over two groups, with characters that need escaping, validates."""
    valid = schema(data)
    every: tuple[Status, ...] = ("PDNG", "ACCP", "ACSC", "RJCT")
    mixes = itertools.product(every, repeat=3)
    for mix in mixes:
        transfers = [_status(number, status) for number, status in enumerate(mix)]
        valid.assertValid(etree.fromstring(pain002.report('M<&">', "pain.001.001.09", 1e9, transfers)))
    valid.assertValid(etree.fromstring(pain002.unreadable(None, 0)))


def _status(number: int, status: Status) -> TransferStatus:
    reason = "AC04" if status == "RJCT" else None
    uetr = "eb6305c9-1f7f-49de-aed0-16487c27b42d"
    instruction = f"I&{number}" if number else None
    return TransferStatus(f"P<{number % 2}", instruction, f"E>{number}", uetr, status, reason, f"bank-{number}")


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("ACCP ACCP", "ACCP"),
        ("ACSC ACSC", "ACSC"),
        ("RJCT RJCT", "RJCT"),
        ("ACCP RJCT", "PART"),
        ("ACCP ACSC", "ACCP"),
        ("PDNG ACCP", "PDNG"),
    ],
)
def test_group_status(mix: str, said: str) -> None:
    """All rejected: RJCT; some: PART; none: the least advanced."""
    statuses: dict[str, Status] = {"ACCP": "ACCP", "ACSC": "ACSC", "RJCT": "RJCT", "PDNG": "PDNG"}
    assert pain002.summary([_status(n, statuses[each]) for n, each in enumerate(mix.split())]) == said
