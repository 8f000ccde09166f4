"""Evidence: the bytes that a fact rests on, deflated where that makes them smaller.

A bank's answer is mostly the same words in every document. Given to zlib as a dictionary, they cost a few bits each,
and what is left is what the answer says. The SHA-256 by which evidence is known is that of the bytes themselves, so a
dictionary is part of the format: one that was ever used stays here, under its number, as it is.

Inflating is bounded: whatever is stored, no more than limits.EVIDENCE_BYTES_MAX comes out.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable
from typing import Final

from causeway.store.v1 import record_pb2 as pb
from gateway import limits
from gateway.core.ports import Evidence
from gateway.store import layout
from gateway.store.envelope import CorruptRecord, decoded, seal, unseal

EVIDENCE_KEY_BYTES: Final = 6
"""Of the number of each."""
SHA_BYTES: Final = 6
"""Of the SHA-256 by which evidence is found. Two that begin alike both have their place: the number is in the key, and
whoever looks holds what is found against the whole hash."""

_STATUS: Final = (
    b"<StsRsnInf><Rsn><Cd>AM04</Cd><Prtry></Prtry></Rsn><AddtlInf></AddtlInf></StsRsnInf>RJCT PDNG RCVD ACTC ACSC ACSP "
    b"ACCC HTTP 404 HTTP 400 HTTP 503 <ns2:Document xmlns:ns2=<StsId></StsId><OrgnlNbOfTxs>1</OrgnlNbOfTxs>"
    b"<OrgnlCtrlSum></OrgnlCtrlSum><InitgPty><Nm></Nm></InitgPty><OrgnlUETR></OrgnlUETR><OrgnlTxRef><Amt><InstdAmt "
    b'Ccy="EUR"></InstdAmt></Amt></OrgnlTxRef><AccptncDtTm></AccptncDtTm>pain.002.001.03pain.001.001.03'
)
_REPORT: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">'
    b"<CstmrPmtStsRpt><GrpHdr><MsgId></MsgId><CreDtTm>2026-01-01T00:00:00Z</CreDtTm></GrpHdr><OrgnlGrpInfAndSts>"
    b"<OrgnlMsgId>CW</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId><GrpSts>ACCP</GrpSts></OrgnlGrpInfAndSts>"
    b"<OrgnlPmtInfAndSts><OrgnlPmtInfId>CW</OrgnlPmtInfId><PmtInfSts>ACCP</PmtInfSts><TxInfAndSts><OrgnlInstrId>CW"
    b"</OrgnlInstrId><OrgnlEndToEndId></OrgnlEndToEndId><TxSts>ACCP</TxSts><AcctSvcrRef></AcctSvcrRef></TxInfAndSts>"
    b"</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
)
"""The words of a pain.002, the most usual last: zlib reaches those for the fewest bits."""

DICTIONARIES: Final = {1: _STATUS + _REPORT}
DICTIONARY: Final = 1
_WINDOW: Final = -12
"""Raw deflate with a window of 4 KiB: the whole dictionary and the answer before it, and little to set up each time."""
_MEMORY: Final = 5
_LEVEL: Final = 3  # what 6 makes of a report is no shorter, and takes a fifth longer

assert all(len(words) < 1 << -_WINDOW for words in DICTIONARIES.values())


def bounded_evidence(evidence: bytes) -> bytes:
    """The part of a bank's answer that is kept: at most limits.EVIDENCE_BYTES_MAX, its beginning."""
    return evidence[: limits.EVIDENCE_BYTES_MAX]


def evidence_key(number: int) -> bytes:
    return number.to_bytes(EVIDENCE_KEY_BYTES, "big")


def sha_prefix(sha256: bytes) -> bytes:
    """What the keys of sha2evidence begin with; the key of the evidence is the rest."""
    return sha256[:SHA_BYTES]


def seal_evidence(key: bytes, body: bytes, original_bytes: int) -> bytes:
    """`body` is bounded_evidence; `original_bytes` what it was cut from."""
    m = pb.Evidence(original_bytes=original_bytes if original_bytes != len(body) else 0)
    deflated = _deflated(body)
    if len(deflated) < len(body):
        m.deflated, m.dictionary = deflated, DICTIONARY
    else:
        m.body = body
    return seal(key, m.SerializeToString())


def unseal_evidence(mapping: str, key: bytes, stored: bytes) -> tuple[bytes, int]:
    """(the kept bytes, the length of the whole answer: larger where it was cut). Raises CorruptRecord."""

    def read(body: bytes) -> tuple[bytes, int]:
        m = pb.Evidence.FromString(body)
        kept = _inflated(m.deflated, DICTIONARIES[m.dictionary]) if m.dictionary else m.body
        return kept, m.original_bytes or len(kept)

    return decoded(mapping, key, read, unseal(mapping, key, stored))


def evidence_at(places: Iterable[bytes], sha256: bytes, get: Callable[[bytes], bytes | None]) -> Evidence | None:
    """The evidence with this hash among those in the places, hardly ever more than one, that sha2evidence names. Raises
    CorruptRecord, also where there are places and it is in none. One that is damaged hides no other: what a bank says
    again is kept again."""
    corrupt: CorruptRecord | None = None
    for place in places:
        stored = get(place)
        try:
            found = None if stored is None else Evidence(*unseal_evidence(layout.EVIDENCE, place, stored))
        except CorruptRecord as error:
            corrupt = error
            continue
        if found is not None and hashlib.sha256(found.body).digest() == sha256:
            return found
        corrupt = corrupt or CorruptRecord(layout.EVIDENCE, place, "is not what its fact rests on")
    if corrupt is not None:
        raise corrupt
    return None


_PACKER: Final = zlib.compressobj(
    _LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[DICTIONARY]
)
"""Never used itself: a copy of it knows the dictionary already."""


def _deflated(body: bytes) -> bytes:
    packer = _PACKER.copy()
    return packer.compress(body) + packer.flush()


def _inflated(deflated: bytes, dictionary: bytes) -> bytes:
    """Raises ValueError unless it is whole and within the bound."""
    unpacker = zlib.decompressobj(_WINDOW, dictionary)
    try:
        body = unpacker.decompress(deflated, limits.EVIDENCE_BYTES_MAX)
        # A whole one of exactly the bound's length needs another look to see its end; it gives no byte more.
        beyond = unpacker.decompress(unpacker.unconsumed_tail, 1) if not unpacker.eof else b""
    except zlib.error as error:
        raise ValueError("not deflated") from error
    if beyond or not unpacker.eof or unpacker.unused_data:
        raise ValueError("not deflated as a whole")
    return body
