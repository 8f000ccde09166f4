"""The peers of the rotation campaign, each with a record of its own of what it has processed."""

import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from adapters.registry import build
from gateway.core.errors import Unreadable
from gateway.core.outcome import Word
from gateway.core.ports import WireAnswer, WireRequest
from loadtest.bank import BankConfig, SimBank
from loadtest.bank.sins import Sin
from tests.campaign.rotating import Peer, Rotor
from tests.fakes.papers import Papers
from tests.fakes.payments import payment, submission
from tests.fakes.programs import find, free_port, nginx, running

REQUESTS_PER_CONNECTION: Final = 20
ODDS: Final = {"below": 0.04, "at": 0.02, "max": 0.02}
"""How often a request to the simulated bank brings this kind of GOAWAY."""


@asynccontextmanager
async def simulated_bank(papers: Papers, seed: int) -> AsyncIterator[Rotor]:
    """Ends connections by GOAWAY below, at and far above the request that strikes it. Its ledger is the record."""
    adapter = build("iso20022", {"initiating_party_name": "Example Debtor GmbH", "debtor_agent_bic": "COBADEFFXXX"})
    references: dict[str, int] = {}

    def request(number: int) -> WireRequest:
        one = payment(number)
        references[one.wire_reference] = number
        return adapter.compose(submission([one]))

    def owns(number: int, answer: WireAnswer) -> bool:
        try:
            [outcome] = adapter.read(submission([payment(number)]), answer)
        except Unreadable:
            return False
        return outcome.word in (Word.TAKEN, Word.SETTLED)

    with tempfile.TemporaryDirectory() as folder:
        bank = SimBank(BankConfig(Path(folder, "ledger"), *papers.server, papers.authority.path))
        bank.sins += [
            Sin("goaway", last_stream=last, probability=odds, seed=seed + place)  # type: ignore[arg-type]
            for place, (last, odds) in enumerate(ODDS.items())
        ]

        def processed() -> Counter[int]:
            booked = bank.ledger.bookings_by_reference()
            return Counter({references[reference]: count for reference, count in booked.items()})

        async with trio.open_nursery() as nursery:
            ports = await nursery.start(bank.serve)
            yield Rotor(ports.port, request, owns, processed)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def nginx_peer(papers: Papers, _seed: int) -> AsyncIterator[Rotor]:
    """Ends each connection by GOAWAY after REQUESTS_PER_CONNECTION requests. Its access log is the record."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "access.log")
        certificate, key = papers.server
        server = (
            f"ssl_certificate {certificate}; ssl_certificate_key {key};"
            f"ssl_client_certificate {papers.authority.path}; ssl_verify_client on; access_log {log};"
            f"keepalive_requests {REQUESTS_PER_CONNECTION}; location / {{ return 200 $request_uri; }}"
        )
        async with nginx(Path(folder), server, http2=True) as port:

            def processed() -> Counter[int]:
                return Counter(int(number) for number in re.findall(r'"POST /payments/(\d+) ', log.read_text()))

            yield Rotor(port, _numbered, _has_its_path, processed)


@asynccontextmanager
async def nghttpd_peer(papers: Papers, _seed: int) -> AsyncIterator[Rotor]:
    """It never ends a connection by itself, so here the gateway does, after REQUESTS_PER_CONNECTION requests each. Its
    record is the echo: each body comes back with its own answer."""
    port = free_port()
    certificate, key = papers.server
    echoed: Counter[int] = Counter()

    def owns(number: int, answer: WireAnswer) -> bool:
        echoed[number] += 1
        return answer.status == 200 and answer.body == _numbered(number).body

    command = [
        find("nghttpd", "nghttp2-server"),
        "-v",
        "-a",
        "127.0.0.1",
        "--verify-client",
        "--echo-upload",
        str(port),
    ]
    async with running([*command, str(key), str(certificate)], b"listen"):
        link = {"exchanges_per_session_max": REQUESTS_PER_CONNECTION}
        yield Rotor(port, _numbered, owns, lambda: echoed, link)


def _numbered(number: int) -> WireRequest:
    return WireRequest("POST", f"/payments/{number}", (), b"<Document>%d</Document>" % number * 40)


def _has_its_path(number: int, answer: WireAnswer) -> bool:
    return answer.status == 200 and answer.body == b"/payments/%d" % number


PEERS: Final[dict[str, Peer]] = {
    "simulated bank": simulated_bank,
    "nginx": nginx_peer,
    "nghttpd, ended by us": nghttpd_peer,
}
