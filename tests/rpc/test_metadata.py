"""Request headers, metadata, timeouts, status messages on the wire."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.literal_hpack import literal_block
from gateway.rpc.metadata import (
    MalformedMetadata,
    MalformedRequest,
    encode_metadata,
    format_timeout,
    parse_timeout,
    read_head,
)
from gateway.rpc.status import percent_decode, percent_encode
from tests.rpc.raw_peer import HEADERS, headers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3_600.0),
        (b"2M", 120.0),
        (b"3S", 3.0),
        (b"4m", 0.004),
        (b"5u", 5e-6),
        (b"6n", 6e-9),
        (b"99999999S", 99_999_999.0),
        (b"0S", 0.0),
    ],
)
def test_timeout_units(value: bytes, seconds: float) -> None:
    """Every unit of grpc-timeout is understood."""
    assert parse_timeout(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"S", b"1", b"1s", b"-1S", b"1.5S", b"123456789S", b" 1S", b"+1S"])
def test_timeout_that_is_none(value: bytes) -> None:
    """Anything but one to eight digits and a unit is refused, never guessed at."""
    with pytest.raises(MalformedMetadata):
        parse_timeout(value)


@given(st.floats(min_value=0, max_value=1e11, allow_nan=False))
def test_timeout_round_trip(seconds: float) -> None:
    """A timeout we write is one we read, never shorter than meant and hardly longer."""
    read = parse_timeout(format_timeout(seconds))
    assert read >= seconds * 0.999999
    assert read <= seconds * 1.001 + 2e-9


def test_usual_head() -> None:
    """The head of an ordinary call holds what its headers say, and metadata without the protocol's own fields."""
    fields = [*HEADERS, (b"user-agent", b"x"), (b"grpc-timeout", b"1S"), (b"key", b"value"), (b"key", b"2")]
    head = read_head(fields)
    assert (head.path, head.timeout_s, head.encoding) == (b"/test.Echo/Unary", 1.0, b"identity")
    assert head.metadata == (("user-agent", "x"), ("key", "value"), ("key", "2"))


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (b"q6ur", [b"\xab\xab\xab"]),
        (b"YQ==", [b"a"]),
        (b"YQ", [b"a"]),
        (b"YQ,Yg==", [b"a", b"b"]),
        (b"", [b""]),
    ],
)
def test_binary_metadata(value: bytes, octets: list[bytes]) -> None:
    """A -bin value is read with or without padding, and joined values are taken apart."""
    head = read_head([*HEADERS, (b"x-bin", value)])
    assert head.metadata == tuple(("x-bin", octet) for octet in octets)


def test_binary_metadata_that_is_none() -> None:
    """A -bin value that is not base64 is refused."""
    with pytest.raises(MalformedMetadata):
        read_head([*HEADERS, (b"x-bin", b"a*b")])


@pytest.mark.parametrize(
    "fields",
    [
        headers(method=None),
        headers(path=None),
        headers(path=b""),
        headers(scheme=None),
        headers(te=b"gzip"),
        [*HEADERS, (b":path", b"/again")],
        [*HEADERS, (b"Upper", b"x")],
        [*HEADERS, (b"", b"x")],
        [*HEADERS, (b"sp ace", b"x")],
        [*HEADERS, (b"connection", b"close")],
        [*HEADERS, (b"key", b"a\r\nb")],
        [*HEADERS, (b"key", b"a\0b")],
        [*HEADERS, (b"key", b" padded")],
        [(b"key", b"x"), *HEADERS],
        [*HEADERS, (b":unknown", b"x")],
    ],
)
def test_malformed_request(fields: list[tuple[bytes, bytes]]) -> None:
    """What RFC 9113 calls a malformed request is refused, whatever else it says."""
    with pytest.raises(MalformedRequest):
        read_head(fields)


@given(st.lists(st.tuples(st.from_regex(r"[0-9a-z_.\-]{1,10}-bin", fullmatch=True), st.binary(max_size=50))))
def test_binary_metadata_round_trip(metadata: list[tuple[str, bytes]]) -> None:
    """Octets written as -bin metadata are read back the same."""
    assert read_head([*HEADERS, *encode_metadata(metadata)]).metadata == tuple(metadata)


@pytest.mark.parametrize("item", [("Upper", "x"), ("", "x"), ("key", "ü"), ("key", "a\nb"), ("sp ace", "x")])
def test_metadata_that_cannot_be_sent(item: tuple[str, str]) -> None:
    """Metadata that gRPC forbids is refused where it is set, not by the peer."""
    with pytest.raises(ValueError, match="metadata"):
        encode_metadata([item])


@given(st.text())
def test_status_message_round_trip(message: str) -> None:
    """Any message survives percent-encoding, and only printable ASCII travels."""
    encoded = percent_encode(message)
    assert all(0x20 <= octet <= 0x7E for octet in encoded)
    assert percent_decode(encoded) == message.encode("utf-8", "replace").decode()


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.binary(max_size=500)), max_size=10))
def test_literal_blocks_are_hpack(fields: list[tuple[bytes, bytes]]) -> None:
    """An independent decoder reads our header blocks, one by one or joined, and its table stays empty."""
    decoder = hpack.Decoder()
    block = literal_block([(b":status", b"200")]) + literal_block(fields)
    assert [tuple(field) for field in decoder.decode(block, raw=True)] == [(b":status", b"200"), *fields]
    assert len(decoder.header_table.dynamic_entries) == 0
