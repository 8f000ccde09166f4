"""Claims about words from strangers in the log, and about what is kept of headers and of bytes on their way."""

from collections.abc import Callable

import trio

from gateway.net import literal_hpack
from gateway.net.literal_hpack import NAME_BYTES_KEPT_MAX, NAMES_KEPT_MAX, literal_block
from gateway.net.quick_hpack import BLOCK_BYTES_KEPT_MAX, BLOCKS_KEPT_MAX, FIELDS_KEPT_MAX, QuickDecoder
from gateway.net.tls_errors import CAUSE_CHARS_MAX, slug
from gateway.net.tls_stream import UNSENT_BYTES_MAX
from tests.fills import fills
from tests.net.conftest import Pair, shake

RECORD_BYTES = 16 * 1024  # RFC 8446 section 5.1
RECORD_OVERHEAD_BYTES = 22  # head 5, content type 1, tag 16


@fills("CAUSE_CHARS_MAX")
def test_a_cause_stays_a_word() -> None:
    """CAUSE_CHARS_MAX characters are kept whole, and of more the first."""
    assert slug("x" * CAUSE_CHARS_MAX) == "x" * CAUSE_CHARS_MAX
    assert slug("x" * 10_000) == "x" * CAUSE_CHARS_MAX


@fills("literal_hpack.NAMES_KEPT_MAX", "NAME_BYTES_KEPT_MAX")
def test_names_kept_encoded_are_few_and_short() -> None:
    """Of any number of names NAMES_KEPT_MAX are kept encoded, and never one above NAME_BYTES_KEPT_MAX; each is written
    all the same, also when it comes again."""
    kept = literal_hpack._kept_name
    kept.cache_clear()
    long = b"n" * NAME_BYTES_KEPT_MAX
    literal_block([(long, b"")])
    assert kept.cache_info().currsize == 1
    literal_block([(long + b"n", b"")])
    assert kept.cache_info().currsize == 1
    for _ in range(2):
        for number in range(2 * NAMES_KEPT_MAX):
            name = b"x-%d" % number
            assert literal_block([(name, b"")]) == b"\x00" + bytes((len(name),)) + name + b"\x00"
    assert kept.cache_info().currsize == NAMES_KEPT_MAX


@fills("BLOCKS_KEPT_MAX")
def test_so_many_blocks_are_remembered() -> None:
    """BLOCKS_KEPT_MAX different blocks are kept decoded; one more begins anew, and is read rightly."""
    decoder = QuickDecoder()
    blocks = [literal_block([(b"x-request-id", b"%d" % number)]) for number in range(BLOCKS_KEPT_MAX + 1)]
    for block in blocks[:-1]:
        decoder.decode(block)
    assert len(decoder._kept) == BLOCKS_KEPT_MAX
    assert list(decoder.decode(blocks[-1])) == [(b"x-request-id", b"%d" % BLOCKS_KEPT_MAX)]
    assert len(decoder._kept) == 1


@fills("BLOCK_BYTES_KEPT_MAX", "FIELDS_KEPT_MAX")
def test_what_is_remembered_of_a_peer_is_small() -> None:
    """A block of BLOCK_BYTES_KEPT_MAX and one of FIELDS_KEPT_MAX fields are kept; a byte, or a field, more is not."""
    decoder = QuickDecoder()
    field = b"\x88"  # :status 200, one octet
    for over, kept in ((0, True), (1, False)):
        block = field * (FIELDS_KEPT_MAX + over)
        assert len(list(decoder.decode(block))) == FIELDS_KEPT_MAX + over
        assert (block in decoder._kept) is kept
        block = _block_of(BLOCK_BYTES_KEPT_MAX + over)
        assert len(block) == BLOCK_BYTES_KEPT_MAX + over
        assert len(list(decoder.decode(block))) == 1
        assert (block in decoder._kept) is kept


def _block_of(size: int) -> bytes:
    """One field in a block of so many bytes."""
    around = len(literal_block([(b"x", b"y" * size)])) - size
    return literal_block([(b"x", b"y" * (size - around))])


class Weighing(trio.abc.SendStream):
    """Remembers how much each send carried, and carries it."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.sent_bytes: list[int] = []
        self._inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sent_bytes.append(len(data))
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._inner.aclose()


@fills("UNSENT_BYTES_MAX")
async def test_a_large_send_is_encrypted_in_parts(make_pair: Callable[..., Pair]) -> None:
    """However much is to be sent, no more than UNSENT_BYTES_MAX of it, and what TLS puts around its records, lies
    encrypted in memory before the transport has taken what came before."""
    client, server = make_pair()
    await shake(client, server)
    weighing = Weighing(client.transport)
    client.transport = trio.StapledStream(weighing, client.transport)
    whole = 3 * UNSENT_BYTES_MAX + 1
    received = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, bytes(whole))
        while received < whole:
            received += len(await server.receive_some())
    records = UNSENT_BYTES_MAX // RECORD_BYTES
    full = UNSENT_BYTES_MAX + records * RECORD_OVERHEAD_BYTES
    assert weighing.sent_bytes == [full, full, full, 1 + RECORD_OVERHEAD_BYTES]
