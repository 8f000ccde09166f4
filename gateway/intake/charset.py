"""The characters that payment texts may hold.

SEPA: EPC217-08, "SEPA Requirements for an Extended Character Set": the basic Latin set that every SEPA bank takes
unchanged, the same as SWIFT's character set X. References may moreover not begin or end with a slash, nor contain
two in a row.

LATIN: what names and addresses may hold. Printable Latin-1 and Latin Extended-A, four Romanian letters and the euro
sign, as the Swiss Payment Standards (customer credit transfer, "character set") allow. An adapter whose bank takes
less transliterates, or says that the payment cannot be said in this bank's words.
"""

import re
from typing import Final

_SEPA: Final = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]*")
_LATIN: Final = re.compile("[\\u0020-\\u007e\\u00a0-\\u00ac\\u00ae-\\u017f\\u0218-\\u021b\\u20ac]*")  # no soft hyphen
_PRINTABLE_ASCII: Final = re.compile(r"[\x20-\x7e]*")

SEPA_TEXT: Final = "letters A-Z and a-z, digits, blanks and / - ? : ( ) . , ' +"
"""The SEPA set in words, for error messages."""
LATIN_TEXT: Final = "Latin letters (Latin-1, Latin Extended-A), digits, blanks and printable punctuation"


def is_sepa(text: str) -> bool:
    """Whether every character is in the SEPA set. True for the empty text."""
    return _SEPA.fullmatch(text) is not None


def is_latin(text: str) -> bool:
    """Whether every character may stand in a name or an address. True for the empty text."""
    return _LATIN.fullmatch(text) is not None


def is_printable_ascii(text: str) -> bool:
    """Whether every character is in 0x20-0x7E. True for the empty text."""
    return _PRINTABLE_ASCII.fullmatch(text) is not None


def is_sepa_reference(text: str) -> bool:
    """EPC217-08 on references: the SEPA set, no slash at either end, no two in a row."""
    return is_sepa(text) and "//" not in text and not text.startswith("/") and not text.endswith("/")
