"""A certificate authority for the demo and the tutorial. DEVELOPMENT ONLY.

Its key lies unencrypted beside what it signs: whoever can read the folder can be anybody. It says so in every
certificate's subject. In production, certificates come from the company's and the banks' own authorities.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LABEL: Final = "DEVELOPMENT ONLY"
"""Organisation in the subject of everything this authority signs, itself included."""

VALID_DAYS: Final = 30
"""Short, so that a development certificate that strays into production stops working soon."""

RENEW_BEFORE: Final = timedelta(days=1)
"""What expires within this time counts as expired: it must outlive the session that starts now."""

_BACKDATED: Final = timedelta(minutes=5)  # clocks of containers differ a little


@dataclass(frozen=True, slots=True)
class Issued:
    """Where a certificate and its key lie: PEM, the key readable by its owner only."""

    certificate_file: Path
    key_file: Path


class NotOurs(Exception):
    """A file of that name is there and was not made by this authority: it is left alone."""


@dataclass(frozen=True, slots=True)
class DevCa:
    """DEVELOPMENT ONLY: issues certificates into one folder. Files: ca.pem, ca.key, NAME.pem, NAME.key."""

    folder: Path
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def open_or_create(cls, folder: Path) -> "DevCa":
        """The authority in `folder`; a new one if there is none or it has expired. Raises NotOurs, OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = Issued(folder / "ca.pem", folder / "ca.key")
        found = _read(files)
        if found is not None:
            certificate, key = found
            if _outlives(certificate):
                return cls(folder, certificate, key)
        key = ec.generate_private_key(ec.SECP256R1())
        name = _subject("Causeway development CA")
        builder = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        certificate = builder.sign(key, hashes.SHA256())
        _write(files, certificate, key)
        return cls(folder, certificate, key)

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, PEM: what both sides trust."""
        return self.folder / "ca.pem"

    def server(self, name: str, dns: Sequence[str] = ("localhost",), ips: Sequence[str] = ("127.0.0.1",)) -> Issued:
        """A server's certificate for these names and addresses, in NAME.pem; the one there if it is still right."""
        names: list[x509.GeneralName] = [x509.DNSName(one) for one in dns]
        names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ips]
        return self._issued(name, names, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))

    def client(self, name: str, uri: str) -> Issued:
        """A client's certificate with this URI (`spiffe://…`), in NAME.pem; the one there if it is still right."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
        return self._issued(name, names, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def _issued(self, name: str, names: Sequence[x509.GeneralName], purpose: x509.ExtendedKeyUsage) -> Issued:
        if name == "ca" or not name or Path(name).name != name:
            raise ValueError(f"{name!r} cannot name a certificate; use a file name other than ca")
        files = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        found = _read(files)
        if found is not None and self._is_right(found[0], names, purpose):
            return files
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_subject(name), self._certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(purpose, critical=False)
            .add_extension(authority, critical=False)
        )
        _write(files, builder.sign(self._key, hashes.SHA256()), key)
        return files

    def _is_right(
        self, found: x509.Certificate, names: Sequence[x509.GeneralName], purpose: x509.ExtendedKeyUsage
    ) -> bool:
        """Valid, signed by this authority (not by the one before it), and for these names and this purpose."""
        try:
            found.verify_directly_issued_by(self._certificate)
            has_names = list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
            has_purpose = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except Exception:
            # Whatever cryptography objects to (signature, extension, encoding): it is replaced, and nothing is lost,
            # because only certificates that carry our label get here.
            return False
        return _outlives(found) and has_names == list(names) and has_purpose == purpose


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=VALID_DAYS))
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, LABEL), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _outlives(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _read(files: Issued) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """What lies there; None where nothing does. Raises NotOurs rather than have a stranger's file replaced."""
    if not files.certificate_file.exists() and not files.key_file.exists():
        return None
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate_file.read_bytes())
        key = serialization.load_pem_private_key(files.key_file.read_bytes(), password=None)
        organisations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    except (OSError, ValueError, TypeError) as error:
        raise NotOurs(
            f"{files.certificate_file} and {files.key_file.name} are not both a certificate of the development CA; "
            "move them away or choose another folder"
        ) from error
    ours = [one.value for one in organisations] == [LABEL] and isinstance(key, ec.EllipticCurvePrivateKey)
    if not ours or certificate.public_key() != key.public_key():
        raise NotOurs(f"{files.certificate_file} was not made by the development CA; choose another folder")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return certificate, key


def _write(files: Issued, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(files.key_file, private)
    _replace(files.certificate_file, certificate.public_bytes(serialization.Encoding.PEM))


def _replace(file: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    new.replace(file)
