"""Claims about replaced certificates: new files are tried first, and what cannot be used changes nothing."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PosixPath

import pytest

from gateway.net.tls import TlsFileBad, TlsServerFiles, server_context
from gateway.net.tls_renewal import Renewal, refuse_expired
from tests.fakes.certificates import Authority


@dataclass
class Files:
    """A server's files, and what was told about their replacements."""

    folder: Path
    authority: Authority
    told: list[str] = field(default_factory=list)

    @property
    def files(self) -> TlsServerFiles:
        return TlsServerFiles(self.folder / "server.pem", self.folder / "server.key", self.authority.path)

    def renewal(self) -> Renewal:
        files = self.files
        watched = (files.certificate, files.key, files.client_authority)
        make = partial(server_context, files)
        return Renewal(watched, make, lambda error: self.told.append(error.what), lambda: self.told.append("renewed"))

    def issue(self, days: float) -> None:
        self.authority.issue("server", dns=["localhost"], not_after=datetime.now(UTC) + timedelta(days=days))

    def swap_key_only(self) -> None:
        """The second of two files, before the first: they do not belong together."""
        certificate = self.files.certificate.read_bytes()
        self.issue(2)
        self.files.certificate.write_bytes(certificate)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path, Authority(tmp_path))
    made.issue(1)
    return made


def days_left(renewal: Renewal) -> int:
    until = renewal.expires_at()
    assert until is not None
    return round((until - datetime.now(UTC)) / timedelta(days=1))


def test_a_new_certificate_is_used_and_the_old_context_left_alone(files: Files) -> None:
    """A used context is never changed: whoever holds it goes on with what it showed."""
    renewal = files.renewal()
    before = renewal.context
    files.issue(5)
    assert renewal.renew()
    assert renewal.context is not before
    assert (days_left(renewal), files.told) == (5, ["renewed"])


@pytest.mark.parametrize("breakage", ["garbage", "gone", "another key", "unreadable authority"])
def test_files_that_cannot_be_used_keep_the_old_ones(files: Files, breakage: str) -> None:
    """Whatever is wrong with the new files, the door stays open with the certificate of before, and it is told why;
    files that are put right are taken at the next occasion."""
    renewal = files.renewal()
    before = renewal.context
    {
        "garbage": lambda: files.files.certificate.write_text("no certificate"),
        "gone": files.files.key.unlink,
        "another key": files.swap_key_only,
        "unreadable authority": lambda: files.authority.path.write_text(""),
    }[breakage]()
    assert not renewal.renew()
    assert renewal.context is before
    assert len(files.told) == 1
    if breakage != "unreadable authority":
        files.issue(3)
        assert renewal.now() is not before
        assert days_left(renewal) == 3


class Vanishing(PosixPath):
    """A file that is gone as soon as it was read once."""

    def read_bytes(self) -> bytes:
        data = super().read_bytes()
        self.unlink()
        return data


def test_a_file_replaced_while_it_is_read_ends_nothing(files: Files) -> None:
    """OpenSSL reads the authorities a second time: what it then finds is refused as any other bad file, by name."""
    given = files.files
    gone = Vanishing(given.client_authority)
    with pytest.raises(TlsFileBad) as refused:
        server_context(TlsServerFiles(given.certificate, given.key, gone))
    assert refused.value.path == gone


def test_the_same_broken_files_are_tried_and_told_once(files: Files) -> None:
    """A connection each second must not write a line each second about files that nobody has touched since."""
    renewal = files.renewal()
    files.files.certificate.write_text("no certificate")
    for _ in range(5):
        renewal.now()
    assert len(files.told) == 1


def test_files_that_are_being_replaced_are_left_until_they_stand_still(files: Files) -> None:
    """Two files replaced between two looks: the first look after the change waits, the next one takes both."""
    renewal = files.renewal()
    files.swap_key_only()
    renewal.look()
    assert files.told == []
    files.issue(4)
    renewal.look()
    assert files.told == []
    renewal.look()
    assert (days_left(renewal), files.told) == (4, ["renewed"])
    renewal.look()
    assert files.told == ["renewed"]


def test_a_link_that_leads_elsewhere_is_a_change(files: Files, tmp_path: Path) -> None:
    """Orchestrators replace a whole folder by turning one symbolic link: the files behind it are looked at."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("server.pem", "server.key"):
        shutil.move(tmp_path / name, tmp_path / "a" / name)
    (tmp_path / "now").symlink_to("a")
    for name in ("server.pem", "server.key"):
        (tmp_path / name).symlink_to(Path("now") / name)
    renewal = files.renewal()
    other = Authority(tmp_path / "b")
    other.issue("server", dns=["localhost"], not_after=datetime.now(UTC) + timedelta(days=6))
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").rename(tmp_path / "now")
    renewal.now()
    assert days_left(renewal) == 6


def test_an_expired_certificate_is_told_from_a_good_one(files: Files) -> None:
    """Not-after is held against the clock that is given, and the file is named."""
    context = server_context(files.files)
    now_ns = int(datetime.now(UTC).timestamp() * 1e9)
    refuse_expired(context, files.files.certificate, now_ns)
    with pytest.raises(TlsFileBad, match=r"server\.pem: has expired on"):
        refuse_expired(context, files.files.certificate, now_ns + 2 * 86_400 * 10**9)
