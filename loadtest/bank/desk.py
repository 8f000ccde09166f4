"""The bank's counter: what each request gets, with the sins that strike it on the way.

POST /v1/payments            pain.001 in; 200 with pain.002 (mode now) or 202 (mode later)
GET  /v1/status/{reference}  200 with pain.002, or 404
GET  /v1/reports?after=N     200 with the mailbox from there on
"""

import time
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

import trio

from loadtest.bank import inquiry, misbehave, pain001, pain002
from loadtest.bank.booking import Decision, Submission, book, journal
from loadtest.bank.books import Books
from loadtest.bank.config import BankConfig
from loadtest.bank.exchange import XML, Exchange, Reply
from loadtest.bank.latency import Latency
from loadtest.bank.sins import NO_SINS, Operation, Sin, Struck, choose

STATUS_PATH = "/v1/status/"
REPORTS_DEFAULT = 100  # documents in one answer of the mailbox when the client names no limit

Log = Callable[[dict[str, object]], None]


class Desk:
    """Answers one exchange at a time; any number at once."""

    def __init__(self, config: BankConfig, books: Books, sins: list[Sin], log: Log) -> None:
        self._config = config
        self._books = books
        self._sins = sins
        self._log = log
        self._latency = Latency(config.reply_delay_s, config.reply_p50_s, config.reply_p99_s, config.reply_seed)

    async def answer(self, exchange: Exchange) -> None:
        """Raises Gone when the client has left; what was booked stays booked."""
        request = exchange.request
        target = urlsplit(request.target)
        if request.method == "POST" and target.path == "/v1/payments":
            await self._payments(exchange)
        elif request.method == "GET" and target.path.startswith(STATUS_PATH):
            await self._status(exchange, unquote(target.path.removeprefix(STATUS_PATH)))
        elif request.method == "GET" and target.path == "/v1/reports":
            await self._reports(exchange, target.query)
        else:
            await exchange.reply(Reply(404, b"no such path or method\n"))

    async def _payments(self, exchange: Exchange) -> None:
        try:
            initiation = pain001.read(exchange.request.body)
        except pain001.Unreadable as why:
            await exchange.reply(_unreadable(why, time.time()))
            return
        names = [(transfer.end_to_end_id, transfer.reference) for transfer in initiation.transfers]
        struck = self._strike("payments", names)
        counted = bool(struck.before)
        if counted:  # what a sin may keep from being booked was received all the same
            await self._books.write(partial(journal, initiation))
        if not await self._forestall(struck, exchange):
            return
        submission = Submission(
            initiation,
            exchange.request.traceparent,
            time.time(),
            lies=tuple(sin for sin in struck.before if sin.kind == "lie"),
            counted=counted,
            copies=2 if any(sin.kind == "duplicate_reply" for sin in struck.after) else 1,
        )
        decision = await self._books.write(partial(book, self._config, submission))
        await trio.sleep(self._latency.next_s())
        await self._conclude(struck, exchange, self._reply(submission, decision))

    def _reply(self, submission: Submission, decision: Decision) -> Reply:
        if self._config.mode == "later" and decision.reason is None:
            return Reply(202, b"", XML)
        initiation = submission.initiation
        report = pain002.report(
            initiation.message_id,
            initiation.name,
            submission.at,
            decision.transfers,
            decision.reason,
        )
        return Reply(200, pain002.PROLOGUE + report, XML)

    async def _status(self, exchange: Exchange, reference: str) -> None:
        struck = self._strike("status", [(reference, reference)])
        if not await self._forestall(struck, exchange):
            return
        lies = tuple(sin for sin in struck.before if sin.kind == "lie")
        report = inquiry.status(self._books.reader, reference, time.time(), lies)
        unknown = Reply(404, b"unknown reference\n")
        reply = unknown if report is None else Reply(200, pain002.PROLOGUE + report, XML)
        await self._conclude(struck, exchange, reply)

    async def _reports(self, exchange: Exchange, query: str) -> None:
        asked = parse_qs(query)
        try:
            after = int(asked.get("after", ["0"])[0])
            limit = int(asked.get("limit", [str(REPORTS_DEFAULT)])[0])
        except ValueError:
            await exchange.reply(Reply(400, b"after and limit are whole numbers\n"))
            return
        if after < 0 or limit < 0 or after >= 2**63:
            await exchange.reply(Reply(400, b"after and limit are not negative\n"))
            return
        struck = self._strike("reports", [])
        if await self._forestall(struck, exchange):
            body = inquiry.reports(self._books.reader, after, limit)
            await self._conclude(struck, exchange, Reply(200, body, XML))

    def _strike(self, operation: Operation, names: list[tuple[str, str]]) -> Struck:
        struck = choose(self._sins, operation, names) if self._sins else NO_SINS
        if self._config.log_json:
            kinds = [f"{sin.kind}/{sin.when}" for sin in (*struck.before, *struck.after)]
            references = [reference for _, reference in names[:10]]
            self._log({"operation": operation, "references": references, "count": len(names), "sins": kinds})
        return struck

    async def _forestall(self, struck: Struck, exchange: Exchange) -> bool:
        """Commits the sins that act before the booking; false when the request ends with them, or is disowned."""
        for sin in struck.before:
            await misbehave.commit(sin, exchange)
            if sin.ends:
                return False
        return exchange.take_on()

    async def _conclude(self, struck: Struck, exchange: Exchange, reply: Reply) -> None:
        """Commits the sins that act after the booking, and answers unless one of them has."""
        for sin in struck.after:
            await misbehave.commit(sin, exchange, reply)
            if sin.ends:
                return
        await exchange.reply(reply)


def _unreadable(why: pain001.Unreadable, at: float) -> Reply:
    if why.message_id is None:
        return Reply(400, f"{why}\n".encode())
    return Reply(400, pain002.PROLOGUE + pain002.unreadable(why.message_id, at), XML)
