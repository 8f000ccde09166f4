"""How the command line finds a daemon, and what it says when there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.cli.complaint import Exit
from gateway.cli.patience import Patience
from gateway.cli.refusal import Refusal
from gateway.devca import DevCa
from tests.cli.conftest import Served, write_profile


def test_nobody_listening_is_told_plainly(test_ca: DevCa, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, and a hint to start the daemon; never a traceback."""
    profile = write_profile(tmp_path, test_ca, "127.0.0.1:1")
    assert main(["list", "--profile", str(profile)]) == Exit.UNREACHABLE
    told = capsys.readouterr().err
    assert "nobody listens there" in told
    assert "Traceback" not in told


def test_a_strange_ca_is_told_as_a_tls_matter(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that our CA file does not vouch for is not talked to, and the message names --ca."""
    other = DevCa.open_or_create(tmp_path / "other")
    assert main(["banks", "--profile", served.profile, "--ca", str(other.ca_file)]) == Exit.UNREACHABLE
    assert "--ca" in capsys.readouterr().err


def test_a_strange_client_certificate_is_told_as_a_tls_matter(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate of another CA is refused by the daemon; the message names --cert."""
    theirs = DevCa.open_or_create(tmp_path / "other").client("client", "spiffe://example.org/client")
    words = [
        "banks",
        "--profile",
        served.profile,
        "--cert",
        str(theirs.certificate_file),
        "--private-key",
        str(theirs.key_file),
    ]
    assert main(words) == Exit.UNREACHABLE
    assert "--cert" in capsys.readouterr().err


def test_no_profile_names_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without flags and profile: usage, and all ways to name a daemon."""
    monkeypatch.delenv("CAUSEWAY_PROFILE", raising=False)
    assert main(["list"]) == Exit.USAGE
    told = capsys.readouterr().err
    assert "--address" in told
    assert "CAUSEWAY_PROFILE" in told


def test_the_environment_names_the_profile(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """CAUSEWAY_PROFILE is enough for every client command."""
    monkeypatch.setenv("CAUSEWAY_PROFILE", served.profile)
    assert main(["list"]) == Exit.DONE


def test_an_unknown_key_in_a_profile_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt key is named with what is allowed."""
    profile = tmp_path / "profile.toml"
    profile.write_text('adress = "127.0.0.1:1"\n')
    assert main(["list", "--profile", str(profile)]) == Exit.USAGE
    told = capsys.readouterr().err
    assert "adress" in told
    assert "address" in told


def test_patience_is_bounded_and_keeps_to_what_the_daemon_asks() -> None:
    """Tries end; pauses grow; a RetryInfo is obeyed; a refusal is never tried again."""
    pauses: list[float] = []
    patience = Patience(pauses.append, tries_max=4)
    gone = Refusal("UNAVAILABLE", "")
    assert [patience.again(gone) for _ in range(5)] == [True, True, True, False, False]
    assert pauses == sorted(pauses)
    patience.progress()
    assert patience.again(Refusal("RESOURCE_EXHAUSTED", "", "OVERLOADED", retry_after_s=7))
    assert pauses[-1] == 7
    assert not patience.again(Refusal("RESOURCE_EXHAUSTED", "", "OVERLOADED", retry_after_s=3600))
    assert not patience.again(Refusal("INVALID_ARGUMENT", ""))


def test_help_and_states_import_no_network_library() -> None:
    """`--help` and `states` stay fast: neither grpc nor protobuf is loaded."""
    code = (
        "import sys\nfrom gateway.__main__ import main\nmain(['states', '--markdown'])\n"
        "loud = {'grpc', 'google.protobuf', 'trio', 'lmdb', 'h2', 'OpenSSL'} & set(sys.modules)\n"
        "assert not loud, loud"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert ran.returncode == 0, ran.stderr


def test_a_name_that_nobody_knows_is_no_matter_of_trust(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that cannot be resolved is told as such: nobody goes looking for a wrong certificate."""
    assert main(["list", "--profile", served.profile, "--address", "127.0.0.1:none"]) == Exit.UNREACHABLE
    told = capsys.readouterr().err
    assert "HOST:PORT" in told
    assert "trust" not in told


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_to_wait_is_finite_and_above_zero(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be waited for is wrong usage, not a daemon that does not answer."""
    with pytest.raises(SystemExit) as ended:
        main(["list", "--timeout", text])
    assert ended.value.code == Exit.USAGE
    assert "--timeout" in capsys.readouterr().err
