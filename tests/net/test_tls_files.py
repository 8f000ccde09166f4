"""Certificates and keys from files: what is wrong is said, with the file's name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from gateway.net.tls import TlsFileBad, client_context, expires_at, file_expires_at, server_context, sni_of
from tests.fakes.papers import Papers


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, passphrase: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


BAD: list[tuple[str, Callable[[Papers], bytes] | None, str]] = [
    ("certificate", None, "cannot be read"),
    ("certificate", lambda papers: b"", "does not hold PEM certificates"),
    ("certificate", lambda papers: papers.client[1].read_bytes(), "does not hold PEM certificates"),
    ("key", None, "cannot be read"),
    ("key", lambda papers: b"-----BEGIN NONSENSE-----", "does not hold a PEM private key"),
    ("key", lambda papers: papers.client[0].read_bytes(), "does not hold a PEM private key"),
    ("key", lambda papers: papers.server[1].read_bytes(), "not the key of"),
    ("key", lambda papers: _pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "without passphrase"),
    ("key", lambda papers: _pem(ed25519.Ed25519PrivateKey.generate()), "RSA or elliptic curve"),
    ("authority", None, "cannot be read"),
    ("authority", lambda papers: b"garbage", "does not hold PEM certificates"),
    ("revocations", None, "cannot be read"),
    ("revocations", lambda papers: b"garbage", "does not hold PEM revocation lists"),
    ("revocations", lambda papers: papers.authority.path.read_bytes(), "does not hold PEM revocation lists"),
]


@pytest.mark.parametrize(("field", "content", "words"), BAD)
def test_bad_file_is_named(
    field: str, content: Callable[[Papers], bytes] | None, words: str, papers: Papers, tmp_path: Path
) -> None:
    """Whatever is wrong with a file, the error names that file and says what it should hold, for both roles."""
    path = tmp_path / "culprit.pem"
    if content is not None:
        path.write_bytes(content(papers))
    ours = papers.client_files()
    with pytest.raises(TlsFileBad, match=words) as caught:
        client_context(replace(ours, **{field: path}))
    assert caught.value.path == path
    assert "culprit.pem" in str(caught.value)

    theirs = papers.server_files(papers.client)
    with pytest.raises(TlsFileBad, match=words):
        server_context(replace(theirs, **{"client_authority" if field == "authority" else field: path}))


def test_expiry_is_read(papers: Papers) -> None:
    """Not-after comes out in UTC, from a file and from DER."""
    certificate = papers.authority.certificate
    assert file_expires_at(papers.authority.path) == certificate.not_valid_after_utc
    assert expires_at(certificate.public_bytes(Encoding.DER)) == certificate.not_valid_after_utc


def test_several_revocation_lists_in_one_file(papers: Papers, tmp_path: Path) -> None:
    """A file may hold the lists of several issuers one after the other."""
    one = papers.authority.revoke().read_bytes()
    lists = tmp_path / "lists.pem"
    lists.write_bytes(b"# first\n" + one + b"# second\n" + one)
    assert client_context(replace(papers.client_files(), revocations=lists))


def test_addresses_are_not_sent_as_names() -> None:
    """SNI carries host names only."""
    assert (sni_of("bank.example"), sni_of("192.0.2.1"), sni_of("2001:db8::1")) == ("bank.example", None, None)
