"""Many clients, all sins at once, and sudden death: the ledger stays right and the bank stays up."""

import random
from pathlib import Path

import trio

from loadtest.bank import Sin
from loadtest.bank.sins import KINDS
from tests.loadtest.certificates import Papers
from tests.loadtest.conftest import Open, Opener
from tests.loadtest.messages import single
from tests.loadtest.raw_client import connect
from tests.loadtest.test_process import running

CLIENTS = 8
PAYMENTS = 25  # by each client, on as many connections as it needs
PATIENCE_S = 0.3  # a client that hears nothing for so long hangs up


def storm(seed: int) -> list[Sin]:
    """Every kind of sin but the lie, in every phase, each with a small probability."""
    sins = [
        Sin(kind, when=when, probability=0.04, seed=seed + number, seconds=0.001, close=close)
        for number, (kind, about) in enumerate(KINDS.items())
        for when in about.when
        for close in ("fin", "cut", "rst")
        if kind != "lie"
    ]
    return random.Random(seed).sample(sins, len(sins))


async def suffer(here: Open, name: str, told: set[str]) -> None:
    """Pays on and on, over new connections when the old one is gone; `told` are the accepted references."""
    waiting = [f"{name}-{number}" for number in range(PAYMENTS)]
    while waiting:
        async with connect(here.ports.port, here.papers) as client:
            while waiting and client.ending is None and not client.goaways:
                reference = waiting.pop()
                with trio.move_on_after(PATIENCE_S) as patience:
                    try:
                        answer = await client.pay(single(reference))
                    except trio.BrokenResourceError:
                        break
                    if answer.ended and b"<TxSts>ACCP</TxSts>" in answer.body:
                        told.add(reference)
                if patience.cancelled_caught:
                    break


async def test_a_storm_of_sins(open_bank: Opener) -> None:
    """Whatever the mix of sins: who was told ACCP is booked, nobody is booked twice, the bank answers on."""
    here = await open_bank()
    here.bank.sins += storm(seed=2)
    told: set[str] = set()
    async with trio.open_nursery() as clients:
        for number in range(CLIENTS):
            clients.start_soon(suffer, here, f"C{number}", told)
    here.bank.sins.clear()
    async with connect(here.ports.port, here.papers) as calm:
        assert (await calm.pay(single("LAST"))).status == 200
    ledger = here.bank.ledger
    assert len(told) > CLIENTS
    assert told <= ledger.bookings_by_reference().keys() <= ledger.received_by_reference().keys()
    assert ledger.booked_twice() == {}
    assert ledger.totals().received == sum(ledger.received_by_reference().values())


async def test_sudden_death_under_load(papers: Papers, tmp_path: Path) -> None:
    """kill -9 in the middle of hundreds of payments: every one that was answered is in the ledger."""
    async with running(papers, tmp_path) as bank, connect(bank.port, papers) as client:
        references = {await client.send("POST", "/v1/payments", single(f"R{n}")): f"R{n}" for n in range(250)}
        with trio.fail_after(10):
            while not any(stream.ended for stream in client.streams.values()):
                await client.read()
        bank.process.kill()
        await client.read_to_end()
        await bank.process.wait()
        answered = {references[number] for number, stream in client.streams.items() if stream.ended}
        assert answered
        assert answered <= bank.ledger.bookings_by_reference().keys()
