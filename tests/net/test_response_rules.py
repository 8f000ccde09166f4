"""Our check of an answer's fields is as strict as h2's, and refuses nothing that h2 allows."""

import pytest
from h2.exceptions import ProtocolError
from h2.utilities import HeaderValidationFlags, validate_headers
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.net.response_rules import flaw_of_fields

Fields = list[tuple[bytes, bytes]]
PSEUDO = [b":status", b":path", b":method", b":authority", b":protocol", b":other", b":"]
OF_CONNECTIONS = [b"te", b"connection", b"keep-alive", b"upgrade", b"transfer-encoding", b"proxy-connection", b"host"]
NAMES = st.one_of(
    st.sampled_from([*PSEUDO, *OF_CONNECTIONS, b"Upper", b"a:b", b"", b"x y", b"date"]), st.binary(max_size=4)
)
TEXTS = [b"200", b"", b" x", b"x ", b"\tx", b"x\t", b"x\n", b"\nx", b"a\rb", b"a\0b", b"trailers", b"TraIlers"]
VALUES = st.one_of(st.sampled_from(TEXTS), st.binary(max_size=4))
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=4)


def h2_refuses(fields: Fields, *, trailers: bool) -> bool:
    flags = HeaderValidationFlags(
        is_client=True, is_trailer=trailers, is_response_header=not trailers, is_push_promise=False
    )
    try:
        list(validate_headers(fields, flags))
    except (ProtocolError, IndexError):  # IndexError: h2 looks at the first byte of an empty name
        return True
    return False


@given(FIELDS, st.booleans(), st.booleans())
@example([(b":status", b"200"), (b":status", b"200")], False, False)
@example([(b"date", b"x"), (b":status", b"200")], False, False)
@example([(b":status", b"200"), (b"te", b"TRAILERS")], False, False)
@example([(b":status", b"200\n")], False, False)
def test_the_same_as_h2(fields: Fields, trailers: bool, begun: bool) -> None:
    """Whatever fields a bank sends: what h2 refuses is refused, what h2 allows is allowed."""
    whole = [(b":status", b"200"), *fields] if begun and not trailers else fields
    assert bool(flaw_of_fields(whole, trailers=trailers)) == h2_refuses(whole, trailers=trailers)


@pytest.mark.parametrize("octet", range(256))
def test_every_byte(octet: int) -> None:
    """Every byte alone, first, last and inside, as name and as value."""
    one = bytes((octet,))
    for text in (one, one + b"x", b"x" + one, b"x" + one + b"x"):
        for field in ((text, b"v"), (b"n", text)):
            fields = [(b":status", b"200"), field]
            assert bool(flaw_of_fields(fields, trailers=False)) == h2_refuses(fields, trailers=False)
            assert bool(flaw_of_fields([field], trailers=True)) == h2_refuses([field], trailers=True)


def test_a_flaw_quotes_nothing_received() -> None:
    """What a bank sent stays out of our texts (law 11)."""
    assert (
        flaw_of_fields([(b":status", b"200"), (b"x", b"DE89370400440532013000\n")], trailers=False) == "a field value"
    )
