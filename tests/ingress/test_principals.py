"""Claims about which principal a certificate belongs to."""

import pytest

from gateway.config import PrincipalConfig
from gateway.core.roles import Role
from gateway.ingress.errors import NoCertificate, PrincipalUnknown
from gateway.ingress.principals import Principals
from tests.ingress.certificates import certificate

CONFIGURED = {
    "by-uri": PrincipalConfig(tenant="a", certificates=("uri:spiffe://example.org/One",), roles=(Role.DOUBTS,)),
    "by-host": PrincipalConfig(tenant="b", certificates=("dns:Two.example.org",)),
    "by-name": PrincipalConfig(tenant="c", certificates=("cn:Three",)),
}
URI, HOST, NAME = "spiffe://example.org/One", "two.EXAMPLE.org", "Three"


def test_each_kind_of_name_is_recognised_and_the_stronger_decides() -> None:
    """URI before host before common name: a common name that somebody chose cannot override a URI."""
    principals = Principals(CONFIGURED)
    assert principals.of(certificate(uris=[URI], hosts=[HOST], common_name=NAME)).name == "by-uri"
    assert principals.of(certificate(hosts=[HOST], common_name=NAME)).name == "by-host"
    assert principals.of(certificate(common_name=NAME)).name == "by-name"
    assert principals.of(certificate(uris=[URI])).roles == {"doubts"}


def test_host_names_know_no_case_and_the_others_do() -> None:
    """RFC 4343 for hosts; a URI or common name that differs in case is another one."""
    principals = Principals(CONFIGURED)
    assert principals.of(certificate(hosts=["TWO.example.ORG"])).tenant == "b"
    for other in (certificate(uris=[URI.lower()]), certificate(common_name=NAME.lower())):
        with pytest.raises(PrincipalUnknown):
            principals.of(other)


def test_without_a_certificate_nobody_is_recognised_unless_the_listener_has_a_principal() -> None:
    """Only a plaintext listener's service is made with `without_certificate`."""
    with pytest.raises(NoCertificate):
        Principals(CONFIGURED).of(None)
    assert Principals(CONFIGURED, without_certificate="by-name").of(None).tenant == "c"
    with pytest.raises(ValueError, match="nobody"):
        Principals(CONFIGURED, without_certificate="nobody")


def test_what_is_no_certificate_belongs_to_nobody() -> None:
    """Bytes that cannot be read are an unknown principal, not an accident."""
    with pytest.raises(PrincipalUnknown):
        Principals(CONFIGURED).of(b"no certificate")


def test_one_name_cannot_belong_to_two_principals() -> None:
    """Start-up fails: whoever shows that certificate would be one of them by chance."""
    twice = {"a": CONFIGURED["by-host"], "b": PrincipalConfig(tenant="b", certificates=("dns:two.example.org",))}
    with pytest.raises(ValueError, match="claimed"):
        Principals(twice)
