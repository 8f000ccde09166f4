"""A house to measure: the daemon and one simulated bank, on loopback, each on its core, with a folder of their own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest import papers, processes
from loadtest.ask import Asker
from loadtest.bank.ledger import Ledger
from loadtest.instructions import DEBTOR
from loadtest.link import Address
from loadtest.processes import Cores, Process

BANK = "loadbank"
NOBODY = 1  # a port on which nothing listens

_DAEMON = """\
# Written by loadtest; conf/causeway.toml explains every key.
data_dir = "data"
banks_dir = "banks"
drain_s = 1.0

[listen.tls]
port = 0
certificate_file = "tls/daemon.pem"
key_file = "tls/daemon.key"
client_ca_file = "tls/ca.pem"

[listen.plaintext]
port = 0
principal = "load"

[grpc]
connection_age_s_max = 604800.0
streams_per_connection_max = 256

[principals.load]
tenant = "load"
certificates = ["uri:{client_uri}"]

[telemetry]
traces = "{traces}"
traces_sample_ratio = {traces_sample_ratio}
otlp_endpoint = "{otlp_endpoint}"
log_level = "warning"
"""

_BANK = """\
# Written by loadtest.
display_name = "Load bank"
accounts = ["{account}"]

[connection]
host = "127.0.0.1"
port = {port}
server_name = "localhost"
certificate_file = "../tls/bank-client.pem"
key_file = "../tls/bank-client.key"
ca_file = "../tls/ca.pem"
sessions_max = {sessions}
streams_per_session_max = {streams}

[lane]
in_flight_max = {in_flight}
request_timeout_s = {request_timeout_s}
retry_first_s = 0.5
breaker_failures = {breaker_failures}
breaker_open_s = {breaker_open_s}
bulk_lines_max = {bulk_lines_max}

[inquiry]
first_after_s = 1.0
again_after_s = 1.5
per_payment_max = 20
window_s = 300.0
per_second_max = 100.0

[collect]
enabled = false

[protocol_settings]
initiating_party_name = "Load Test AG"
company_name = "Load Test AG"
dialect = "sepa"
not_found_is_proof = true
visibility_s = 3.0
bulk_lines_max = {bulk_lines_max}
"""


@dataclass(frozen=True, slots=True)
class HouseSettings:
    """How the daemon and its bank are set up; the keys of a scenario's [house] and [bank] tables."""

    reachable: bool = True
    """False: nothing listens where the bank should be, and the lane pauses after its first try: admission alone."""
    bulk_lines_max: int = 1
    in_flight: int = 200
    sessions: int = 2
    request_timeout_s: float = 30.0
    traces: str = "none"
    traces_sample_ratio: float = 0.01
    otlp_endpoint: str = "http://127.0.0.1:4318"
    collector: bool = False
    """True: a collector that takes everything runs beside the bank, and is the endpoint."""
    bank_p50_ms: float = 0.0
    bank_p99_ms: float = 0.0
    bank_fault_rate: float = 0.0

    def __post_init__(self) -> None:
        if self.in_flight > self.sessions * 1_000:
            raise ValueError("in_flight: at most 1,000 for each of the sessions")


class House:
    """Running from `__enter__` to `__exit__`. Raises processes.Failed when a part of it does not get ready."""

    def __init__(self, folder: Path, settings: HouseSettings, cores: Cores) -> None:
        self.folder = folder
        self.settings = settings
        self.cores = cores
        self._started: list[Process] = []

    def __enter__(self) -> "House":
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def address(self, listener: str) -> Address:
        """`plaintext` or `tls` (mutual)."""
        host, _, port = self.daemon.ready["listening"][listener].rpartition(":")
        if listener == "plaintext":
            return Address(host, int(port))
        files = self.papers
        return Address(host, int(port), str(files.ca), str(files.certificate("client")), str(files.key("client")))

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger")

    def store_bytes(self) -> int:
        """What the data directory takes on the disk (blocks, not the map's size)."""
        return sum(file.stat().st_blocks * 512 for file in (self.folder / "data").rglob("*") if file.is_file())

    def check(self) -> None:
        """Raises Failed when the daemon or the bank has ended by itself."""
        for process in self._started:
            if process.child.poll() is not None:
                raise processes.Failed(f"{process.name} ended by itself; the end of its log:\n{process.tail()}")

    def _start(self) -> None:
        self.papers = papers.make(self.folder / "tls")
        self.bank = self._child("bank", ["-m", "loadtest.bank", *self._bank_words()], self.cores.load)
        endpoint = self.settings.otlp_endpoint
        if self.settings.collector:
            collector = self._child("collector", ["-m", "loadtest.collector"], self.cores.load)
            endpoint = f"http://127.0.0.1:{collector.ready['port']}"
        self._write(int(self.bank.ready["port"]), endpoint)
        words = ["-m", "gateway", "serve", "--config", str(self.folder / "causeway.toml")]
        self.daemon = self._child("daemon", words, self.cores.server)
        plaintext = self.address("plaintext")
        self.asker = Asker(plaintext.host, plaintext.port)

    def _child(self, name: str, words: list[str], core: int | None) -> Process:
        process = processes.start(name, words, self.folder / f"{name}.log", core)
        self._started.append(process)
        return process

    def _stop(self) -> None:
        if hasattr(self, "asker"):
            self.asker.close()
        for process in reversed(self._started):
            process.stop()

    def _bank_words(self) -> list[str]:
        words: dict[str, Any] = {
            "name": BANK,
            "ledger": self.folder / "ledger",
            "cert": self.papers.certificate("bank"),
            "key": self.papers.key("bank"),
            "client-ca": self.papers.ca,
            "reply-p50-ms": self.settings.bank_p50_ms,
            "reply-p99-ms": self.settings.bank_p99_ms,
            "sins": self._faults(),
        }
        return [part for name, value in words.items() for part in (f"--{name}", str(value))]

    def _faults(self) -> Path:
        """Half of them a 503 before the booking, half an answer that breaks off after it: a doubt each."""
        share = {"probability": self.settings.bank_fault_rate / 2, "seed": 1}
        faults = [
            {"kind": "status", "when": "before", "code": 503, **share},
            {"kind": "rst", "when": "after", **share, "seed": 2},
        ]
        file = self.folder / "faults.json"
        file.write_text(json.dumps(faults if self.settings.bank_fault_rate else []))
        return file

    def _write(self, bank_port: int, otlp_endpoint: str) -> None:
        settings = self.settings
        daemon = _DAEMON.format(
            client_uri=papers.CLIENT_URI,
            traces=settings.traces,
            traces_sample_ratio=settings.traces_sample_ratio,
            otlp_endpoint=otlp_endpoint,
        )
        (self.folder / "causeway.toml").write_text(daemon)
        profile = _BANK.format(
            account=DEBTOR,
            port=bank_port if settings.reachable else NOBODY,
            breaker_failures=50 if settings.reachable else 1,
            breaker_open_s=0.5 if settings.reachable else 3_600.0,
            sessions=settings.sessions,
            streams=max(settings.in_flight // settings.sessions, 1),
            in_flight=settings.in_flight,
            request_timeout_s=settings.request_timeout_s,
            bulk_lines_max=settings.bulk_lines_max,
        )
        (self.folder / "banks").mkdir(exist_ok=True)
        (self.folder / "banks" / f"{BANK}.toml").write_text(profile)
