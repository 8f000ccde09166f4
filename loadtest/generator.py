"""The load generator, a process of its own: `python -m loadtest.generator PLAN.json`.

Standard output: one JSON line per second while it runs, marks ("measuring", "sent"), and the result last. Numbered
requests and what became of them go into a file, for the oracle.
"""

import gc
import json
import sys
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import trio

from loadtest.arrivals import Spacing, Step, arrivals
from loadtest.http2 import PeerBroke
from loadtest.instructions import Messages, number_in_stream, refused_in_stream
from loadtest.link import Address, Link, connect
from loadtest.tally import Tally
from loadtest.traffic import Calls, Overrun, Traffic

SUBMIT = "/causeway.v1.PaymentService/SubmitPayment"
SUBMIT_STREAM = "/causeway.v1.PaymentService/SubmitPayments"
ECHO = "/echo.Echo/Unary"
ECHO_STREAM = "/echo.Echo/Stream"

CONNECTIONS_MAX = 1_000
DRAIN_S_MAX = 30.0  # after the last request was sent

Kind = Literal["submit", "echo"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One run against one address. Either `steps` (open) or `in_flight` with `seconds` and `count` (closed)."""

    address: Address
    run: str
    kind: Kind = "submit"
    streaming: bool = False
    connections: int = 1
    steps: tuple[Step, ...] = ()
    spacing: Spacing = "poisson"
    seed: int = 1
    in_flight: int | None = None
    seconds: float = 0.0
    count: int | None = None
    warmup_s: float = 0.0
    file: str = ""
    """Where what became of each request is written, a byte each (tally.ACKNOWLEDGED ...); beside it, in `.due`, when
    it was due: seconds of the run, doubles."""

    def __post_init__(self) -> None:
        if bool(self.steps) == (self.in_flight is not None):
            raise ValueError("a plan has either steps (open) or in_flight (closed)")
        if not 1 <= self.connections <= CONNECTIONS_MAX:
            raise ValueError(f"connections: 1 to {CONNECTIONS_MAX}, not {self.connections}")
        if self.in_flight is not None and (self.in_flight < 1 or self.seconds <= 0):
            raise ValueError("a closed load needs in_flight and seconds above zero")

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Plan":
        """Raises TypeError or ValueError."""
        rest = {**found, "address": Address(**found["address"])}
        rest["steps"] = tuple(Step(**step) for step in found.get("steps", ()))
        return cls(**rest)


def calls_of(plan: Plan) -> Calls:
    """What the plan calls, and with which messages."""
    message = Messages.submitting(plan.run).message
    if plan.kind == "echo":
        return Calls(ECHO_STREAM if plan.streaming else ECHO, plan.streaming, message)
    if plan.streaming:
        return Calls(SUBMIT_STREAM, True, message, refused_in_stream, number_in_stream)
    return Calls(SUBMIT, False, message)


def say(about: dict[str, Any]) -> None:
    print(json.dumps(about), flush=True)


async def drive(plan: Plan, streams: Sequence[trio.abc.Stream], tally: Tally) -> dict[str, Any]:
    """The run over connections that are there. Raises PeerBroke, Overrun."""
    traffic: Traffic | None = None

    def hear(link: Link, answers: list[Any]) -> None:
        if traffic is not None:
            traffic.hear(link, answers)

    links = [Link(stream, hear) for stream in streams]
    async with trio.open_nursery() as nursery:
        for link in links:
            nursery.start_soon(link.run)
        for link in links:
            await link.ready.wait()
        started_unix_s = time.time()
        traffic = Traffic(calls_of(plan), links, tally, plan.address.scheme, plan.in_flight)
        nursery.start_soon(_tell, traffic, tally)
        nursery.start_soon(_mark_measuring, plan.warmup_s)
        measured_s, unanswered = await _traffic(plan, traffic)
        result = tally.summary(measured_s)
        result |= {"sent": len(tally.states), "unanswered": unanswered, "started_unix_s": started_unix_s}
        result["due_s"] = traffic.due_times
        nursery.cancel_scope.cancel()
    return result


async def _traffic(plan: Plan, traffic: Traffic) -> tuple[float, int]:
    """The measured seconds, and what was never answered."""
    if plan.steps:
        await traffic.open(arrivals(plan.steps, plan.spacing, plan.seed))
        planned_s = sum(step.seconds for step in plan.steps)
        say({"mark": "sent", "at_unix_s": time.time()})
        unanswered = await traffic.drained(DRAIN_S_MAX)
        return max(planned_s, traffic.now()) - plan.warmup_s, unanswered
    await traffic.closed(plan.seconds, plan.count)
    measured_s = traffic.now() - plan.warmup_s
    say({"mark": "sent", "at_unix_s": time.time()})
    return measured_s, await traffic.drained(DRAIN_S_MAX)


async def _tell(traffic: Traffic, tally: Tally) -> None:
    for second in range(1, 1_000_000):
        await trio.sleep_until(traffic.began_s + second)
        say({"second": tally.tick(traffic.now(), traffic.backlog, traffic.unanswered)})


async def _mark_measuring(warmup_s: float) -> None:
    await trio.sleep(warmup_s)
    say({"mark": "measuring", "at_unix_s": time.time()})


async def run(plan: Plan) -> tuple[dict[str, Any], bytes]:
    """Connects, runs, and returns the result with our own CPU time, and what became of each request. Raises as `drive`,
    and OSError."""
    streams = [await connect(plan.address) for _ in range(plan.connections)]
    tally = Tally(plan.warmup_s)
    gc.freeze()
    gc.disable()  # nothing here makes cycles; a collection would show as latency of the server's
    used_s = time.process_time()
    result = await drive(plan, streams, tally)
    result["generator_cpu_s"] = time.process_time() - used_s
    return result, bytes(tally.states)


def main() -> int:
    """0 when the run ended as planned, 1 with a sentence when the peer broke off."""
    plan = Plan.from_json(json.loads(Path(sys.argv[1]).read_text()))
    ended = 0
    try:
        result, states = trio.run(run, plan)
        due_s = array("d", result.pop("due_s"))
        if plan.file:
            Path(plan.file).write_bytes(states)
            Path(plan.file).with_suffix(".due").write_bytes(due_s.tobytes())
        say({"result": result})
    except* (PeerBroke, Overrun, OSError, trio.BrokenResourceError, trio.TooSlowError) as failed:
        first: BaseException = failed
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        say({"failed": f"{type(first).__name__}: {first}"})
        ended = 1
    return ended


if __name__ == "__main__":
    sys.exit(main())
