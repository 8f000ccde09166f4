"""The code tables: total, and never kinder than the code sets."""

import json

from adapters.iso20022.codes import DUPLICATE_REASONS, GROUP_STATUS, TRANSACTION_STATUS
from gateway.core.outcome import Word
from tests.adapters.shared_data import needed


def codes(name: str) -> set[str]:
    path = needed("codesets/iso-external-codes-2Q2026.json")
    return set(json.loads(path.read_text(encoding="utf-8"))["definitions"][name]["enum"])


def test_every_transaction_status_has_its_place() -> None:
    """No code of the code set is unknown to us, and we know none that is not in it."""
    assert set(TRANSACTION_STATUS) == codes("ExternalPaymentTransactionStatus1Code")


def test_every_group_status_has_its_place() -> None:
    assert set(GROUP_STATUS) == codes("ExternalPaymentGroupStatus1Code")


def test_the_reasons_for_duplicates_are_codes() -> None:
    assert codes("ExternalStatusReason1Code") >= DUPLICATE_REASONS


def test_only_words_of_an_end_are_ends() -> None:
    """Whoever adds a code has to think before it ends a payment: these are all that do."""
    assert {code for code, word in TRANSACTION_STATUS.items() if word is Word.SETTLED} == {"ACSC", "ACCC", "CPUC"}
    assert {code for code, word in TRANSACTION_STATUS.items() if word is Word.REJECTED} == {"RJCT", "CANC"}


def test_a_group_code_means_what_it_means_for_a_transaction() -> None:
    assert all(TRANSACTION_STATUS[code] is word for code, word in GROUP_STATUS.items() if code != "PART")
    assert GROUP_STATUS["PART"] is None
