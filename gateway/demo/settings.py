"""The demo's configuration files: causeway.toml, two bank profiles and the profile for client commands."""

from dataclasses import dataclass

from gateway.demo.folder import Folder
from gateway.demo.instructions import ALPENBANK_ACCOUNT, NORTHBANK_ACCOUNT

CLIENT_URI = "spiffe://causeway.example/demo"
"""The demo's client, in its certificate and among the daemon's principals."""
DAEMON_URI = "spiffe://causeway.example/daemon"
"""The daemon towards the banks."""


@dataclass(frozen=True, slots=True)
class DemoBank:
    """One simulated bank and how the daemon speaks to it."""

    name: str
    display_name: str
    account: str
    sim_flags: tuple[str, ...]
    """Options of `causeway bank-sim`."""
    dialect: str
    bic: str
    tables: str
    """Lines of the profile that say how an accepted payment is followed: by inquiry, or through the mailbox."""


_NO_MAILBOX = """\
follow_after_s = 1.2
follow_again_s = 0.5
follow_max = 100
per_second_max = 50.0

[collect]
enabled = false
"""
_MAILBOX = """\
[collect]
every_s = 0.5
"""

NORTHBANK = DemoBank(
    name="northbank",
    display_name="Northbank: SEPA, answers at once, is asked what became of a payment",
    account=NORTHBANK_ACCOUNT,
    sim_flags=("--mode", "now", "--settle-delay-s", "1"),
    dialect="sepa",
    bic="COBADEFFXXX",
    tables=_NO_MAILBOX,
)
ALPENBANK = DemoBank(
    name="alpenbank",
    display_name="Alpenbank: Swiss, answers later, through a mailbox",
    account=ALPENBANK_ACCOUNT,
    sim_flags=("--mode", "later", "--report-delay-s", "0.5", "--settle-delay-s", "2"),
    dialect="swiss",
    bic="ZKBKCHZZ80A",
    tables=_MAILBOX,
)
BANKS = (NORTHBANK, ALPENBANK)

_CAUSEWAY = """\
# Written by `causeway demo`; conf/causeway.toml explains every key.
data_dir = "data"
banks_dir = "banks"
drain_s = 2.0

[listen.tls]
host = "127.0.0.1"
port = {port}
certificate_file = "tls/causeway.pem"
key_file = "tls/causeway.key"
client_ca_file = "tls/ca.pem"

[principals.demo]
tenant = "demo"
certificates = ["{client_uri}"]

[telemetry]
traces = "file:spans.jsonl"
traces_sample_ratio = 1.0
"""

_BANK = """\
# Written by `causeway demo`. Waits are short here, so that there is something to see; a real bank needs patience.
display_name = "{display_name}"
accounts = ["{account}"]

[connection]
host = "127.0.0.1"
port = {port}
server_name = "localhost"
certificate_file = "../tls/bank-client.pem"
key_file = "../tls/bank-client.key"
ca_file = "../tls/ca.pem"

[inquiry]
first_after_s = 2.0
again_after_s = 2.0
per_payment_max = 20
window_s = 60.0
{tables}
[protocol_settings]
initiating_party_name = "Causeway Demo AG"
company_name = "Causeway Demo AG"
dialect = "{dialect}"
debtor_agent_bic = "{bic}"
not_found_is_proof = true
visibility_s = 3.0

[protocol_settings.company_address]
street = "Musterweg"
building = "1"
postal_code = "8000"
town = "Musterstadt"
country = "CH"
"""

_PROFILE = """\
# How client commands reach the demo's daemon: export CAUSEWAY_PROFILE={file}
address = "{address}"
ca = "tls/ca.pem"
cert = "tls/demo.pem"
private_key = "tls/demo.key"
"""


def write_daemon(folder: Folder, bank_ports: dict[str, int]) -> None:
    """causeway.toml and the bank profiles. `bank_ports` is where each simulated bank listens."""
    folder.config.write_text(_CAUSEWAY.format(port=0, client_uri=f"uri:{CLIENT_URI}"))
    for bank in BANKS:
        text = _BANK.format(
            display_name=bank.display_name,
            account=bank.account,
            port=bank_ports[bank.name],
            dialect=bank.dialect,
            bic=bank.bic,
            tables=bank.tables,
        )
        (folder.banks / f"{bank.name}.toml").write_text(text)


def write_profile(folder: Folder, address: str) -> None:
    """The profile for client commands. `address` is where the daemon listens (HOST:PORT)."""
    folder.profile.write_text(_PROFILE.format(address=address, file=folder.profile))
