"""A claim about the memory of certificates."""

import pytest

from gateway.ingress.errors import PrincipalUnknown
from gateway.ingress.principals import CERTIFICATES_KEPT_MAX, Principals
from tests.fills import fills
from tests.ingress.certificates import certificate
from tests.ingress.test_principals import CONFIGURED


@fills("CERTIFICATES_KEPT_MAX")
def test_holders_are_remembered_for_so_many_certificates() -> None:
    """A stranger with ever new certificates fills CERTIFICATES_KEPT_MAX places, and no more; whoever was pushed out is
    read again, and is who they were."""
    principals = Principals(CONFIGURED)
    known = certificate(common_name="Three")
    assert principals.of(known).name == "by-name"
    for number in range(CERTIFICATES_KEPT_MAX + 1):
        with pytest.raises(PrincipalUnknown):
            principals.of(b"certificate %d" % number)
    assert principals._recognised.cache_info().currsize == CERTIFICATES_KEPT_MAX
    assert principals.of(known).name == "by-name"
