"""Certificates that are replaced while we run: the next connection gets the new ones, running connections keep theirs.

What can go wrong is the replacement: two files that are written one after the other do not belong together for a
moment, and a wrong file would take the door off its hinges at the next connection. So new files are tried first, and
until they can be used the context made from the last good ones stays. The same wrong files are told once.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from OpenSSL import SSL

from gateway.net.tls import TlsFileBad

Stamp = tuple[tuple[int, int, int], ...]
"""For each file (mtime in ns, inode, size), of what a symbolic link leads to; zeros where there is none."""


class Renewal:
    """The context of `files`, made by `make` (which may raise TlsFileBad), and whether a new one is due."""

    def __init__(
        self,
        files: Sequence[Path],
        make: Callable[[], SSL.Context],
        refused: Callable[[TlsFileBad], None],
        renewed: Callable[[], None] = lambda: None,
    ) -> None:
        """Makes the first context. Raises TlsFileBad: there is no older one to stay with. Later `refused` is told why
        new files cannot be used, `renewed` that they are in use."""
        self._files = tuple(files)
        self._make = make
        self._refused = refused
        self._renewed = renewed
        self._tried = self._seen = stamp(self._files)
        self.context = make()

    def expires_at(self) -> datetime | None:
        """Not-after (UTC) of the certificate that new connections are shown."""
        return context_expires_at(self.context)

    def renew(self) -> bool:
        """Tries the files as they are now. False: they cannot be used, the context stays."""
        # Before they are read: what changes while we read is tried again.
        self._tried = self._seen = stamp(self._files)
        try:
            self.context = self._make()
        except TlsFileBad as error:
            self._refused(error)
            return False
        self._renewed()
        return True

    def now(self) -> SSL.Context:
        """The context for a connection that is made now: of the newest files that can be used."""
        if stamp(self._files) != self._tried:
            self.renew()
        return self.context

    def look(self) -> None:
        """To be called now and then: renews when files have changed, and stood still since the look before."""
        stamp_now = stamp(self._files)
        still, self._seen = stamp_now == self._seen, stamp_now
        if still and stamp_now != self._tried:
            self.renew()


def stamp(files: Sequence[Path]) -> Stamp:
    return tuple(map(_stamp_of, files))


def context_expires_at(context: SSL.Context) -> datetime | None:
    """Not-after (UTC) of the certificate that this context presents."""
    certificate = SSL.Connection(context, None).get_certificate(as_cryptography=True)
    return None if certificate is None else certificate.not_valid_after_utc


def refuse_expired(context: SSL.Context, file: Path, now_ns: int) -> None:
    """Raises TlsFileBad where the certificate that the context presents has expired at `now_ns` (Unix time)."""
    until = context_expires_at(context)
    if until is not None and until.timestamp() * 1e9 <= now_ns:
        raise TlsFileBad(file, f"has expired on {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC")


def _stamp_of(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0  # not there, or not ours to see: what reads it says so
    return found.st_mtime_ns, found.st_ino, found.st_size
