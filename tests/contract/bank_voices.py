"""How the bank behind each protocol talks, so that one contract can be put to every adapter.

A new adapter joins the contract by a Voice here; the contract fails for a protocol that has none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.core.outcome import Word
from gateway.core.ports import Submission, WireAnswer
from tests.fakes.bank_reports import Batch, document, mailbox, tx

Words = Mapping[str, Word]
"""Wire reference → what the bank says of that payment. Who is not in it is not mentioned."""


@dataclass(frozen=True)
class Voice:
    """A bank that speaks one protocol, with one profile's settings."""

    protocol: str
    settings: Mapping[str, object]
    says: Callable[[Submission, Words], WireAnswer]
    """The bank's answer, to a submission or an inquiry, about payments of this message."""
    says_of_all: Callable[[Submission, Word], WireAnswer]
    """The same, in one word for the whole message; with no word about any payment in particular."""
    not_found: WireAnswer
    collected: Callable[[Submission, Words, str], WireAnswer] | None = None
    """A mailbox with that report in it and that cursor to go on from."""


_CODES = {Word.TAKEN: "ACSP", Word.SETTLED: "ACSC", Word.REJECTED: "RJCT"}


def _iso_report(told: Submission, words: Words) -> bytes:
    lines = [tx(one, _CODES[words[one.wire_reference]]) for one in told.payments if one.wire_reference in words]
    return document(told.message_reference, Batch("PMT", "PART", lines), group="PART")


def _iso(name: str, **settings: object) -> tuple[str, Voice]:
    return name, Voice(
        protocol="iso20022",
        settings={
            "initiating_party_name": "Example Debtor GmbH",
            "debtor_agent_bic": "COBADEFFXXX",
            "bulk_lines_max": 50,
            "duplicate_key": "MsgId",
            "duplicate_window_s": 90 * 86_400,
            **settings,
        },
        says=lambda told, words: WireAnswer(200, body=_iso_report(told, words)),
        says_of_all=lambda told, word: WireAnswer(200, body=document(told.message_reference, group=_CODES[word])),
        not_found=WireAnswer(404),
        collected=lambda told, words, cursor: WireAnswer(200, body=mailbox(cursor, _iso_report(told, words))),
    )


VOICES: dict[str, Voice] = dict(
    [
        _iso("iso20022 001.09"),
        _iso("iso20022 001.03", pain001_version="001.03"),
        _iso("iso20022 sepa", dialect="sepa"),
        _iso("iso20022 swiss", dialect="swiss", debtor_agent_bic="POFICHBEXXX"),
        _iso("iso20022 swiss 001.03", dialect="swiss", pain001_version="001.03", debtor_agent_bic="POFICHBEXXX"),
    ]
)
