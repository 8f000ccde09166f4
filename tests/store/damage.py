"""Alters a closed store behind its back, as a failing disk or an intruder would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from gateway.core.facts import Fact
from gateway.store import layout, log
from gateway.store.phrases import Phrases


class Damage:
    def __init__(self, txn: Any, handles: dict[str, Any]) -> None:
        self._txn = txn
        self._db = handles

    def put(self, mapping: str, key: bytes, value: bytes) -> None:
        self._txn.put(key, value, db=self._db[mapping])

    def get(self, mapping: str, key: bytes) -> bytes:
        value = self._txn.get(key, db=self._db[mapping])
        assert value is not None, (mapping, key)
        return bytes(value)

    def delete(self, mapping: str, key: bytes) -> None:
        assert self._txn.delete(key, db=self._db[mapping]), (mapping, key)

    def flip(self, mapping: str, key: bytes, place: int = -5) -> None:
        """Turns one bit of a stored value."""
        value = bytearray(self.get(mapping, key))
        value[place] ^= 1
        self.put(mapping, key, bytes(value))

    def fact(self, key: bytes) -> tuple[Fact, bytes, bytes]:
        """As log.unseal_fact."""
        return log.unseal_fact(layout.SEQ2FACT, key, self.get(layout.SEQ2FACT, key), self._phrase)

    def _phrase(self, number: int) -> bytes:
        return Phrases(self._db).spelled(self._txn, number)

    def items(self, mapping: str) -> list[tuple[bytes, bytes]]:
        return list(self._txn.cursor(db=self._db[mapping]))


@contextmanager
def damaging(path: Path) -> Iterator[Damage]:
    with lmdb.open(str(path), max_dbs=len(layout.MAPPINGS), map_size=1 << 26, lib_version=0) as env:
        handles = {name: env.open_db(name.encode(), create=False) for name in layout.MAPPINGS}
        with env.begin(write=True) as txn:
            yield Damage(txn, handles)
