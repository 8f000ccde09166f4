"""`causeway check-config`: it finds what would stop the daemon, or keep a bank from being reached."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.cli.complaint import Exit
from gateway.devca import DevCa

CONFIG = """\
data_dir = "data"
banks_dir = "banks"

[listen.tls]
certificate_file = "{tls}/server.pem"
key_file = "{server_key}"
client_ca_file = "{tls}/ca.pem"

[principals.erp]
tenant = "treasury"
certificates = ["cn:erp"]
"""
BANK = """\
display_name = "Northbank"
accounts = ["DE89370400440532013000"]

[connection]
host = "127.0.0.1"
port = 8443
server_name = "localhost"
certificate_file = "{tls}/client.pem"
key_file = "{bank_key}"
ca_file = "{tls}/ca.pem"

[protocol_settings]
initiating_party_name = "Example Trading AG"
{setting}
"""


def _configured(
    folder: Path, ca: DevCa, *, server_key: str = "server", bank_key: str = "client", setting: str = ""
) -> str:
    (folder / "banks").mkdir()
    file, tls = folder / "causeway.toml", ca.folder
    file.write_text(CONFIG.format(tls=tls, server_key=tls / f"{server_key}.key"))
    bank = BANK.format(tls=tls, bank_key=tls / f"{bank_key}.key", setting=setting)
    (folder / "banks" / "northbank.toml").write_text(bank)
    return str(file)


def test_a_good_configuration_is_told(test_ca: DevCa, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and the bank is named."""
    assert main(["check-config", _configured(tmp_path, test_ca)]) == Exit.DONE
    assert "northbank" in capsys.readouterr().out


def test_a_typo_in_the_adapters_settings_is_found(
    test_ca: DevCa, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon would not start with it, so the check does not pass it."""
    file = _configured(tmp_path, test_ca, setting='dialekt = "sepa"')
    assert main(["check-config", file]) == Exit.REFUSED
    assert "bank northbank: protocol_settings.dialekt" in capsys.readouterr().err


def test_keys_of_other_certificates_are_found_at_once(
    test_ca: DevCa, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A listener's wrong key stops the start; a bank's would show only as a lane that never gets through."""
    file = _configured(tmp_path, test_ca, server_key="client", bank_key="server")
    assert main(["check-config", file]) == Exit.REFUSED
    told = capsys.readouterr().err
    assert "listen.tls: " in told
    assert "bank northbank: connection: " in told
