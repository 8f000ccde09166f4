"""A fake daemon behind mutual TLS on loopback, and a profile that leads to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.devca import DevCa
from tests.cli.fake_gateway import FakeGateway


@dataclass
class Served:
    """A running fake: `profile` is what `--profile` wants."""

    gateway: FakeGateway
    profile: str
    ca: DevCa


@pytest.fixture(scope="session")
def test_ca(tmp_path_factory: pytest.TempPathFactory) -> DevCa:
    ca = DevCa.open_or_create(tmp_path_factory.mktemp("pki"))
    ca.server("server")
    ca.client("client", "spiffe://example.org/client")
    return ca


@pytest.fixture
def served(test_ca: DevCa, tmp_path: Path) -> Iterator[Served]:
    gateway, folder = FakeGateway(), test_ca.folder
    server, port = gateway.serve(
        (folder / "server.key").read_bytes(), (folder / "server.pem").read_bytes(), test_ca.ca_file.read_bytes()
    )
    profile = write_profile(tmp_path, test_ca, f"127.0.0.1:{port}")
    yield Served(gateway, str(profile), test_ca)
    gateway.stopping.set()
    with gateway.changed:
        gateway.changed.notify_all()
    server.stop(grace=0).wait(5)


def write_profile(folder: Path, ca: DevCa, address: str) -> Path:
    profile = folder / "profile.toml"
    profile.write_text(
        f'address = "{address}"\nca = "{ca.ca_file}"\n'
        f'cert = "{ca.folder}/client.pem"\nprivate_key = "{ca.folder}/client.key"\n'
    )
    return profile
