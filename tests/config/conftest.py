"""A small, right configuration on disk, and a way to spoil it."""

from collections.abc import Callable
from pathlib import Path

import pytest

MAIN = """\
data_dir = "data"
banks_dir = "banks"

[listen.tls]
certificate_file = "tls/server.pem"
key_file = "tls/server.key"
client_ca_file = "tls/ca.pem"

[principals.erp]
tenant = "treasury"
certificates = ["uri:spiffe://example.org/erp"]
"""

BANK = """\
display_name = "Northbank AG"
accounts = ["DE89 3704 0044 0532 0130 00"]

[connection]
host = "127.0.0.1"
port = 8443
server_name = "localhost"
certificate_file = "../tls/client.pem"
key_file = "../tls/client.key"
ca_file = "../tls/ca.pem"
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(main=…, **banks) → the path of causeway.toml; the files it names exist."""
    for name in ("server.pem", "server.key", "client.pem", "client.key", "ca.pem"):
        file = tmp_path / "tls" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("in the tests, only its being there counts")
        file.chmod(0o600)
    (tmp_path / "banks").mkdir()

    def write(main: str = MAIN, **banks: str) -> Path:
        for name, text in (banks or {"northbank": BANK}).items():
            (tmp_path / "banks" / f"{name}.toml").write_text(text)
        path = tmp_path / "causeway.toml"
        path.write_text(main)
        return path

    return write
