"""The lives of the demo's payments: from watched facts to a table that moves, or to lines where nothing can move."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from causeway.v1 import payment_pb2
from gateway.cli.tables import amount_text, fact_reason, state_name, state_text, time_text
from gateway.core.states import ENDS, Kind

REFRESHES_PER_S = 8


@dataclass
class Life:
    """One payment and the states it went through."""

    payment: payment_pb2.Payment
    states: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def ended(self) -> bool:
        return bool(self.states) and self.states[-1] in ENDS


class Lives:
    """All payments being watched, by id."""

    def __init__(self, payments: Iterable[payment_pb2.Payment]) -> None:
        self._by_id = {payment.id: Life(payment) for payment in payments}

    def take(self, fact: payment_pb2.Fact) -> Life | None:
        """A fact into the life it belongs to; None when it belongs to none of ours."""
        life = self._by_id.get(fact.payment_id)
        if life is None:
            return None
        state = state_name(fact.state)
        if not life.states or life.states[-1] != state:
            life.states.append(state)
        if fact.kind == Kind.DOUBTED:
            life.note = f"doubt: {fact.reason}"
        return life

    @property
    def all_ended(self) -> bool:
        return all(life.ended for life in self._by_id.values())

    def __iter__(self) -> Iterator[Life]:
        return iter(self._by_id.values())

    def table(self) -> Table:
        ended = sum(life.ended for life in self)
        table = Table(title=f"{ended} of {len(self._by_id)} ended", title_justify="left", box=None, pad_edge=False)
        for name in ("KEY", "BANK"):
            table.add_column(name, no_wrap=True)
        table.add_column("AMOUNT", justify="right", no_wrap=True)
        table.add_column("LIFE", no_wrap=True)
        table.add_column("")
        for life in self:
            order = life.payment.instruction
            table.add_row(
                order.idempotency_key, order.bank, amount_text(order.amount), way(life.states), Text(life.note, "dim")
            )
        return table


def way(states: Iterable[str]) -> Text:
    """`RECEIVED › QUEUED › …`, each state in its colour."""
    return Text(" › ", style="dim").join(state_text(state) for state in states)


class Scene:
    """Shows facts as they come: a moving table on a terminal, a line per change elsewhere."""

    def __init__(self, lives: Lives, out: Console) -> None:
        self._lives = lives
        self._out = out
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator["Scene"]:
        if not self._out.is_terminal:
            yield self
            self._out.print(self._lives.table())
            return
        with Live(get_renderable=self._lives.table, console=self._out, refresh_per_second=REFRESHES_PER_S):
            yield self

    def take(self, fact: payment_pb2.Fact) -> None:
        life = self._lives.take(fact)
        if life is not None and not self._out.is_terminal:
            key = life.payment.instruction.idempotency_key
            why = fact_reason(fact)
            self._out.print(f"  {time_text(fact.time)[11:]}  {key}  {fact.kind:<9} {state_name(fact.state):<9} {why}")
