"""Claims about how much of a bank's words is kept, and what a profile may claim."""

import pytest

from adapters.iso20022.adapter import Iso20022MailboxAdapter
from adapters.iso20022.config import DUPLICATE_WINDOW_S_MAX, VISIBILITY_S_MAX, from_settings
from adapters.iso20022.mailbox import CURSOR_CHARS_MAX
from gateway.core.errors import Unreadable
from gateway.core.ports import WireAnswer
from tests.fakes.bank_reports import mailbox
from tests.fills import fills

LEAST = {"initiating_party_name": "Firm"}


@fills("CURSOR_CHARS_MAX")
def test_a_cursor_has_its_length() -> None:
    """CURSOR_CHARS_MAX characters are stored and sent back; one more is no mailbox."""
    bank = Iso20022MailboxAdapter(from_settings(LEAST))
    longest = "c" * CURSOR_CHARS_MAX
    assert bank.read_collection("4", WireAnswer(200, body=mailbox(longest))).cursor == longest
    with pytest.raises(Unreadable):
        bank.read_collection("4", WireAnswer(200, body=mailbox(longest + "c")))


@fills("VISIBILITY_S_MAX", "DUPLICATE_WINDOW_S_MAX")
@pytest.mark.parametrize(
    ("setting", "most"), [("visibility_s", VISIBILITY_S_MAX), ("duplicate_window_s", DUPLICATE_WINDOW_S_MAX)]
)
def test_windows_have_their_length(setting: str, most: float) -> None:
    """The longest is taken; one second more is refused by name."""
    key = {"duplicate_key": "end_to_end_id"} if setting == "duplicate_window_s" else {}
    from_settings({**LEAST, **key, setting: most})
    with pytest.raises(ValueError, match=setting):
        from_settings({**LEAST, **key, setting: most + 1})
