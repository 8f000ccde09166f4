"""Claims about payments whose bank's profile is gone: a start must not forget them."""

from pathlib import Path

import pytest

from gateway.core import happenings
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.daemon import CannotStart, check_strays
from gateway.store.store import LmdbStore
from tests.fakes.admissions import mark, queued
from tests.fakes.clock import FakeClock


async def test_open_payments_are_counted_for_every_bank_there_ever_was(tmp_path: Path) -> None:
    """Queued and doubtful ones of banks nobody configured are found by name; those that ended are not."""
    async with LmdbStore(tmp_path / "data", clock=FakeClock(), map_bytes_initial=1 << 20) as store:
        admissions = [queued(f"order-{bank}-{n}", bank=bank) for bank in ("a", "gone", "done") for n in range(3)]
        admitted = [answer.payment for answer in await store.admit(admissions)]
        gone, done = admitted[3], admitted[6:]
        doubt = happenings.doubted(Reason.REPLY_LOST, 0)
        await store.take([Step(gone.id, happening=mark(gone)), Step(gone.id, happening=doubt)])
        await store.take([Step(one.id, happening=happenings.cancelled("erp")) for one in done])
        assert await store.undecided() == {"a": 3, "gone": 3}


def test_a_daemon_does_not_start_over_payments_nobody_would_look_after() -> None:
    """The refusal names the bank, the count and what to do; with a profile for each bank there is none."""
    with pytest.raises(CannotStart, match=r"3 payments of bank gone .*gone\.toml back"):
        check_strays({"a": 3, "gone": 3}, ["a"])
    check_strays({"a": 3}, ["a", "b"])
