"""Certificates for trying things out: one authority that everybody trusts, and one identity for each who speaks.

Good for loopback and for a month. Keys are readable by their owner only; nothing here is fit for real money.
"""

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAYS_VALID = 30
IDENTITIES = ("causeway", "demo", "bank-client", "northbank", "alpenbank")
"""The daemon towards clients, the demo's client, the daemon towards banks, and the two banks."""


class Ca:
    """An authority in `folder`: writes `ca.pem` at once, then `NAME.pem` and `NAME.key` for each issued."""

    def __init__(self, folder: Path, name: str = "Causeway demo CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        own_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            self._builder(self._name, self._key.public_key(), ca=True)
            .add_extension(own_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key file of `name` (its common name), as server on loopback and as client."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        signed = (
            self._builder(_common_name(name), key.public_key(), ca=False)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        cert_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        _write_private(key_file, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        return cert_file, key_file

    def _builder(self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=DAYS_VALID))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def make_certificates(folder: Path) -> None:
    """An authority and everybody's certificates; those of a demo that goes on are left as they are."""
    if (folder / "ca.pem").exists():
        return
    ca = Ca(folder)
    for name in IDENTITIES:
        ca.issue(name)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write_private(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
