"""Claims about the length of keys and of what lies beside the store."""

from pathlib import Path

import pytest

from gateway.limits import RECENT_PAYMENTS_MAX
from gateway.store import layout
from gateway.store.manifest import MANIFEST_BYTES_MAX, MANIFEST_FILE, BackupUnusable, read_manifest
from gateway.store.recent import Known, Recent
from gateway.store.records import Standing
from tests.fakes.admissions import a_payment
from tests.fills import fills


@fills("PREFIX_TEXT_BYTES_MAX", "TEXT_BYTES_MAX", "KEY_BYTES_MAX")
def test_the_longest_names_fit_into_a_key() -> None:
    """A tenant of the greatest length and texts of any length make keys that LMDB takes; a longer tenant is refused."""
    tenant = "t" * layout.PREFIX_TEXT_BYTES_MAX
    for size in (layout.TEXT_BYTES_MAX, layout.TEXT_BYTES_MAX + 1, 100_000):
        assert len(layout.text("k" * size)) <= layout.TEXT_BYTES_MAX + 1
        assert len(layout.key_key(tenant, "k" * size)) <= layout.KEY_BYTES_MAX
        assert len(layout.end_prefix(tenant, "k" * size)) + layout.ID_BYTES <= layout.KEY_BYTES_MAX
    assert layout.text("k" * layout.TEXT_BYTES_MAX) != layout.text("k" * (layout.TEXT_BYTES_MAX + 1))
    with pytest.raises(ValueError, match="at most"):
        layout.prefix(tenant + "t")


def test_versions_have_their_room_in_a_key() -> None:
    """The last part a key can name is the last of its payment, before the first of the next one; a version above it is
    an error, and never another payment's key."""
    mine, next_one = (number.to_bytes(layout.ID_BYTES, "big") for number in (7, 8))
    highest = (layout.LAST_PART + 1) * layout.PART_FACTS
    last = layout.payment_seq_key(mine, highest)
    assert layout.payment_seq_key(mine, highest - layout.PART_FACTS) < last < layout.payment_seq_key(next_one, 1)
    with pytest.raises(OverflowError):
        layout.payment_seq_key(mine, highest + 1)


@fills("MANIFEST_BYTES_MAX")
def test_a_manifest_is_short(tmp_path: Path) -> None:
    """What is longer than MANIFEST_BYTES_MAX is none, however well it begins: nothing more of it is read."""
    (tmp_path / MANIFEST_FILE).write_bytes(b"{" + b" " * MANIFEST_BYTES_MAX + b"}")
    with pytest.raises(BackupUnusable, match="no manifest"):
        read_manifest(tmp_path)


@fills("RECENT_PAYMENTS_MAX")
def test_payments_kept_decoded_are_bounded() -> None:
    """After any number of commits RECENT_PAYMENTS_MAX payments are kept: of a backlog those that leave next."""
    recent = Recent()
    written = [Known(a_payment(f"order-{number}"), Standing(0, b"")) for number in range(RECENT_PAYMENTS_MAX + 2)]
    recent.keep(written[:2])
    recent.keep(written[2:])
    assert len(recent) == RECENT_PAYMENTS_MAX
    looked_for = (*written[:2], *written[-3:])
    assert [recent.get(one.payment.id) for one in looked_for] == [*written[:2], written[-3], None, None]
