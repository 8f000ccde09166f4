"""SimBank: the listeners, the books and the clock of one simulated bank, in one nursery."""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from loadtest.bank import settlement
from loadtest.bank.books import Books
from loadtest.bank.config import CONTROL_HOST, SWEEP_S, BankConfig, Ports
from loadtest.bank.control import Control
from loadtest.bank.desk import Desk
from loadtest.bank.exchange import Exchange, Reply, Request
from loadtest.bank.h1_session import H1Exchange, H1Session
from loadtest.bank.h2_exchange import H2Exchange
from loadtest.bank.h2_session import H2Session
from loadtest.bank.ledger import Ledger
from loadtest.bank.sins import Sin
from loadtest.bank.wire import Gone, TlsWire, Wire, server_context

Answer = Callable[[Exchange], Awaitable[None]]


class SimBank:
    """One simulated bank. `sins` may be changed while it runs; `ledger` is what it has booked.

    Making one opens the ledger and the keys: raises LedgerInUse, OSError, ssl.SSLError or sqlite3.Error.
    """

    def __init__(self, config: BankConfig) -> None:
        self.config = config
        self.sins: list[Sin] = []
        self._context = server_context(config)
        self._books = Books(config.ledger)
        self.ledger = Ledger(config.ledger)
        self._desk = Desk(config, self._books, self.sins, self._log)
        self._connections = trio.CapacityLimiter(config.connections_max)
        self._exchanges = 0
        self._ports = Ports(0, 0)

    async def serve(self, task_status: trio.TaskStatus[Ports] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves until cancelled; `nursery.start(bank.serve)` returns its Ports. OSError: taken."""
        try:
            async with trio.open_nursery() as nursery:
                listeners = await trio.open_tcp_listeners(self.config.port, host=self.config.host)
                control = await trio.open_tcp_listeners(self.config.control_port, host=CONTROL_HOST)
                self._ports = Ports(_port(listeners), _port(control))
                nursery.start_soon(self._books.run)
                nursery.start_soon(self._keep_promises)
                nursery.start_soon(trio.serve_listeners, partial(self._welcome, nursery), listeners)
                nursery.start_soon(trio.serve_listeners, partial(self._listen_to_control, nursery), control)
                task_status.started(self._ports)
        finally:
            self._books.close()

    def ready(self) -> dict[str, object]:
        """The line a parent process waits for."""
        ports = self._ports
        return {
            "ready": True,
            "name": self.config.name,
            "port": ports.port,
            "control_port": ports.control_port,
        }

    async def _keep_promises(self) -> None:
        while True:
            now = time.time()
            due = settlement.next_due(self._books.reader)
            if due is not None and due <= now:
                await self._books.write(partial(settlement.perform_due, now))
            else:
                await trio.sleep(SWEEP_S)

    async def _welcome(self, nursery: trio.Nursery, transport: trio.SocketStream) -> None:
        wire = TlsWire(transport, self._context)
        try:
            self._connections.acquire_on_behalf_of_nowait(wire)
        except trio.WouldBlock:
            await wire.close("rst")
            return
        try:
            await self._serve_connection(nursery, wire)
        finally:
            self._connections.release_on_behalf_of(wire)

    async def _serve_connection(self, nursery: trio.Nursery, wire: TlsWire) -> None:
        try:
            protocol = await wire.handshake()
        except Gone:
            await wire.close("cut")  # the peer left, or its certificate was refused and it has been told
            return
        if protocol == "h2":
            await H2Session(wire, partial(self._start_h2, nursery)).run()
        else:
            await H1Session(wire, partial(self._start_h1, nursery, self._desk.answer)).run()

    async def _listen_to_control(self, nursery: trio.Nursery, transport: trio.SocketStream) -> None:
        control = Control(self.sins, self.ledger, self.ready)
        await H1Session(Wire(transport), partial(self._start_h1, nursery, control.answer)).run()

    def _start_h2(self, nursery: trio.Nursery, session: H2Session, stream_id: int, request: Request) -> None:
        nursery.start_soon(self._answer, self._desk.answer, H2Exchange(session, stream_id, request))

    def _start_h1(self, nursery: trio.Nursery, answer: Answer, exchange: H1Exchange) -> None:
        nursery.start_soon(self._answer, answer, exchange)

    async def _answer(self, answer: Answer, exchange: H2Exchange | H1Exchange) -> None:
        self._exchanges += 1
        try:
            if self._exchanges > self.config.exchanges_max:
                await exchange.reply(Reply(503, b"too many requests at once\n"))
            else:
                await answer(exchange)
        except Gone:
            pass  # the client has left; what was booked stays booked, and that is what the ledger is for
        finally:
            self._exchanges -= 1
        try:
            await exchange.finish()
        except Gone:
            pass  # as above

    def _log(self, entry: dict[str, object]) -> None:
        print(json.dumps({"at": time.time(), "bank": self.config.name, **entry}), file=sys.stderr, flush=True)


def _port(listeners: list[trio.SocketListener]) -> int:
    port: int = listeners[0].socket.getsockname()[1]
    return port
