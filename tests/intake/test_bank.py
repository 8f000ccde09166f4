"""Claims about which bank an instruction goes to."""

from gateway.core.errors import BankUnknown
from gateway.core.payment import Account, Party
from gateway.intake.bank import NAMES_SHOWN_MAX, BankBook
from tests.fakes.house import profile
from tests.fakes.payments import IBAN_CH, IBAN_FR, IBAN_GB
from tests.fills import fills
from tests.intake.drafts import draft, prepared


def test_the_named_bank_is_taken_if_it_takes_payments() -> None:
    """A bank that is not there, or is not enabled, is refused with the names of those that are."""
    assert prepared(draft(bank="southbank")).instruction.bank == "southbank"
    for name in ("eastbank", "closed"):
        refusal = prepared(draft(bank=name)).refusal
        assert isinstance(refusal, BankUnknown)
        assert "northbank, southbank, westbank" in str(refusal)


def test_an_unnamed_bank_is_the_one_that_keeps_the_account() -> None:
    """One keeper is chosen; none or several are refused, without the account in the text."""
    assert prepared(draft(bank="")).instruction.bank == "northbank"
    for iban, said in ((IBAN_CH, "southbank, westbank"), (IBAN_GB, "lists the debtor account")):
        refusal = prepared(draft(bank="", debtor=Party("N", Account(iban)))).refusal
        assert isinstance(refusal, BankUnknown)
        assert said in str(refusal)
        assert iban not in str(refusal)


def test_no_banks_at_all_says_so() -> None:
    """The text stays readable."""
    assert "The banks are: none." in str(BankBook([]).choose("x", IBAN_FR))


@fills("NAMES_SHOWN_MAX")
def test_the_list_of_names_stays_short() -> None:
    """Two hundred banks do not make a text that no client takes."""
    said = str(BankBook([profile(f"bank-{number:03}") for number in range(200)]).choose("x", ""))
    assert said.endswith(f"bank-{NAMES_SHOWN_MAX - 1:03} and 180 more.")
