"""A certificate authority for tests: keys and certificates made at run time, written as PEM files."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """One root. `path` is its certificate, `crl_path` (after `revoke`) its list."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._revoked: list[int] = []
        self._serials: dict[Path, int] = {}
        builder = self._builder(name, self._key.public_key(), datetime.now(UTC) + timedelta(days=2))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self.certificate = builder.add_extension(usage, critical=True).sign(self._key, SHA256())
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        self.crl_path = folder / f"{name}.crl.pem"

    def issue(
        self,
        name: str,
        *,
        dns: Sequence[str] = (),
        ips: Sequence[str] = (),
        uri: str | None = None,
        client: bool = False,
        not_after: datetime | None = None,
    ) -> tuple[Path, Path]:
        """(certificate, key), valid from two days ago for two days from now, or until `not_after`."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, key.public_key(), not_after or datetime.now(UTC) + timedelta(days=2))
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        names: list[x509.GeneralName] = [x509.DNSName(each) for each in dns]
        names += [x509.IPAddress(ip_address(each)) for each in ips]
        names += [x509.UniformResourceIdentifier(uri)] if uri else []
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, SHA256())
        paths = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._serials[paths[0]] = certificate.serial_number
        return paths

    def revoke(self, *certificates: Path) -> Path:
        """Write a list that names these (and all revoked before); its path."""
        self._revoked += [self._serials[each] for each in certificates]
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(_name(self._name))
        builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
        for serial in self._revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - timedelta(hours=1))
            builder = builder.add_revoked_certificate(entry.build())
        self.crl_path.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        return self.crl_path

    def _builder(self, name: str, key: ec.EllipticCurvePublicKey, not_after: datetime) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(self._name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=2))
            .not_valid_after(not_after)
        )
