"""Which bank an instruction goes to: the one it names, else the one that keeps its debtor account."""

from collections.abc import Iterable
from typing import Final

from gateway.config import BankProfile
from gateway.core.errors import BankUnknown

NAMES_SHOWN_MAX: Final = 20
"""Banks named in an error text: it travels in a trailer, and clients take 8 KiB of those."""


class BankBook:
    """The banks there are, by name and by debtor account. Made once: profiles do not change while we run."""

    def __init__(self, profiles: Iterable[BankProfile]) -> None:
        self._by_name = {profile.name: profile for profile in profiles if profile.enabled}
        self._by_account: dict[str, list[BankProfile]] = {}
        for profile in self._by_name.values():
            for account in profile.accounts:
                self._by_account.setdefault(account, []).append(profile)
        self._there_are = f"The banks are: {listed(self._by_name)}."

    def choose(self, named: str, debtor_account: str) -> BankProfile | BankUnknown:
        """The bank called `named`; where `named` is empty, the only one whose profile lists the account.

        BankUnknown says what is wrong and which banks there are; it never names the account.
        """
        if named:
            return self._by_name.get(named) or BankUnknown(f"No bank of this name takes payments. {self._there_are}")
        keepers = self._by_account.get(debtor_account, [])
        if len(keepers) == 1:
            return keepers[0]
        if not keepers:
            return BankUnknown(f"No bank's profile lists the debtor account; name the bank. {self._there_are}")
        names = listed(profile.name for profile in keepers)
        return BankUnknown(f"Several banks list the debtor account ({names}); name one of them.")


def listed(names: Iterable[str]) -> str:
    """Names for an error text, in order, and how many more there are."""
    known = sorted(names)
    more = f" and {len(known) - NAMES_SHOWN_MAX} more" if len(known) > NAMES_SHOWN_MAX else ""
    return ", ".join(known[:NAMES_SHOWN_MAX]) + more or "none"
