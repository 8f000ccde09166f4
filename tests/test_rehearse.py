"""Claims about what a start checks before it opens anything."""

from pathlib import Path

import pytest

from gateway.config import Config, load
from gateway.daemon import CannotStart, rehearse
from tests.fakes.certificates import Authority


def written(folder: Path, *, bank_key: str = "client.key", settings: str = "") -> Config:
    """A configuration with one bank; the certificates are made, the keys as named."""
    authority = Authority(folder)
    authority.issue("server", dns=["localhost"])
    authority.issue("client", client=True)
    (folder / "banks").mkdir()
    (folder / "banks" / "northbank.toml").write_text(f"""
display_name = "Northbank"
accounts = ["DE89370400440532013000"]
[connection]
host = "127.0.0.1"
port = 1
server_name = "localhost"
certificate_file = "../client.pem"
key_file = "../{bank_key}"
ca_file = "../ca.pem"
[protocol_settings]
initiating_party_name = "Example GmbH"
{settings}
""")
    (folder / "causeway.toml").write_text("""
data_dir = "data"
banks_dir = "banks"
[listen.tls]
certificate_file = "server.pem"
key_file = "server.key"
client_ca_file = "ca.pem"
[principals.erp]
tenant = "treasury"
""")
    return load(folder / "causeway.toml")


def test_a_good_configuration_passes(tmp_path: Path) -> None:
    """Nothing is opened and nothing is said."""
    rehearse(written(tmp_path))
    assert not (tmp_path / "data").exists()


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    """A key of another certificate and a setting the adapter does not know: both, with the bank and the key's name."""
    config = written(tmp_path, bank_key="server.key", settings='pain001_version = "001.99"')
    with pytest.raises(CannotStart) as caught:
        rehearse(config)
    text = str(caught.value)
    assert "bank northbank: protocol_settings.pain001_version" in text
    assert "bank northbank: connection:" in text
    assert "server.key" in text
