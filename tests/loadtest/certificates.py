"""Keys and certificates made at run time: an authority, the bank's, a client's, a stranger's."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Papers:
    """Paths of PEM files. The stranger's certificate comes from an authority the bank does not know."""

    authority: Path
    bank_certificate: Path
    bank_key: Path
    client_certificate: Path
    client_key: Path
    stranger_certificate: Path
    stranger_key: Path


def make(folder: Path) -> Papers:
    """Makes all papers in `folder`."""
    authority_key, authority = _authority("Test Authority")
    other_key, other = _authority("Unknown Authority")
    (folder / "authority.pem").write_bytes(_pem(authority))
    bank = _issue(folder, "bank", authority_key, authority)
    client = _issue(folder, "client", authority_key, authority)
    stranger = _issue(folder, "stranger", other_key, other)
    return Papers(folder / "authority.pem", *bank, *client, *stranger)


def _authority(name: str) -> tuple[Key, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(True, None), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def _issue(folder: Path, name: str, issuer_key: Key, issuer: x509.Certificate) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_name = issuer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = _builder(name, str(issuer_name), key).add_extension(
        x509.SubjectAlternativeName(alternatives), critical=False
    )
    certificate_path, key_path = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_path.write_bytes(_pem(builder.sign(issuer_key, hashes.SHA256())))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path


def _builder(subject: str, issuer: str, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
