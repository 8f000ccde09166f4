"""Claims about parties seen before: remembering them changes nothing but the time it takes."""

import hashlib
from dataclasses import fields, replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidInstruction
from gateway.core.payment import Account, Address, Party
from gateway.intake import known as known_parties
from gateway.intake.known import PARTIES_KEPT_MAX, PARTY_CHARS_KEPT_MAX, known
from gateway.intake.rule import NAME_CHARS_MAX_SEPA
from tests.fakes.payments import IBAN_DE, IBAN_FR
from tests.fills import fills
from tests.intake.drafts import creditor, draft, prepared

texts = st.text(max_size=8) | st.sampled_from(("", " a ", "de", "DE 89 3704 0044 0532 0130 00", IBAN_DE, "BNPAFRPP"))
parties = st.builds(
    Party,
    name=texts | st.just("N" * (NAME_CHARS_MAX_SEPA + 1)),
    account=st.builds(Account, iban=texts, other=texts),
    agent_bic=texts,
    address=st.builds(Address, *([texts] * len(fields(Address)))),
)


def said_of(party: Party) -> list[str]:
    """A party as the fingerprint has spelled it from the first version on."""

    def grouped(number: str) -> str:
        return "".join(number.split()).upper()

    account, address = party.account, party.address
    return [
        party.name.strip(),
        grouped(account.iban),
        account.other.strip(),
        grouped(party.agent_bic),
        *(text.strip() for text in (address.street, address.building, address.postal_code, address.town)),
        address.country.strip().upper(),
    ]


@given(debtor=parties, creditor=parties)
def test_the_fingerprint_is_byte_for_byte_what_it_was(debtor: Party, creditor: Party) -> None:
    """Version 1's encoding, written out once more: stored keys must know their instructions again for ever."""
    told = draft(debtor=debtor, creditor=creditor)
    one = told.instruction
    parts = ["causeway instruction 1", one.end_to_end_id, "EUR", str(Decimal(one.amount.value).normalize())]
    parts += [*said_of(debtor), *said_of(creditor), one.bank, "", one.purpose, one.remittance, one.creditor_reference]
    parts += [one.charge_bearer.value, one.rail.value]
    lengths = ",".join(str(len(part)) for part in parts)
    content = f"0;{lengths};{''.join(parts)}".encode("utf-8", "surrogatepass")
    assert prepared(told).fingerprint == hashlib.sha256(content).digest()


@given(debtor=parties, creditor=parties)
def test_a_party_known_is_judged_like_a_new_one(debtor: Party, creditor: Party) -> None:
    """The same refusal, text for text, on first sight and ever after."""
    told = draft(debtor=debtor, creditor=creditor)
    known_parties._known.cache_clear()
    first, again = prepared(told), prepared(told)
    assert (again.instruction, again.fingerprint) == (first.instruction, first.fingerprint)
    assert repr(again.refusal) == repr(first.refusal)
    if isinstance(first.refusal, InvalidInstruction):
        assert isinstance(again.refusal, InvalidInstruction)
        assert again.refusal.violations == first.refusal.violations


def test_a_name_that_is_too_long_within_sepa_is_told_so_and_elsewhere_not() -> None:
    """What is remembered of a party does not depend on the payment it was first seen in."""
    long = creditor(name="N" * (NAME_CHARS_MAX_SEPA + 1), account=Account(IBAN_FR))
    within, outside = draft(creditor=long), draft(creditor=long)
    outside = replace(
        outside, instruction=replace(outside.instruction, amount=replace(outside.instruction.amount, currency="USD"))
    )
    for told, wanted in ((within, True), (outside, False), (within, True)):
        refusal = prepared(told).refusal
        broken = {one.reason for one in refusal.violations} if isinstance(refusal, InvalidInstruction) else set()
        assert ("NAME_LENGTH" in broken) is wanted


@fills("known.PARTIES_KEPT_MAX", "PARTY_CHARS_KEPT_MAX")
def test_strangers_fill_no_memory() -> None:
    """However many parties are named, so many are remembered, and none with a long text."""
    known_parties._known.cache_clear()
    for number in range(PARTIES_KEPT_MAX + 10):
        known(Party(name=f"Stranger {number}"))
    assert known_parties._known.cache_info().currsize == PARTIES_KEPT_MAX
    misses = known_parties._known.cache_info().misses
    assert known(Party(name="N" * (PARTY_CHARS_KEPT_MAX + 1))).written.name
    assert known_parties._known.cache_info().misses == misses
    known_parties._known.cache_clear()
