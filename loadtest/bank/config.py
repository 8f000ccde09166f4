"""What a simulated bank is told at start, and every bound it keeps to."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

Mode = Literal["now", "later"]

CONTROL_HOST = "127.0.0.1"  # the control listener has no authentication, so it never leaves this machine

# Bounds, each with its unit and its reason.
CONNECTIONS_MAX = 1_000  # open connections; far above any pool the gateway would keep to one bank
STREAMS_PER_CONNECTION_MAX = 256  # announced in SETTINGS; h2 walks all open streams for each new one
EXCHANGES_MAX = 20_000  # requests being answered at once over all connections; beyond it the bank says 503
BODY_BYTES_MAX = 8 << 20  # one request body; about 10,000 transactions of a bulk pain.001
CONNECTION_BODY_BYTES_MAX = 64 << 20  # unfinished request bodies of one connection together
OUTBOUND_BYTES_MAX = 1 << 20  # unsent bytes of one connection before the bank stops reading from it
HANDSHAKE_S_MAX = 10.0  # a peer that does not finish its TLS handshake in this time is dropped
CLOSE_S_MAX = 1.0  # how long a closing connection waits for the peer's end, so that sent bytes arrive
DELAY_S_MAX = 3_600.0  # longest delay of a sin
SINS_MAX = 1_000  # sins in force at once: each is looked at for each request
REPORTS_PER_ANSWER_MAX = 500  # pain.002 documents in one answer of the mailbox
REPORT_BYTES_PER_ANSWER_MAX = 4 << 20  # and their size together (at least one is always sent)
WORKS_PER_COMMIT_MAX = 512  # requests that share one commit: keeps a commit's work on the loop under ~50 ms
DUTIES_PER_COMMIT_MAX = 256  # settlements and late answers performed in one commit
SWEEP_S = 0.05  # longest time a due settlement waits for its commit


_DELAYS = ("report_delay_s", "settle_delay_s", "visibility_delay_s", "reply_delay_s", "reply_p50_s", "reply_p99_s")


@dataclass(frozen=True, slots=True)
class BankConfig:
    """One simulated bank. Times are seconds; `port` and `control_port` 0 mean: the system chooses."""

    ledger: Path
    certificate: Path
    key: Path
    client_ca: Path
    name: str = "simbank"
    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    mode: Mode = "now"
    report_delay_s: float = 0.1
    settle_delay_s: float = 0.0
    visibility_delay_s: float = 0.0
    reply_delay_s: float = 0.0
    reply_p50_s: float = 0.0
    reply_p99_s: float = 0.0
    reply_seed: int = 1
    dedupe: bool = False
    max_amount: Decimal = Decimal("999999999.99")
    log_json: bool = False
    connections_max: int = CONNECTIONS_MAX
    exchanges_max: int = EXCHANGES_MAX

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 20:
            raise ValueError(f"name: 1 to 20 characters, not {self.name!r}")
        if self.mode not in ("now", "later"):
            raise ValueError(f"mode: now or later, not {self.mode!r}")
        for key in _DELAYS:
            if not 0 <= getattr(self, key) <= DELAY_S_MAX:
                raise ValueError(f"{key}: 0 to {DELAY_S_MAX:.0f} seconds, not {getattr(self, key)!r}")
        if self.reply_p99_s < self.reply_p50_s or bool(self.reply_p50_s) != bool(self.reply_p99_s):
            raise ValueError("reply_p50_s and reply_p99_s: both, and the 99th percentile not below the median")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a running bank listens: HTTP over mutual TLS, and the plaintext control listener on loopback."""

    port: int
    control_port: int
