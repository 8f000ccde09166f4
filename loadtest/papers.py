"""Keys and certificates for one run, made at its start: an authority, the daemon, the bank, and both clients."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT_URI = "spiffe://causeway.example/load"
VALID = timedelta(days=2)  # longer than any soak
_BACKDATED = timedelta(minutes=5)

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Papers:
    """NAME.pem and NAME.key for `daemon`, `bank`, `client` (the generator) and `bank-client` (the daemon)."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"


def make(folder: Path) -> Papers:
    """Everything, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    papers = Papers(folder)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("Load test authority")
    ca = _builder(ca_name, ca_name, ca_key).add_extension(x509.BasicConstraints(True, None), critical=True)
    authority = ca.sign(ca_key, hashes.SHA256())
    papers.ca.write_bytes(_pem(authority))
    for name in ("daemon", "bank", "client", "bank-client"):
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(CLIENT_URI)] if name == "client" else []
        names += [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = _builder(_name(name), ca_name, key)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        papers.certificate(name).write_bytes(_pem(builder.sign(ca_key, hashes.SHA256())))
        papers.key(name).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        papers.key(name).chmod(0o600)
    return papers


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + VALID)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
