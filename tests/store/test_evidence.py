"""Evidence comes back byte for byte, smaller where that is possible, and never as more than its bound."""

import hashlib
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.store.v1 import record_pb2 as pb
from gateway import limits
from gateway.store import evidence, layout
from gateway.store.envelope import CorruptRecord, seal
from gateway.store.store import LmdbStore
from tests.fakes.clock import FakeClock
from tests.store.damage import damaging

KEY = b"k" * evidence.EVIDENCE_KEY_BYTES
REPORT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">'
    b"<CstmrPmtStsRpt><GrpHdr><MsgId>9562fa315e98402d81c68e37215686d6</MsgId><CreDtTm>2026-11-24T15:05:13Z</CreDtTm>"
    b"</GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>CW92729D6455D90857E6324A33B620</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09"
    b"</OrgnlMsgNmId><GrpSts>ACCP</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>"
)


def back(stored: bytes) -> tuple[bytes, int]:
    return evidence.unseal_evidence("evidence", KEY, stored)


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -12, zdict=evidence.DICTIONARIES[evidence.DICTIONARY])
    return packer.compress(body) + packer.flush()


def test_a_status_report_takes_a_quarter() -> None:
    """The words that every pain.002 has cost next to nothing; what this one says is there to the byte."""
    stored = evidence.seal_evidence(KEY, REPORT, len(REPORT))
    assert len(stored) < len(REPORT) / 4
    assert back(stored) == (REPORT, len(REPORT))


@pytest.mark.parametrize("size", [0, 1, limits.EVIDENCE_BYTES_MAX - 1, limits.EVIDENCE_BYTES_MAX])
def test_every_length_comes_back(size: int) -> None:
    """From nothing to the bound, and a cut answer says how long it was."""
    body = (b"<Document>" * (size // 10 + 1))[:size]
    assert back(evidence.seal_evidence(KEY, body, size)) == (body, size)
    assert back(evidence.seal_evidence(KEY, body, size + 7)) == (body, size + 7)


@given(st.binary(max_size=400))
def test_what_does_not_get_smaller_is_kept_as_it_is(body: bytes) -> None:
    """Whatever a bank says, it costs at most a few bytes more than it has."""
    stored = evidence.seal_evidence(KEY, body, len(body))
    assert back(stored) == (body, len(body))
    assert len(stored) <= len(body) + 8


DAMAGED = {
    "one byte more than the bound": pb.Evidence(deflated=deflated(bytes(limits.EVIDENCE_BYTES_MAX + 1)), dictionary=1),
    "a bomb": pb.Evidence(deflated=deflated(bytes(64 << 20)), dictionary=1),
    "an end that is missing": pb.Evidence(deflated=deflated(REPORT)[:-3], dictionary=1),
    "an end with more behind it": pb.Evidence(deflated=deflated(REPORT) + b"x", dictionary=1),
    "no deflated bytes": pb.Evidence(deflated=b"\xff\xff", dictionary=1),
    "a dictionary of a later version": pb.Evidence(deflated=deflated(REPORT), dictionary=99),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_nothing_else_is_inflated(what: str) -> None:
    """Sealed as it should be and still no evidence: corrupt, and no more than the bound is ever made of it."""
    with pytest.raises(CorruptRecord, match="cannot be read"):
        back(seal(KEY, DAMAGED[what].SerializeToString()))


async def test_what_is_said_again_is_kept_beside_a_damaged_one(tmp_path: Path) -> None:
    """Evidence on a torn page is written again with the next fact that rests on it, once, and is then read."""
    sha256 = hashlib.sha256(REPORT).digest()
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        await store.set_cursor("northbank", "1", [REPORT])
    with damaging(tmp_path) as damage:
        ((key, _),) = damage.items(layout.EVIDENCE)
        damage.flip(layout.EVIDENCE, key)
    async with LmdbStore(tmp_path, clock=FakeClock()) as store:
        with pytest.raises(CorruptRecord, match="checksum"):
            await store.evidence(sha256)
        for cursor in ("2", "3"):
            await store.set_cursor("northbank", cursor, [REPORT])
        found = await store.evidence(sha256)
    assert found is not None
    assert found.body == REPORT
    with damaging(tmp_path) as damage:
        assert len(damage.items(layout.EVIDENCE)) == 2


def test_a_dictionary_is_never_changed() -> None:
    """What was written with it could not be read again."""
    assert {number: zlib.crc32(words) for number, words in evidence.DICTIONARIES.items()} == {1: 2826378162}
