"""The composition root and the nursery tree: the only file that knows everybody.

    run
    └─ store (its writer thread)
       └─ house: one nursery
          ├─ per bank: pool · lane · inquiries · mailbox
          ├─ gRPC server (listeners, connections, calls)
          ├─ health (what `live`, `ready` and each bank's name say)
          ├─ the latch (a store that failed ends the process)
          └─ signals (SIGTERM, SIGINT: drain, then stop; SIGHUP: the listener's certificate files are read anew)

Starting is ordered: configuration, directory lock, store, recovery, banks, listeners last, then one line on standard
output that says where it listens. Stopping is ordered the other way round: no new calls, calls and messages in flight
get `drain_s`, then everything is cancelled. What is cut off is found by the next start (law 6). What telemetry holds is
exported while that goes on, so that a dead collector adds next to nothing to it.
"""

import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TextIO

import trio

from adapters.registry import build as build_adapter
from gateway import config as configuration
from gateway import failpoints, limits
from gateway.clock import SystemClock
from gateway.config import BankProfile, Config, ConfigError
from gateway.connector.config import LinkConfig
from gateway.connector.pool import Pool
from gateway.core.errors import StoreFailed
from gateway.core.ports import Adapter, Collects, Trail, WallClock
from gateway.dispatch.lane import Lane
from gateway.events.feed import Feed
from gateway.events.watch import watch
from gateway.house import Bank, Entropy, House, Quarantine
from gateway.ingress.edge import Edge, key_of, server_files
from gateway.net.tls import TlsClientFiles, TlsFileBad, client_context, server_context
from gateway.net.tls_renewal import Renewal
from gateway.status.collector import Collector
from gateway.status.inquiries import Inquiries
from gateway.store.envelope import CorruptRecord
from gateway.store.environment import DataDirectoryInUse, DataDirectoryUnusable, free_bytes
from gateway.store.recover import recover
from gateway.store.store import LmdbStore
from gateway.store.writer import DISK_RESERVE_BYTES
from gateway.telemetry import names
from gateway.telemetry import setup as telemetry
from gateway.vitals import Vitals

logger = logging.getLogger(__name__)

EXIT_STOPPED, EXIT_FAILED, EXIT_CONFIG, EXIT_IN_USE = 0, 1, 2, 3
"""Exit codes: stopped as asked · the store or the daemon failed · bad configuration · directory or port in use."""

LATCHED_EXIT_S: Final = 0.8 * limits.STORE_FAILED_EXIT_S_MAX
"""What a daemon whose store has failed gets to end in good order: goodbyes to banks, the last of its telemetry."""

SWITCH_S: Final = 0.0005
"""How long the writer's thread may keep the interpreter while the event loop wants it: each time the loop has looked
at its sockets it has to get it back, and Python's own 5 ms made refusals wait for the payments being written."""

GARBAGE_AFTER: Final = (50_000, 20, 100)
"""Allocations more than releases until the youngest objects are looked at for cycles, and so on for the older two
(gc.set_threshold). What a payment leaves behind is freed by counting references: the collector looks for what failed
calls and ended connections leave, and with Python's 700 it did so every few calls, over all calls that are open: a
sixth of what accepting one costs. Twenty thousand objects are some 4 MB."""


