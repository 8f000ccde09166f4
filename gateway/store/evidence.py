"""Evidence: the bytes that a fact rests on, deflated where that makes them smaller.

A bank's answer is mostly the same words in every document. Given to zlib as a dictionary, they cost a few bits each,
and what is left is what the answer says. The SHA-256 by which evidence is known is that of the bytes themselves, so a
dictionary is part of the format: one that was ever used stays here, under its number, as it is.

Inflating is bounded: whatever is stored, no more than limits.EVIDENCE_BYTES_MAX comes out.
"""

import zlib
from typing import Final

from causeway.store.v1 import record_pb2 as pb
from gateway import limits
from gateway.store.envelope import decoded, seal, unseal

EVIDENCE_KEY_BYTES: Final = 16
"""Of the SHA-256 by which evidence is found: enough that nobody makes two answers for one place, and the fact has the
whole of it, against which the verifier holds what is found."""

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
_LEVEL: Final = 6

assert all(len(words) < 1 << -_WINDOW for words in DICTIONARIES.values())


def bounded_evidence(evidence: bytes) -> bytes:
    """The part of a bank's answer that is kept: at most limits.EVIDENCE_BYTES_MAX, its beginning."""
    return evidence[: limits.EVIDENCE_BYTES_MAX]


def evidence_key(sha256: bytes) -> bytes:
    return sha256[:EVIDENCE_KEY_BYTES]


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


def _deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(
        _LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, DICTIONARIES[DICTIONARY]
    )
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
