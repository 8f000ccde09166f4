"""The kinds of pain.001: what differs between versions and national dialects, as data."""

import re
from dataclasses import dataclass

from adapters.iso20022.config import Iso20022Config

_ISO = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.{}"
_SWISS_03 = "http://www.six-interbank-clearing.com/de/pain.001.001.03.ch.02.xsd"
_BIC_2009 = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?")
_BIC_2014 = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
# Ids in SEPA (EPC217-08) and Switzerland: the SWIFT character set, no slash at either end, no two together.
_REFERENCE = re.compile(r"(?!/)(?!.*//)[A-Za-z0-9+?/\-:().,' ]*(?<!/)")
_SWISS_TEXT_03 = re.compile(  # Swiss Implementation Guidelines 1, "Swiss Character Set"
    r"[a-zA-Z0-9.,;:'+\-/()?*\[\]{}\\`´~ !\"#%&<>÷=@_$£àáâäçèéêëìíîïñòóôöùúûüýßÀÁÂÄÇÈÉÊËÌÍÎÏÒÓÔÖÙÚÛÜÑ]*"
)
_SWISS_TEXT_09 = re.compile("[\x20-\x7e\xa0-\xac\xae-\u017f€ȘșȚț]*")  # SPS 2021: Latin without the C categories


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of pain.001: what differs between versions and dialects."""

    namespace: str
    bic_tag: str
    bic: re.Pattern[str]
    date_is_choice: bool
    """ReqdExctnDt holds a Dt (DateAndDateTime2Choice) instead of the date."""
    uetr: bool
    name_chars_max: int
    reference: re.Pattern[str] | None
    """Allowed characters of MsgId, PmtInfId, InstrId, EndToEndId; None: any."""
    text: re.Pattern[str] | None
    """Allowed characters of every other text; None: any that XML can say."""


def form_of(config: Iso20022Config) -> Form:
    """The kind of pain.001 that a bank with this configuration takes."""
    newer = config.pain001_version == "001.09"
    swiss = config.dialect == "swiss"
    text = (_SWISS_TEXT_09 if newer else _SWISS_TEXT_03) if swiss else None
    return Form(
        namespace=_ISO.format(config.pain001_version[-2:]) if newer or not swiss else _SWISS_03,
        bic_tag="BICFI" if newer else "BIC",
        bic=_BIC_2014 if newer else _BIC_2009,
        date_is_choice=newer,
        # The EPC's customer-to-bank guidelines do not list a UETR; elsewhere it follows the payment across banks.
        uetr=newer and config.dialect != "sepa",
        name_chars_max=140 if config.dialect == "generic" else 70,
        reference=None if config.dialect == "generic" else _REFERENCE,
        text=text,
    )