class CannotStart(Exception):
    """Why the daemon does not start, in plain words, with its exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class BankTasks:
    """What runs for one bank."""

    bank: Bank
    pool: Pool
    lane: Lane
    inquiries: Inquiries
    collector: Collector | None

    @property
    def breaker(self) -> str:
        """Of the lane; "" where the profile lets nothing be sent."""
        return self.lane.breaker.value if self.bank.profile.enabled else ""


def run(
    config_path: Path, *, failpoint_file: Path | None = None, out: TextIO = sys.stdout, err: TextIO = sys.stderr
) -> int:
    """`causeway serve`: runs the daemon until a signal; returns its exit code. `failpoint_file` is for tests."""
    try:
        if failpoint_file is not None:
            failpoints.arm(configuration.read_failpoints(failpoint_file))
        config = configuration.load(config_path)
    except ConfigError as error:
        print(error, file=err)
        return EXIT_CONFIG
    try:
        watched = telemetry.start(config.telemetry, out, err)
    except OSError as error:  # of the file that spans go to
        print(f"{config_path}: telemetry.traces: must be a file that can be written: {error}", file=err)
        return EXIT_CONFIG
    sys.setswitchinterval(SWITCH_S)
    try:
        trio.run(serve, config, watched, out)
        return EXIT_STOPPED
    except CannotStart as error:
        print(error, file=err)
        return error.code
    except (StoreFailed, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(StoreFailed) is None:
            raise
        _end_soon()  # while it starts nothing else has seen the store fail
        logger.critical("the store failed; nothing more is acknowledged")
        return EXIT_FAILED
    finally:
        watched.shutdown()


async def serve(config: Config, watched: telemetry.Telemetry, out: TextIO) -> None:
    """The whole daemon. Raises CannotStart before anything was served, StoreFailed when the store latched."""
    rehearse(config)
    clock = SystemClock()
    try:
        opened = LmdbStore(
            config.data_dir,
            clock=clock,
            map_bytes_initial=config.store.map_bytes_initial,
            map_bytes_max=config.store.map_bytes_max,
        )
        async with opened as store:
            await _serve_from(store, config, watched, clock, out)
    except DataDirectoryInUse as error:
        raise CannotStart(str(error), EXIT_IN_USE) from error
    except (DataDirectoryUnusable, CorruptRecord) as error:
        raise CannotStart(str(error), EXIT_FAILED) from error


async def _serve_from(
    store: LmdbStore, config: Config, watched: telemetry.Telemetry, clock: WallClock, out: TextIO
) -> None:
    pools = {name: Pool(_link(profile, watched.trail)) for name, profile in config.banks.items()}
    banks = {name: Bank(profile, _adapter(profile), pools[name]) for name, profile in config.banks.items()}
    quarantine = Quarantine(await store.quarantine())
    house = House(store, clock, watched.trail, banks, Entropy(), quarantine=quarantine)
    if free_bytes(config.data_dir) < DISK_RESERVE_BYTES:
        logger.error(
            "the disk of data_dir is nearly full: make room; nothing is admitted, and what must be written waits"
        )
    check_strays(await store.undecided(), config.banks.keys())  # before recover: it plans no inquiry for a stray
    with watched.trail.span(names.RECOVER) as span:
        recovered = await recover(store, clock, partial(_first_inquiry_s, banks))
        span.note(batch=recovered.doubted, sequence=recovered.sequence)
    logger.info("recovered", extra={"count": recovered.doubted})
    if quarantine.active:
        logger.warning("in quarantine: nothing is admitted or sent until it is ended; see docs/backup.md")
    tasks = {name: _tasks(house, bank, pools[name]) for name, bank in banks.items()}
    feed = Feed(store)
    edge = Edge(config, house, partial(watch, feed), lambda name: "" if quarantine.active else tasks[name].breaker)
    await _open(edge)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_latch, store)
        nursery.start_soon(Vitals(house, store, watched.trail.gauge, edge.certificate_expires_at).run)
        for task in tasks.values():
            await _start_bank(nursery, task)
        await nursery.start(edge.serve)
        settle_memory()
        _say_ready(out, edge, config, quarantine)
        await _told_to_stop(edge)
        watched.begin_end()
        feed.close()  # watchers would hold the drain to its end; they resume at the next daemon
        await _drain(edge, [task.lane for task in tasks.values()], config.drain_s)
        nursery.cancel_scope.cancel()


def settle_memory() -> None:
    """What is there when the start is over (modules, generated messages, configuration) stays for ever: it is taken
    out of what the collector looks through each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_AFTER)


def check_strays(undecided: Mapping[str, int], profiles: Collection[str]) -> None:
    """Payments of a bank without a profile would have no lane, no inquiries and no place in any list of banks. Raises
    CannotStart."""
    for bank in sorted(undecided.keys() - set(profiles)):
        text = (
            f"{undecided[bank]} payments of bank {bank} are not sent or in doubt, but it has no profile: put "
            f"{bank}.toml back until they are decided. With enabled = false nothing more is sent to it."
        )
        raise CannotStart(text, EXIT_CONFIG)


async def _open(edge: Edge) -> None:
    try:
        await edge.open()
    except TlsFileBad as error:
        raise CannotStart(f"listen.tls: {error}", EXIT_CONFIG) from error
    except OSError as error:
        wanted = ", ".join(f"listen.{name}: {address}" for name, address in edge.wanted.items())
        text = (
            f"cannot listen ({wanted}): {error.strerror or error}. Is another daemon running? "
            "Change listen.tls.port (or listen.plaintext.port), or stop what has the port."
        )
        raise CannotStart(text, EXIT_IN_USE) from error


def _say_ready(out: TextIO, edge: Edge, config: Config, quarantine: Quarantine) -> None:
    """One line for whoever started us: scripts wait for it."""
    ready = {"ready": True, "listening": edge.addresses, "banks": sorted(config.banks), "pid": os.getpid()}
    if quarantine.active:
        ready["quarantine"] = True
    print(json.dumps(ready), file=out, flush=True)


