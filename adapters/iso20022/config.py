"""The `[protocol_settings]` table of a bank profile that speaks ISO 20022, checked."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from gateway.core.payment import Address

VERSIONS: Final = ("001.09", "001.03")
DIALECTS: Final = ("generic", "sepa", "swiss")
LINES_MAX: Final = 10_000  # lines of one pain.001; equals limits.BULK_LINES_MAX, which adapters may not import
VISIBILITY_S_MAX: Final = 30 * 86_400.0  # a bank that needs a month to see a payment has no inquiry
DUPLICATE_WINDOW_S_MAX: Final = 100 * 366 * 86_400  # a century: "for ever" in seconds

NEVER_UNPROCESSED: Final = frozenset({408, 502, 504})
"""Statuses no bank can document as "not processed". 408 may be said to an idle connection and cross a request that is
then read all the same (RFC 9110 section 15.5.9); 502 and 504 come from a server that had handed the request on."""

_PATH = re.compile(r"/[!-z|~]*")  # printable ASCII without space and braces, once the placeholders are gone
_NO_ADDRESS: Final = Address()
_BIC = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?")  # the narrower pattern, of pain.001.001.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Iso20022Config:
    """How one bank speaks ISO 20022. Build it with `from_settings`, which checks everything."""

    initiating_party_name: str
    initiating_party_id: str = ""
    """InitgPty/Id/OrgId/Othr/Id: the number under which the bank knows the sender of messages."""
    pain001_version: str = VERSIONS[0]
    dialect: str = DIALECTS[0]
    submit_path: str = "/v1/payments"
    inquiry_path: str = "/v1/status/{reference}"
    """Empty: the bank offers no status inquiry."""
    collect_path: str = "/v1/reports?after={cursor}&limit={limit}"
    """Empty: the bank has no mailbox."""
    company_name: str = ""
    """Debtor's name where the instruction has none; empty: the initiating party's."""
    company_address: Address = _NO_ADDRESS
    """Debtor's address where the instruction has none."""
    debtor_agent_bic: str = ""
    """The bank's own BIC."""
    batch_booking: bool | None = None
    """BtchBookg; None: left to the bank's agreement."""
    bulk_lines_max: int = 1
    duplicate_key: str = ""
    duplicate_window_s: int = 0
    not_found_is_proof: bool = False
    visibility_s: float = 300.0
    statement_evidence: str = "Refs/InstrId"
    """Where the bank's statements (camt) carry our reference; empty: they do not."""
    unprocessed_statuses: tuple[int, ...] = (429,)
    """HTTP statuses that this bank documents as "not processed"."""


def from_settings(settings: Mapping[str, object]) -> Iso20022Config:
    """The checked configuration. ValueError names the key and what is allowed."""
    known = {field.name: field for field in fields(Iso20022Config)}
    for key in settings:
        if key not in known:
            raise ValueError(f"{key}: not a setting of iso20022; allowed are {', '.join(sorted(known))}")
    for key, field in known.items():
        if field.default is MISSING and key not in settings:
            raise ValueError(f"{key}: is missing; {_CHECKS[key][1]} is required")
    config = Iso20022Config(**{key: _checked(key, value) for key, value in settings.items()})
    if config.dialect == "swiss" and not config.debtor_agent_bic:
        raise ValueError("debtor_agent_bic: is missing; the swiss dialect requires the bank's BIC")
    if config.not_found_is_proof and not config.inquiry_path:
        raise ValueError("not_found_is_proof: true is allowed only with an inquiry_path")
    return config


def _checked(key: str, value: object) -> Any:
    check, allowed = _CHECKS[key]
    try:
        return check(value)
    except ValueError as error:
        # The value itself is not shown: a profile may hold names and numbers of the company.
        raise ValueError(f"{key}: {error or 'not allowed'}; allowed is {allowed}") from error


def _text(chars_max: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or len(value) > chars_max or not (value.isprintable() or not value):
            raise ValueError("not such a text")
        return value

    return check


def _required_text(chars_max: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _text(chars_max)(value)
        if not text.strip():
            raise ValueError("is empty")
        return text

    return check


def _one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in allowed or not isinstance(value, str):
            raise ValueError("unknown")
        return value

    return check


def _path(*placeholders: str, optional: bool) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("not a text")
        if not value and optional:
            return value
        bare = value
        for placeholder in placeholders:
            if placeholder not in value:
                raise ValueError(f"has no {placeholder}")
            bare = bare.replace(placeholder, "")
        if not _PATH.fullmatch(bare) or "#" in bare:
            raise ValueError("not such a path")
        return value

    return check


def _bic(value: object) -> str:
    if not isinstance(value, str) or (value and not _BIC.fullmatch(value)):
        raise ValueError("not a BIC")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not true or false")
    return value


def _whole(low: int, high: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError("not such a number")
        return value

    return check


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number")
    if not math.isfinite(value) or not 0 <= value <= VISIBILITY_S_MAX:
        raise ValueError("out of range")
    return float(value)


def _address(value: object) -> Address:
    parts = tuple(field.name for field in fields(Address))
    if isinstance(value, Address):
        return value
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for part in value.values()):
        raise ValueError("not a table of texts")
    if unknown := value.keys() - set(parts):
        raise ValueError(f"{', '.join(sorted(map(str, unknown)))} unknown")
    return Address(**value)


def _statuses(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(one) is int and 400 <= one <= 599 for one in value):
        raise ValueError("not such a list")
    if never := NEVER_UNPROCESSED.intersection(value):
        raise ValueError(f"{', '.join(map(str, sorted(never)))} can never mean that nothing was processed")
    return tuple(value)


_CHECKS: Final[Mapping[str, tuple[Callable[[object], object], str]]] = {
    "initiating_party_name": (_required_text(70), "a text of 1 to 70 characters"),
    "initiating_party_id": (_text(35), "a text of at most 35 characters"),
    "pain001_version": (_one_of(VERSIONS), " or ".join(VERSIONS)),
    "dialect": (_one_of(DIALECTS), ", ".join(DIALECTS)),
    "submit_path": (_path(optional=False), "a path from / on"),
    "inquiry_path": (_path("{reference}", optional=True), "a path with {reference}, or empty"),
    "collect_path": (_path("{cursor}", "{limit}", optional=True), "a path with {cursor} and {limit}, or empty"),
    "company_name": (_text(70), "a text of at most 70 characters"),
    "company_address": (_address, "a table of street, building, postal_code, town, country"),
    "debtor_agent_bic": (_bic, "a BIC of 8 or 11 characters, or empty"),
    "batch_booking": (_flag, "true or false"),
    "bulk_lines_max": (_whole(1, LINES_MAX), f"1 to {LINES_MAX}"),
    "duplicate_key": (_text(70), "the field by which the bank detects duplicates, or empty"),
    "duplicate_window_s": (_whole(0, DUPLICATE_WINDOW_S_MAX), f"0 to {DUPLICATE_WINDOW_S_MAX} seconds"),
    "not_found_is_proof": (_flag, "true or false"),
    "visibility_s": (_seconds, f"0 to {VISIBILITY_S_MAX:.0f} seconds"),
    "statement_evidence": (_text(70), "a field of the bank's statements, or empty"),
    "unprocessed_statuses": (_statuses, "a list of HTTP statuses from 400 to 599, without 408, 502, 504"),
}
