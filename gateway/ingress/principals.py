"""Who calls: from a client certificate to a principal of the configuration.

A certificate reaches us only after TLS has verified it against the listener's authorities. Its names are looked up in
the order URI, DNS, common name; the first that a principal claims decides.
"""

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.config import PrincipalConfig
from gateway.core.payment import Principal
from gateway.core.roles import Role
from gateway.ingress.errors import NoCertificate, PrincipalUnknown, RoleRequired

logger = logging.getLogger(__name__)

CERTIFICATES_KEPT_MAX: Final = 1_024
"""Certificates whose principal is remembered: reading one costs about 0.1 ms, and each connection has one."""


class Principals:
    """The configured principals by the names in their certificates."""

    def __init__(self, configured: Mapping[str, PrincipalConfig], *, without_certificate: str = "") -> None:
        """`without_certificate` names the principal of callers on a plaintext listener, and must be given only to
        the service that listens there; ValueError where no such principal is configured."""
        self._by_certificate: dict[str, Principal] = {}
        for name, config in configured.items():
            for certificate_name in config.certificates:
                holder = self._by_certificate.setdefault(_folded(certificate_name), _principal(name, config))
                if holder.name != name:
                    raise ValueError(f"{certificate_name} is claimed by the principals {holder.name} and {name}")
        if without_certificate and without_certificate not in configured:
            raise ValueError(f"no principal {without_certificate} is configured")
        self._without = (
            _principal(without_certificate, configured[without_certificate]) if without_certificate else None
        )
        self._recognised = lru_cache(maxsize=CERTIFICATES_KEPT_MAX)(self._recognise)

    def of(self, certificate: bytes | None) -> Principal:
        """The holder of a certificate (DER). Raises NoCertificate or PrincipalUnknown."""
        principal = self._recognised(certificate) if certificate else self._without
        if principal is not None:
            return principal
        raise PrincipalUnknown if certificate else NoCertificate

    def name_of(self, certificate: bytes) -> str:
        """By what name the costs of a certificate's (DER) holder are counted: the principal's, so that a second
        certificate of his is no second purse, or the certificate's own where nobody knows it."""
        principal = self._recognised(certificate)
        return f"principal {principal.name}" if principal else f"certificate {sha256(certificate).hexdigest()}"

    def with_role(self, certificate: bytes | None, role: Role) -> Principal:
        """As `of`, and raises RoleRequired where the configuration does not give its holder the role."""
        principal = self.of(certificate)
        if role not in principal.roles:
            raise RoleRequired(role)
        return principal

    def _recognise(self, certificate: bytes) -> Principal | None:
        try:
            names = list(names_in(certificate))
        except ValueError:
            # TLS took it, yet it cannot be read as X.509 wants it: then it names nobody we know.
            logger.warning("a client certificate could not be read")
            return None
        claimed = [self._by_certificate[name] for name in map(_folded, names) if name in self._by_certificate]
        return claimed[0] if claimed else None


def names_in(certificate: bytes) -> Iterator[str]:
    """The names a certificate (DER) carries, as the configuration writes them: "uri:…", "dns:…", "cn:…"."""
    parsed = x509.load_der_x509_certificate(certificate)
    try:
        alternatives = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        alternatives = x509.SubjectAlternativeName([])
    for uri in alternatives.get_values_for_type(x509.UniformResourceIdentifier):
        yield f"uri:{uri}"
    for host in alternatives.get_values_for_type(x509.DNSName):
        yield f"dns:{host}"
    for attribute in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield f"cn:{attribute.value!s}"


def _folded(name: str) -> str:
    """Host names know no case (RFC 4343); URIs and common names do."""
    return name.lower() if name.startswith("dns:") else name


def _principal(name: str, config: PrincipalConfig) -> Principal:
    return Principal(name=name, tenant=config.tenant, roles=frozenset(config.roles))
