"""TLS contexts from PEM files, and the checks a client makes after the handshake.

A context that has made a connection is never changed. Rotation is: build a new one from the files as they are now,
and use it for the next connection.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeVar, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from gateway.net.tls_stream import TlsError, TlsStream

T = TypeVar("T")
TlsContext = SSL.Context  # the name other rooms use, so that OpenSSL keeps to this one

HTTP2: Final = "h2"
HTTP1: Final = "http/1.1"
ALPN: Final = (HTTP2, HTTP1)

# TLS 1.2 without the suites that RFC 9113 appendix A forbids to HTTP/2; TLS 1.3 keeps OpenSSL's own list.
CIPHERS_TLS12: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"


class TlsFileBad(ValueError):
    """A certificate, key or list cannot be used. The text names the file and says what is wrong with it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class PeerNotTrusted(TlsError):
    """The handshake succeeded, but with somebody else: wrong name or wrong key."""


class NoCommonProtocol(TlsError):
    """The client offered protocols by ALPN, and none of them is ours."""


@dataclass(frozen=True, slots=True)
class TlsClientFiles:
    """What a client needs. PEM files; the key without a passphrase."""

    certificate: Path
    """Our certificate, with its intermediates after it."""
    key: Path
    authority: Path
    """Roots that may have issued the server's certificate."""
    revocations: Path | None = None
    """CRLs; when given, the server's certificate must be covered by one and not be in it."""
    pins: frozenset[str] = field(default_factory=frozenset)
    """Base64 of SHA-256 of SubjectPublicKeyInfo; when given, one certificate of the chain must have one of these."""


@dataclass(frozen=True, slots=True)
class TlsServerFiles:
    """What a server needs. PEM files; the key without a passphrase."""

    certificate: Path
    key: Path
    client_authority: Path
    """Roots that may have issued a client's certificate; a client without one is refused."""
    revocations: Path | None = None
    """CRLs for client certificates, as in TlsClientFiles."""


def client_context(files: TlsClientFiles, alpn: Sequence[str] = ALPN) -> SSL.Context:
    """Raises TlsFileBad."""
    context = _context(files.certificate, files.key, files.authority, files.revocations)
    context.set_alpn_protos([name.encode("ascii") for name in alpn])
    context.set_verify(SSL.VERIFY_PEER, _note_verification)
    context.set_app_data(files.pins)
    return context


def server_context(files: TlsServerFiles, alpn: Sequence[str] = ALPN) -> SSL.Context:
    """Raises TlsFileBad. The server's order of `alpn` decides; a client that offers only others is refused."""
    context = _context(files.certificate, files.key, files.client_authority, files.revocations)
    try:
        context.load_client_ca(str(files.client_authority).encode())
    except SSL.Error as error:  # OpenSSL reads the file itself, and it may have been replaced since we did
        raise TlsFileBad(files.client_authority, "does not hold PEM certificates") from error
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _note_verification)
    context.set_session_id(b"causeway")  # OpenSSL refuses to resume verified sessions without one
    context.set_options(SSL.OP_NO_TICKET)  # a session is never resumed: each connection shows its certificate anew
    ours = [name.encode("ascii") for name in alpn]

    def select(_connection: SSL.Connection, offered: list[bytes]) -> bytes:
        for name in ours:
            if name in offered:
                return name
        raise NoCommonProtocol("none of the offered protocols is spoken here")

    context.set_alpn_select_callback(select)
    return context


def verify_peer(stream: TlsStream, hostname: str) -> None:
    """Whether the server is the one we meant: its certificate names `hostname` (RFC 9525: subjectAltName only), and a
    pinned key is in its chain. To be called after the handshake. Raises PeerNotTrusted."""
    der = stream.peer_certificate
    if der is None:
        raise PeerNotTrusted("the server presented no certificate")
    certificate = x509.load_der_x509_certificate(der)
    try:
        if _is_address(hostname):
            verify_certificate_ip_address(certificate, hostname)
        else:
            verify_certificate_hostname(certificate, hostname)
    except (VerificationError, CertificateError) as error:
        raise PeerNotTrusted(f"the server's certificate is not for {hostname}") from error
    pins = cast(frozenset[str] | None, stream.context.get_app_data())
    if pins and pins.isdisjoint(map(pin_of, stream.verified_chain())):
        raise PeerNotTrusted("no certificate of the server's chain has a pinned key")


def sni_of(hostname: str) -> str | None:
    """What to send as SNI for this name: nothing for addresses (RFC 6066 section 3)."""
    return None if _is_address(hostname) else hostname


def pin_of(certificate: x509.Certificate) -> str:
    """Base64 of SHA-256 of SubjectPublicKeyInfo (as in RFC 7469 section 2.4)."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode("ascii")


def expires_at(der: bytes) -> datetime:
    """A certificate's not-after (UTC)."""
    return x509.load_der_x509_certificate(der).not_valid_after_utc


def file_expires_at(path: Path) -> datetime:
    """Not-after (UTC) of a PEM file's first certificate. Raises TlsFileBad."""
    return _certificates(path)[0].not_valid_after_utc


# ------------------------------------------------------------ files


def _context(certificate: Path, key: Path, authority: Path, revocations: Path | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS_TLS12)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    _present(context, certificate, key)
    _trust(context, authority, revocations)
    return context


def _present(context: SSL.Context, certificate: Path, key: Path) -> None:
    leaf, *intermediates = _certificates(certificate)
    private = _parse(key, "a PEM private key without passphrase", lambda data: load_pem_private_key(data, None))
    if not isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey):
        raise TlsFileBad(key, "the key must be RSA or elliptic curve")
    try:
        context.use_certificate(leaf)
        for each in intermediates:
            context.add_extra_chain_cert(each)
    except SSL.Error as error:
        raise TlsFileBad(certificate, "OpenSSL does not accept this certificate (its key may be too weak)") from error
    try:
        context.use_privatekey(private)
        context.check_privatekey()
    except SSL.Error as error:
        raise TlsFileBad(key, f"this is not the key of {certificate}") from error


def _trust(context: SSL.Context, authority: Path, revocations: Path | None) -> None:
    store = context.get_cert_store()
    assert store is not None, "a context of OpenSSL >= 1.1 has a store"
    for root in _certificates(authority):
        store.add_cert(X509.from_cryptography(root))
    if revocations is not None:
        for crl in _parse(revocations, "PEM revocation lists", _revocation_lists):
            store.add_crl(crl)
        store.set_flags(X509StoreFlags.CRL_CHECK)


def _certificates(path: Path) -> list[x509.Certificate]:
    return _parse(path, "PEM certificates", x509.load_pem_x509_certificates)


def _revocation_lists(data: bytes) -> list[x509.CertificateRevocationList]:
    end = b"-----END X509 CRL-----"
    blocks = [block + end for block in data.split(end)[:-1]]
    if not blocks:
        raise ValueError("no list")
    return [x509.load_pem_x509_crl(block.lstrip()) for block in blocks]


def _parse(path: Path, what: str, parse: Callable[[bytes], T]) -> T:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TlsFileBad(path, f"cannot be read ({error.strerror})") from error
    try:
        return parse(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TlsFileBad(path, f"does not hold {what}") from error


def _is_address(hostname: str) -> bool:
    try:
        ip_address(hostname)
    except ValueError:
        return False
    return True


def _note_verification(connection: SSL.Connection, _certificate: X509, number: int, _depth: int, ok: int) -> bool:
    """OpenSSL's own verdict, unchanged; but the reason is kept, because pyOpenSSL does not hand it out."""
    if not ok:
        connection.get_app_data().verify_error = number
    return bool(ok)
