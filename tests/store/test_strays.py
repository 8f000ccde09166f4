"""Claims about payments whose bank's profile is gone: a start must not forget them."""

import io
from pathlib import Path
from typing import cast

import pytest

from gateway.config import Config, Listen, TlsListen
from gateway.core import happenings
from gateway.core.ports import Step
from gateway.core.reasons import Reason
from gateway.core.states import State
from gateway.daemon import CannotStart, check_strays, serve
from gateway.store.store import LmdbStore
from gateway.telemetry.setup import Telemetry
from gateway.telemetry.trail import OtelTrail
from tests.fakes.admissions import mark, queued
from tests.fakes.certificates import Authority
from tests.fakes.clock import FakeClock
from tests.fakes.trail import SeenTrail


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


def without_banks(data_dir: Path, keys: Path) -> Config:
    authority = Authority(keys)
    authority.issue("server", dns=["localhost"])
    tls = TlsListen(
        certificate_file=keys / "server.pem", key_file=keys / "server.key", client_ca_file=authority.path, crl_file=None
    )
    listen = Listen.model_construct(tls=tls)
    return Config.model_construct(data_dir=data_dir, banks={}, listen=listen)


async def test_a_start_that_is_refused_decides_nothing_about_them(tmp_path: Path) -> None:
    """A payment that was SENDING when its profile was mislaid stays so: the start that has the profile again plans its
    inquiry. Doubted by the refused one, it was never asked about."""
    data_dir = tmp_path / "data"
    async with LmdbStore(data_dir, clock=FakeClock()) as store:
        [admitted] = await store.admit([queued(bank="gone")])
        await store.take([Step(admitted.payment.id, happening=mark(admitted.payment))])
    watched = Telemetry(cast(OtelTrail, SeenTrail()), 0.0)
    with pytest.raises(CannotStart, match="payments of bank gone"):
        await serve(without_banks(data_dir, tmp_path), watched, io.StringIO())
    async with LmdbStore(data_dir, clock=FakeClock()) as store:
        payment = await store.get(admitted.payment.id)
        assert payment is not None
        assert payment.state is State.SENDING
