"""Claims about a configuration that can be loaded and still cannot work: it is refused before anything is opened."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import config as configuration
from gateway.daemon import EXIT_CONFIG, flaws, run
from gateway.devca import DevCa

MAIN = """\
data_dir = "data"
banks_dir = "banks"

[listen.tls]
port = 0
certificate_file = "tls/causeway.pem"
key_file = "tls/causeway.key"
client_ca_file = "tls/ca.pem"

[principals.erp]
tenant = "treasury"
certificates = ["uri:spiffe://example.org/erp"]

[telemetry]
traces = "none"
"""
BANK = """\
display_name = "Northbank AG"
accounts = ["DE89370400440532013000"]

[connection]
host = "127.0.0.1"
port = 8443
server_name = "localhost"
certificate_file = "../tls/client.pem"
key_file = "../tls/client.key"
ca_file = "../tls/ca.pem"

[protocol_settings]
initiating_party_name = "Example"
"""
Spoilt = Callable[[str, str], Path]


@pytest.fixture
def spoilt(tmp_path: Path) -> Spoilt:
    """spoilt(before, after) → causeway.toml of a right configuration with one thing changed."""
    authority = DevCa.open_or_create(tmp_path / "tls")
    authority.server("causeway")
    authority.client("client", "spiffe://example.org/daemon")
    (tmp_path / "tls" / "junk.pem").write_text("hello")

    def write(before: str, after: str) -> Path:
        assert before in MAIN + BANK
        (tmp_path / "banks").mkdir()
        (tmp_path / "banks" / "northbank.toml").write_text(BANK.replace(before, after))
        path = tmp_path / "causeway.toml"
        path.write_text(MAIN.replace(before, after))
        return path

    return write


def test_a_right_configuration_has_no_flaws(spoilt: Spoilt) -> None:
    """What can work is not complained of."""
    path = spoilt("Example", "Another")
    assert flaws(path, configuration.load(path)) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("tls/causeway.pem", "tls/junk.pem", ("causeway.toml: listen.tls:", "junk.pem", "PEM")),
        ("tls/causeway.key", "tls/client.key", ("causeway.toml: listen.tls:", "client.key", "not the key")),
        ("../tls/client.pem", "../tls/junk.pem", ("northbank.toml: connection:", "junk.pem", "PEM")),
        ("../tls/client.key", "../tls/causeway.key", ("northbank.toml: connection:", "causeway.key", "not the key")),
        ("initiating_party_name", "initiating_party", ("northbank.toml: protocol_settings.", "allowed")),
        ('"none"', '"file:no/such/spans.jsonl"', ("causeway.toml: telemetry.traces:", "spans.jsonl")),
    ],
)
def test_what_cannot_work_is_refused_with_file_and_key(
    spoilt: Spoilt, before: str, after: str, words: tuple[str, ...]
) -> None:
    """Exit code 2, one line, and the data directory is not touched; check-config asks the same function."""
    path, told = spoilt(before, after), io.StringIO()
    assert run(path, out=io.StringIO(), err=told) == EXIT_CONFIG
    (line,) = told.getvalue().splitlines()
    for word in words:
        assert word in line
    assert not (path.parent / "data").exists()