async def _told_to_stop(edge: Edge) -> None:
    """Returns at SIGTERM or SIGINT. SIGHUP renews certificates, as servers do on Unix; nothing else is read anew."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number != signal.SIGHUP:
                return
            logger.info("told to read the listener's certificate files")
            edge.renew_certificates()


async def _start_bank(nursery: trio.Nursery, task: BankTasks) -> None:
    await nursery.start(task.pool.run)
    nursery.start_soon(task.inquiries.run)
    if task.bank.profile.enabled:
        nursery.start_soon(task.lane.run)
    if task.collector is not None:
        nursery.start_soon(task.collector.run)


async def _latch(store: LmdbStore) -> None:
    """A store that cannot say what is durable ends the process: nothing may be acknowledged over lost pages."""
    await store.failed.wait()
    _end_soon()
    raise StoreFailed("a commit failed; see the log")


def _end_soon() -> None:
    """The process ends in LATCHED_EXIT_S whatever then still holds it up: a bank that hangs on a goodbye, a collector
    that takes no telemetry. Nothing can be lost by it that was not lost with the store."""
    timer = threading.Timer(LATCHED_EXIT_S, os._exit, (EXIT_FAILED,))
    timer.daemon = True
    timer.start()


async def _drain(edge: Edge, lanes: Sequence[Lane], drain_s: float) -> None:
    """No new calls and no new messages; what is under way may end within `drain_s`."""
    logger.info("stopping: draining")
    for lane in lanes:
        lane.stop()
    with trio.move_on_after(drain_s):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(edge.drain, drain_s)
            for lane in lanes:
                nursery.start_soon(lane.drained)


def _tasks(house: House, bank: Bank, pool: Pool) -> BankTasks:
    words = bank.adapter
    return BankTasks(
        bank=bank,
        pool=pool,
        lane=Lane(house, bank),
        inquiries=Inquiries(house, bank),
        collector=Collector(house, bank, words) if bank.collects and isinstance(words, Collects) else None,
    )


def _adapter(profile: BankProfile) -> Adapter:
    try:
        return build_adapter(profile.protocol, profile.protocol_settings)
    except ValueError as error:
        text = f"bank {profile.name}: protocol_settings.{error}"
        raise CannotStart(text, EXIT_CONFIG) from error


def rehearse(config: Config) -> None:
    """What a start would find out too late, or after it has opened something: adapters' settings, certificates and
    keys that do not belong together. Touches neither store nor network. Raises CannotStart with every problem."""
    problems: list[str] = []
    for profile in config.banks.values():
        for check in (_adapter, _link):
            try:
                check(profile)
            except CannotStart as error:
                problems.append(str(error))
    try:
        server_context(server_files(config.listen.tls))
    except TlsFileBad as error:
        problems.append(f"listen.tls: {error}")
    if problems:
        raise CannotStart("\n".join(problems), EXIT_CONFIG)


def _link(profile: BankProfile, trail: Trail | None = None) -> LinkConfig:
    """`trail` is told of files that were replaced later; None where nothing will be (a rehearsal)."""
    wire = profile.connection
    files = TlsClientFiles(
        wire.certificate_file, wire.key_file, wire.ca_file, wire.crl_file, frozenset(wire.spki_sha256_pins)
    )
    paths = [file for file in (files.certificate, files.key, files.authority, files.revocations) if file]
    try:
        renewal = Renewal(
            paths, partial(client_context, files), partial(_kept, profile, trail), partial(_taken, profile, trail)
        )
    except TlsFileBad as error:
        raise CannotStart(f"bank {profile.name}: connection: {error}", EXIT_CONFIG) from error
    return LinkConfig(
        host=wire.host,
        port=wire.port,
        server_name=wire.server_name,
        tls_context=renewal.now,
        sessions_max=wire.sessions_max,
        streams_per_session_max=wire.streams_per_session_max,
        connect_timeout_s=wire.connect_timeout_s,
        handshake_timeout_s=wire.handshake_timeout_s,
        ping_after_s=wire.ping_after_s,
        ping_timeout_s=wire.ping_timeout_s,
        session_age_s_max=wire.session_age_s_max,
    )


def _taken(profile: BankProfile, trail: Trail | None) -> None:
    if trail is not None:
        trail.count(names.RENEWALS, whose="bank", result="taken", bank=profile.name)
    logger.info("a bank's new TLS files are used for new connections", extra={"bank": profile.name})


def _kept(profile: BankProfile, trail: Trail | None, error: TlsFileBad) -> None:
    if trail is not None:
        trail.count(names.RENEWALS, whose="bank", result="refused", bank=profile.name)
    logger.error(
        "a bank's new TLS files cannot be used, those of before stay in use: see `causeway check-config`",
        extra={"bank": profile.name, "cause": key_of(error, profile.connection)},
    )


def _first_inquiry_s(banks: Mapping[str, Bank], name: str) -> float | None:
    """When a bank is asked about its payments that the start found SENDING; None where it cannot be asked."""
    bank = banks.get(name)
    return bank.profile.inquiry.first_after_s if bank and bank.adapter.declaration.inquiry else None
