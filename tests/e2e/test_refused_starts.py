"""What a daemon refuses: a second of its kind, callers without a known certificate, a wrong configuration."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from causeway.v1 import payment_service_pb2, payment_service_pb2_grpc
from gateway.cli.door import read_profile
from gateway.devca import DevCa
from tests.e2e.stage import House, running_house

START_S_MAX = 20


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("e2e") / "house") as running:
        yield running


def serve(config: Path) -> "subprocess.CompletedProcess[str]":
    """A daemon that is expected to end by itself at once."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX)


def changed_config(house: House, name: str, before: str, after: str) -> Path:
    """The house's configuration with one change, as a file beside it (its paths are relative)."""
    text = house.folder.config.read_text()
    assert before in text
    file = house.folder.root / name
    file.write_text(text.replace(before, after))
    return file


def test_a_second_daemon_on_the_data_directory_fails_plainly(house: House) -> None:
    """One data directory, one daemon: exit code ≠ 0 at once, with the directory named and no traceback."""
    done = serve(house.folder.config)
    assert done.returncode == 3
    assert str(house.folder.data) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_daemon_on_the_port_fails_plainly(house: House) -> None:
    """The listener binds alone: exit code ≠ 0 at once, with the port named and no traceback."""
    port = read_profile(house.folder.profile)["address"].rpartition(":")[2]
    config = changed_config(house, "same_port.toml", "port = 0", f"port = {port}")
    config.write_text(config.read_text().replace('data_dir = "data"', 'data_dir = "other-data"'))
    done = serve(config)
    assert done.returncode == 3
    assert "already in use" in done.stderr
    assert "listen.tls.port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("before", "after", "key", "allowed"),
    [
        ("drain_s = 2.0", "drain_s = 500.0", "drain_s", "20"),
        ("drain_s = 2.0", "drian_s = 2.0", "drian_s", "drain_s"),
        ('host = "127.0.0.1"', 'host = "127.0.0.1"\nport_ = 1', "listen.tls.port_", "port"),
        ("[principals.demo]", "[principals.demo]\nroles = 7", "principals.demo.roles", "must be"),
    ],
)
def test_a_wrong_configuration_names_file_key_and_what_is_allowed(
    house: House, before: str, after: str, key: str, allowed: str
) -> None:
    """Exit code 2; the message leads to the line to correct. check-config says the same."""
    config = changed_config(house, "wrong.toml", before, after)
    done = serve(config)
    assert done.returncode == 2
    for text in ("wrong.toml", key, allowed):
        assert text in done.stderr
    assert "Traceback" not in done.stderr
    command = [sys.executable, "-m", "gateway", "check-config", str(config)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX)
    assert checked.returncode == 1
    assert key in checked.stderr


def _call(address: str, credentials: grpc.ChannelCredentials) -> grpc.StatusCode:
    with grpc.secure_channel(address, credentials) as channel:
        stub = payment_service_pb2_grpc.PaymentServiceStub(channel)
        try:
            stub.ListPayments(payment_service_pb2.ListPaymentsRequest(), timeout=10)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
            return code
        return grpc.StatusCode.OK


def test_a_caller_without_a_certificate_is_refused_at_tls(house: House) -> None:
    """No certificate, or one of another authority: no call gets through, not even to be refused."""
    profile = read_profile(house.folder.profile)
    ca = Path(profile["ca"]).read_bytes()
    assert _call(profile["address"], grpc.ssl_channel_credentials(ca)) is grpc.StatusCode.UNAVAILABLE
    folder = house.folder.root / "stranger"
    theirs = DevCa.open_or_create(folder).client("demo", "spiffe://causeway.example/demo")
    strange = grpc.ssl_channel_credentials(ca, theirs.key_file.read_bytes(), theirs.certificate_file.read_bytes())
    assert _call(profile["address"], strange) is grpc.StatusCode.UNAVAILABLE
    shutil.rmtree(folder)


def test_a_certificate_of_nobody_is_refused(house: House) -> None:
    """The right authority, but no principal of that name: the call is refused with PERMISSION_DENIED."""
    profile = read_profile(house.folder.profile)
    nobody = DevCa.open_or_create(house.folder.tls).client("nobody", "spiffe://causeway.example/nobody")
    credentials = grpc.ssl_channel_credentials(
        Path(profile["ca"]).read_bytes(), nobody.key_file.read_bytes(), nobody.certificate_file.read_bytes()
    )
    assert _call(profile["address"], credentials) is grpc.StatusCode.PERMISSION_DENIED
