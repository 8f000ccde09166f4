"""The control listener: how a test tells a running bank to sin, and asks it what it has booked.

GET /ready   PUT /sins (a JSON list)   GET /sins   DELETE /sins   GET /ledger
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import trio

from loadtest.bank.exchange import JSON, Exchange, Reply, Request
from loadtest.bank.ledger import Ledger
from loadtest.bank.sins import Sin, UnknownSin, from_json


class Control:
    """Answers the control listener's requests."""

    def __init__(self, sins: list[Sin], ledger: Ledger, ready: Callable[[], dict[str, object]]) -> None:
        self._sins = sins
        self._ledger = ledger
        self._ready = ready

    async def answer(self, exchange: Exchange) -> None:
        """Raises Gone when the client has left."""
        await exchange.reply(await self._reply(exchange.request))

    async def _reply(self, request: Request) -> Reply:
        match request.method, request.target.partition("?")[0]:
            case "GET", "/ready":
                return _json(self._ready())
            case "GET", "/sins":
                return self._all_sins()
            case "PUT", "/sins":
                return self._replace(request.body)
            case "DELETE", "/sins":
                self._sins.clear()
                return self._all_sins()
            case "GET", "/ledger":
                return _json(await trio.to_thread.run_sync(self._count))
            case _:
                return _json({"error": f"no {request.method} {request.target} here"}, 404)

    def _replace(self, body: bytes) -> Reply:
        try:
            self._sins[:] = from_json(json.loads(body))
        except (UnknownSin, json.JSONDecodeError, UnicodeDecodeError) as why:
            return _json({"error": str(why)}, 400)
        return self._all_sins()

    def _all_sins(self) -> Reply:
        return _json({"sins": [sin.as_json() for sin in self._sins]})

    def _count(self) -> dict[str, object]:
        totals = asdict(self._ledger.totals())
        totals["amounts"] = {currency: str(amount) for currency, amount in totals["amounts"].items()}
        return {
            "totals": totals,
            "bookings": self._ledger.bookings_by_reference(),
            "received": self._ledger.received_by_reference(),
        }


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode() + b"\n", JSON)
