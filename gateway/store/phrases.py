"""Phrases: what many records begin with, stored once and named by its number.

A tenant, a bank and a debtor with their account take seventy bytes in each record and sixteen in each fact, and are
nearly always the same. So a record begins with a number of two bytes, and the bytes it stands for are in two mappings:
number2phrase, and phrase2number for the writer. They are encoded fields of the record's own message, so that phrase
and rest, one behind the other, *are* the record; the log's chain is computed over that whole (log.fact_body), and
whoever has the facts by their names can verify it without knowing a number.

What can go wrong: one phrase that cannot be read makes all records with it unreadable. Each is therefore there twice,
on pages of two mappings, both with a checksum, and one is read where the other is damaged. Worse would be a number that
means another phrase, that is another debtor, because entries were lost: the phrase is in the checksum of each record
that has its number. And nothing rests on a number being given: a phrase too long, or above the bound, or whose entries
do not agree is spelled out, under the number 0.

A number may be remembered beyond its transaction only when that is durable: an aborted transaction gives its numbers
back, and the next one gives them to others.
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.store import layout
from gateway.store.envelope import CorruptRecord, seal, unseal

NUMBER_BYTES: Final = 2
SPELLED_OUT: Final = 0
"""In place of a number: all fields follow."""
PHRASES_MAX: Final = 16_384
"""All are kept in memory once they were used, twice: some 13 MB at PHRASE_BYTES_MAX."""
PHRASES_OF_PAYMENTS_MAX: Final = PHRASES_MAX - 2_048
"""Whoever names another debtor in each payment takes these; the rest is for facts, which name tenants and banks."""
PHRASE_BYTES_MAX: Final = 255

assert PHRASES_MAX < 1 << 8 * NUMBER_BYTES
assert PHRASE_BYTES_MAX < layout.KEY_BYTES_MAX

Phrase = Callable[[int], bytes]
"""Number → phrase. Raises KeyError where there is none that can be read."""


def before(mapping: str, key: bytes, stored: bytes, at: int, phrase: Phrase) -> bytes:
    """The phrase of a stored record, whose number is `at` so many bytes. Raises CorruptRecord."""
    number = int.from_bytes(stored[at : at + NUMBER_BYTES], "big")
    try:
        return phrase(number) if number else b""
    except KeyError as error:
        raise CorruptRecord(mapping, key, f"its beginning (phrase {number}) cannot be read") from error


def none(number: int) -> bytes:
    """The phrases of records that have all spelled out."""
    raise KeyError(number)


class Phrases:
    """The phrases of one store, as far as they were looked up. Read and filled on several threads: a number that is
    durable never changes its phrase, so whoever comes first is right."""

    def __init__(self, handles: dict[str, Any]) -> None:
        self._db = handles
        self._phrases: dict[int, bytes] = {}
        self._numbers: dict[bytes, int] = {}

    def spelled(self, txn: Any, number: int, *, durable: bool = True) -> bytes:
        """A Phrase, but for the transaction. `durable`: whether all that `txn` shows is committed."""
        found = self._phrases.get(number)
        if found is None:
            found = self._read(txn, number)
            if durable:
                self._phrases[number] = found
        return found

    def number(self, txn: Any, phrase: bytes, coined: dict[bytes, int], most: int = PHRASES_MAX) -> int:
        """In a write transaction, the number of a phrase, given to it where it has none: SPELLED_OUT where there are
        `most` already. `coined`: what this transaction has given out so far."""
        known = self._numbers.get(phrase) or coined.get(phrase)
        if known is not None:
            return known
        if not phrase or len(phrase) > PHRASE_BYTES_MAX:
            return SPELLED_OUT
        stored = txn.get(phrase, db=self._db[layout.PHRASE2NUMBER])
        if stored is None:
            return self._coin(txn, phrase, coined, most)
        number = self._agreed(txn, phrase, stored)
        if number:
            self._numbers[phrase] = number
        return number

    def _agreed(self, txn: Any, phrase: bytes, stored: bytes) -> int:
        """SPELLED_OUT where either entry is damaged: the verifier names it, and here nothing rests on it."""
        try:
            number = unseal_number(phrase, stored)
            key = number_key(number)
            other = txn.get(key, db=self._db[layout.NUMBER2PHRASE]) or b""
            return number if unseal(layout.NUMBER2PHRASE, key, other) == phrase else SPELLED_OUT
        except CorruptRecord:
            return SPELLED_OUT

    def _coin(self, txn: Any, phrase: bytes, coined: dict[bytes, int], most: int) -> int:
        db = self._db[layout.NUMBER2PHRASE]
        cursor = txn.cursor(db=db)
        number = int.from_bytes(cursor.key(), "big") + 1 if cursor.last() else 1
        if number > most:
            return SPELLED_OUT
        key = number_key(number)
        txn.put(key, seal(key, phrase), db=db)
        txn.put(phrase, seal(phrase, key), db=self._db[layout.PHRASE2NUMBER])
        coined[phrase] = number
        return number

    def _read(self, txn: Any, number: int) -> bytes:
        key = number_key(number)
        stored = txn.get(key, db=self._db[layout.NUMBER2PHRASE])
        try:
            if stored is not None:
                return unseal(layout.NUMBER2PHRASE, key, stored)
        except CorruptRecord:
            pass  # the verifier names it; the other mapping has it too
        for phrase, value in txn.cursor(db=self._db[layout.PHRASE2NUMBER]):  # PHRASES_MAX of them at most
            try:
                if unseal_number(phrase, value) == number:
                    return bytes(phrase)
            except CorruptRecord:
                continue
        raise KeyError(number)


def number_key(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big")


def unseal_number(phrase: bytes, stored: bytes) -> int:
    """Of a value of phrase2number. Raises CorruptRecord."""
    return int.from_bytes(unseal(layout.PHRASE2NUMBER, phrase, stored), "big")
