"""What a row of the failure table needs to be tried: where the bank is, and what is special about the journey."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.connector.socket_bank import Asked, Script, SocketBank, bank_tls, socket_bank
from tests.fakes.papers import Papers


@dataclass(frozen=True, slots=True)
class Scene:
    """What a bank is made of."""

    papers: Papers
    folder: Path


@dataclass(slots=True)
class Way:
    """One bank that waits for a payment to fail. `before`, `beside` and `after` count other payments: those delivered
    before it, which the bank takes; in the same moment, which share its fate; and afterwards, which the bank takes."""

    port: int
    link: dict[str, Any] = field(default_factory=dict)
    """Fields of LinkConfig that differ."""
    protocol: dict[str, Any] = field(default_factory=dict)
    """Settings of the adapter that differ."""
    deadline_s: float = 10.0
    heard: list[Asked] = field(default_factory=list)
    before: int = 0
    beside: int = 0
    after: int = 0
    wait_s: float = 0.0
    """At least for so long the bank does not want it again."""


Opened = AbstractAsyncContextManager[Way]
WAYS: dict[str, Callable[[Scene], Opened]] = {}
"""Row id → how to meet it."""

SHORT_S = 0.4  # deadline of rows that are ended by one


def way(make: Callable[[Scene], AsyncIterator[Way]]) -> Callable[[Scene], AsyncIterator[Way]]:
    """Registers an async generator that yields the Way, under its name."""
    WAYS[make.__name__] = asynccontextmanager(make)
    return make


def scripted(alpn: str, script: Script, *, also: Script | None = None, **terms: Any) -> Callable[[Scene], Opened]:
    """A bank whose connections are played by `script` (and, from the second on, by `also`)."""

    @asynccontextmanager
    async def make(scene: Scene) -> AsyncIterator[Way]:
        scripts = (script, also) if also else (script,)
        async with socket_bank(bank_tls(scene.papers, alpn=(alpn,)), *scripts) as bank:
            yield way_to(bank, **terms)

    return make


def over_h2(**terms: Any) -> Callable[[Script], Script]:
    return _registered("h2", **terms)


def over_http1(**terms: Any) -> Callable[[Script], Script]:
    return _registered("http/1.1", **terms)


def way_to(bank: SocketBank, **terms: Any) -> Way:
    return Way(bank.port, heard=bank.heard, **terms)


def _registered(alpn: str, **terms: Any) -> Callable[[Script], Script]:
    def register(script: Script) -> Script:
        WAYS[script.__name__] = scripted(alpn, script, **terms)
        return script

    return register
