"""The demo's 20 instructions: 18 to be paid, one invalid, one a replay. Accounts are the IBAN registry's examples."""

import json
from pathlib import Path

NORTHBANK_ACCOUNT = "DE89370400440532013000"
ALPENBANK_ACCOUNT = "CH9300762011623852957"

LOST_REPLY = "DEMO-LOST-REPLY"
"""EndToEndId of the payment whose reply the bank drops: it is booked, and we are not told."""

INVALID_KEY = "demo-19"

_EURO_CREDITORS = (
    ("Atelier Bleu SARL", "FR1420041010050500013M02606"),
    ("Tulp Logistiek BV", "NL91ABNA0417164300"),
    ("Nordhavn Design ApS", "DK5000400440116243"),
    ("Talleres del Sur SL", "ES9121000418450200051332"),
    ("Officina Rossa SRL", "IT60X0542811101000000123456"),
    ("Donau Technik GmbH", "AT611904300234573201"),
    ("Liffey Software Ltd", "IE29AIBK93115212345678"),
    ("Conservas do Mar Lda", "PT50000201231234567890154"),
    ("Koivu Design Oy", "FI2112345600000785"),
    ("Nordlicht GmbH", "DE75512108001245126199"),
    ("Hellas Shipping AE", "GR1601101250000000012300695"),
    ("Grand Rue SA", "LU280019400644750000"),
)
_FRANC_CREDITORS = (
    ("Rheintal Metallbau AG", "LI21088100002324013AA"),
    ("Seeblick Hotel AG", "CH5604835012345678009"),
)


def rows() -> list[dict[str, str]]:
    """The instructions as flat rows (gateway.cli.row), in the order they are sent."""
    found = [
        _euro(number, *_EURO_CREDITORS[(number - 1) % len(_EURO_CREDITORS)], f"{number * 37}.{number:02d} EUR")
        for number in range(1, 13)
    ]
    found[3]["end_to_end_id"] = LOST_REPLY
    found += [
        _franc(number, *_FRANC_CREDITORS[number % len(_FRANC_CREDITORS)], f"{number * 125}.50 CHF")
        for number in range(13, 19)
    ]
    invalid = _euro(19, "Mistyped SARL", "FR1420041010050500013M02607", "19.999 EUR")
    return [*found, invalid, dict(found[0])]


def valid_keys() -> frozenset[str]:
    """The keys of the instructions that are to be paid."""
    return frozenset(row["key"] for row in rows()) - {INVALID_KEY}


def write(file: Path) -> None:
    """The instructions as JSON lines, as `causeway pay FILE` reads them."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows()))


def _euro(number: int, name: str, iban: str, amount: str) -> dict[str, str]:
    return {
        "key": f"demo-{number:02d}",
        "amount": amount,
        "debtor": NORTHBANK_ACCOUNT,
        "creditor_name": name,
        "creditor": iban,
        "remittance": f"Invoice 2026-{number:04d}",
        "label.batch": "demo",
    }


def _franc(number: int, name: str, iban: str, amount: str) -> dict[str, str]:
    country = iban[:2]
    postal_code, town = {"LI": ("9490", "Vaduz"), "CH": ("8001", "Zürich")}[country]
    return {
        "key": f"demo-{number:02d}",
        "amount": amount,
        "debtor": ALPENBANK_ACCOUNT,
        "creditor_name": name,
        "creditor": iban,
        "remittance": f"Rechnung 2026-{number:04d}",
        "label.batch": "demo",
        "street": "Hauptstrasse",
        "building": str(number),
        "postal_code": postal_code,
        "town": town,
        "country": country,
    }
