"""An LMDB environment that fails where a test wants it to. Everything else is the real one's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.store.environment import Environment, open_environment


class FailingEnvironment:
    """`before_commit` is called before each commit of a write transaction and may raise; `before_begin` likewise before
    each beginning. `shown_flags` replaces what the environment reports of itself."""

    def __init__(self, real: Environment) -> None:
        self.before_begin: Callable[[], None] = lambda: None
        self.before_commit: Callable[[], None] = lambda: None
        self.shown_flags: dict[str, bool] = {}
        self._real = real

    def begin(self, db: Any = None, parent: Any = None, write: bool = False) -> Any:
        if write:
            self.before_begin()
        txn = self._real.begin(write=write)
        return _FailingTransaction(txn, self) if write else txn

    def open_db(self, key: bytes, txn: Any = None, *, create: bool = True) -> Any:
        return self._real.open_db(key, txn=txn.real, create=create)

    def flags(self) -> Any:
        return {**self._real.flags(), **self.shown_flags}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _FailingTransaction:
    def __init__(self, real: Any, env: FailingEnvironment) -> None:
        self.real = real
        self._env = env

    def commit(self) -> None:
        try:
            self._env.before_commit()
        except BaseException:
            self.real.abort()  # as LMDB does with a transaction whose commit fails
            raise
        self.real.commit()

    def __enter__(self) -> "_FailingTransaction":
        self.real.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self.real.__exit__(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class FailingOpener:
    """Pass as `open_with`; `env` is the environment once the store is open."""

    def __init__(self) -> None:
        self.env: FailingEnvironment | None = None

    def __call__(self, path: Path, map_bytes: int) -> Environment:
        self.env = FailingEnvironment(open_environment(path, map_bytes))
        return self.env
