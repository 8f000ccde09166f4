"""Every pain.002 that banks and communities published is read, compared with an independent count."""

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.iso20022.codes import GROUP_STATUS, TRANSACTION_STATUS
from adapters.iso20022.mailbox import read_mailbox
from adapters.iso20022.messages import StatusReport
from adapters.iso20022.reader import parse, read_reports
from gateway.core.outcome import Word
from tests.adapters.shared_data import needed, samples

SAMPLES = samples()
SAMPLES_MIN = 17  # files with a pain.002 in the data of this issue


def said(path: Path) -> list[StatusReport]:
    return list(read_reports(parse(path.read_bytes())))


def raw(path: Path, name: str) -> list[str]:
    """The texts of all elements of that name, by another way than the reader's."""
    found: Any = etree.parse(str(path)).xpath(f"//*[local-name()='{name}']/text()")
    return [text.strip() for text in found]


def test_there_are_samples() -> None:
    """Missing data is a skip, never a pass."""
    needed("samples")
    assert len(SAMPLES) >= SAMPLES_MIN


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_read_whole(path: Path) -> None:
    """Every transaction, id and status of the file is in what we read, at its level, and nothing else is."""
    reports = said(path)
    batches = [batch for report in reports for batch in report.batches]
    transactions = [one for batch in batches for one in batch.transactions]
    count = etree.parse(str(path)).xpath("count(//*[local-name()='TxInfAndSts'])")
    assert len(transactions) == count
    assert [report.message_id for report in reports] == raw(path, "OrgnlMsgId")
    assert [report.status.code for report in reports if report.status.code] == raw(path, "GrpSts")
    assert [batch.status.code for batch in batches if batch.status.code] == raw(path, "PmtInfSts")
    assert [one.status.code for one in transactions if one.status.code] == raw(path, "TxSts")
    assert [one.instruction_id for one in transactions if one.instruction_id] == raw(path, "OrgnlInstrId")
    assert [one.end_to_end_id for one in transactions if one.end_to_end_id] == raw(path, "OrgnlEndToEndId")
    reasons = [*(report.status for report in reports), *(batch.status for batch in batches)]
    reasons += [one.status for one in transactions]
    found = sorted(reason for status in reasons for reason in status.reasons)
    expected: Any = etree.parse(str(path)).xpath("//*[local-name()='Rsn']/*/text()")
    assert found == sorted(expected)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_status_of_a_sample_is_known(path: Path) -> None:
    """Real banks send nothing that our tables do not know."""
    for report in said(path):
        assert report.status.code in {"", *GROUP_STATUS}
        for batch in report.batches:
            assert batch.status.code in {"", *GROUP_STATUS}
            assert all(one.status.code in {"", *TRANSACTION_STATUS} for one in batch.transactions)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_in_a_mailbox_speaks_of_its_transactions_only(path: Path) -> None:
    """A report about another system's message gives words for the InstrIds it names, and stops nothing."""
    document = etree.tostring(etree.parse(str(path)).getroot())
    read = read_mailbox(b'<reports next="7">' + document + b"</reports>")
    rejected = [one.instruction_id for report in said(path) for batch in report.batches for one in batch.transactions]
    assert [outcome.wire_reference for outcome in read.outcomes] == [one for one in rejected if one]
    assert {outcome.word for outcome in read.outcomes} <= {Word.REJECTED}
    assert read.cursor == "7"
    assert read.unreadable == ()
