"""Claims about the character sets."""

import string

from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.charset import is_latin, is_printable_ascii, is_sepa, is_sepa_reference

SEPA = frozenset(string.ascii_letters + string.digits + "/-?:().,'+ ")


@given(text=st.text(max_size=30))
def test_a_text_is_sepa_when_every_character_is(text: str) -> None:
    """EPC217-08: letters, digits and eleven marks; nothing else, not even a line end."""
    assert is_sepa(text) == (set(text) <= SEPA)
    assert is_sepa(text + "\n") is False


@given(character=st.characters())
def test_latin_holds_sepa_and_the_european_letters(character: str) -> None:
    """Every SEPA character and every letter of Latin-1 and Latin Extended-A is in; controls and others are out."""
    if character in SEPA:
        assert is_latin(character)
    if "\u00c0" <= character <= "\u017f":
        assert is_latin(character)
    if character > "\u021b" and character != "€":
        assert not is_latin(character)
    if not character.isprintable() and character not in "\u00a0\u00ad":
        assert not is_latin(character)


@given(text=st.text(st.sampled_from("a/b"), max_size=6))
def test_references_have_no_slash_where_banks_split_them(text: str) -> None:
    """Neither at an end nor two in a row."""
    assert is_sepa_reference(text) == (text.strip("/") == text and "//" not in text)


def test_printable_ascii_ends_at_the_tilde() -> None:
    """0x20 to 0x7E."""
    assert is_printable_ascii(" ~")
    assert not is_printable_ascii("\x7f")
    assert not is_printable_ascii("\x1f")
