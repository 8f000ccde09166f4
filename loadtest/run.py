"""A whole scenario: sets each house up, puts the load on it, watches meanwhile, judges afterwards."""

import json
import os
import secrets
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtest import machine, oracle, probe, processes
from loadtest.arrivals import Step
from loadtest.baseline import measure_baselines
from loadtest.generator import Plan
from loadtest.house import BANK, House
from loadtest.instructions import RUN_CHARS
from loadtest.journeys import journeys
from loadtest.meters import Use, core_busy_s, use_of
from loadtest.processes import Cores, Failed, Process
from loadtest.scenario import COUNT_MAX, HousePlan, Phase, Scenario, amount

SETTLE_S_MAX = 120.0  # after the last request, until the bank has everything
POLL_S = 0.2
TOLD_EVERY = 5  # polls: about a second

Say = Callable[[str], None]
Result = dict[str, Any]


@dataclass
class Watch:
    """What is looked at beside the load: CPU of each process, memory, queues; a sample about every second."""

    house: House
    generator: Process
    began_s: float = field(default_factory=time.time)
    samples: list[Result] = field(default_factory=list)
    uses: dict[str, dict[str, Use]] = field(default_factory=dict)
    """What each process had used at a mark."""
    at_s: dict[str, float] = field(default_factory=dict)
    onlookers: Result = field(default_factory=dict)
    busy_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What the server's and the load's core had worked at a mark."""

    def mark(self, name: str) -> None:
        self.uses[name] = self.now()
        self.at_s[name] = time.time()
        self.busy_s[name] = (core_busy_s(self.house.cores.server), core_busy_s(self.house.cores.load))

    def now(self) -> dict[str, Use]:
        house = self.house
        pids = {"gateway": house.daemon.pid, "bank": house.bank.pid, "generator": self.generator.pid}
        return {name: use_of(pid) for name, pid in pids.items()}

    def sample(self, second: Result | None) -> Result:
        """`second`: what the generator said of the last one."""
        uses = self.now()
        queues = asdict(self.house.asker.queues(BANK)) if self.house.settings.reachable else {}
        found = {
            "at_s": round(time.time() - self.began_s, 3),
            "cpu_s": {name: round(use.cpu_s, 2) for name, use in uses.items()},
            "resident_bytes": uses["gateway"].resident_bytes,
            "anonymous_bytes": uses["gateway"].anonymous_bytes,
            **queues,
            **({} if second is None else {"load": second}),
        }
        self.samples.append(found)
        return found

    def shares(self, since: str, until: str) -> Result:
        """What part of the time each core worked, and what part of the server's core was not the gateway's work: other
        programs (and the probe). A figure beside a large `others` is one of the machine, not of the gateway."""
        wall_s = max(self.at_s[until] - self.at_s[since], 1e-9)
        server, load = (b - a for a, b in zip(self.busy_s[since], self.busy_s[until], strict=True))
        gateway_s = self.uses[until]["gateway"].cpu_s - self.uses[since]["gateway"].cpu_s
        shares = {"server": server, "load": load, "gateway": gateway_s, "others": max(server - gateway_s, 0.0)}
        return {name: round(spent_s / wall_s, 3) for name, spent_s in shares.items()}

    def spent_us(self, name: str, count: int, since: str, until: str) -> float:
        """CPU of one process between two marks, in microseconds for each of `count`."""
        if not count:
            return 0.0
        return (self.uses[until][name].cpu_s - self.uses[since][name].cpu_s) / count * 1e6


class Runner:
    """Runs a scenario in a folder of its own (emptied by the caller). Raises Failed, PeerBroke, OSError."""

    def __init__(self, scenario: Scenario, folder: Path, say: Say) -> None:
        self._scenario = scenario
        self._folder = folder
        self._say = say
        self._cores = Cores.here()
        if self._cores.load is not None:
            os.sched_setaffinity(0, {self._cores.load})  # we ourselves belong to the load
        self._reached: dict[str, float] = {}

    def run(self) -> Result:
        began_s = time.time()
        result: Result = {
            "scenario": self._scenario.name,
            "summary": self._scenario.summary,
            "started_unix_s": began_s,
            "machine": machine.about(),
            "commit": machine.commit(Path(__file__).parents[1]),
            "cores": asdict(self._cores),
            "flush_ms": machine.flush_ms(self._folder),
            "houses": [],
        }
        self._say(f"disk: an append and its flush take {result['flush_ms']['p50']} ms (p50)")
        with ExitStack() as stack:
            for name, core in asdict(self._cores).items():
                stack.callback(self._probe(name, core).stop)
            result["baselines"] = self._baselines() if self._scenario.baselines else {}
            for plan in self._scenario.houses:
                result["houses"].append(self._house(plan))
            result["probe_us"] = {name: self._speed(name, began_s, time.time()) for name in ("server", "load")}
        result["took_s"] = round(time.time() - began_s, 1)
        return result

    # ---- the parts

    def _probe(self, name: str, core: int | None) -> Process:
        words = ["-m", "loadtest.probe", str(self._folder / f"probe-{name}.jsonl")]
        return processes.start(f"probe-{name}", words, self._folder / "probe.log", core)

    def _speed(self, name: str, from_s: float, to_s: float) -> float:
        return probe.read(self._folder / f"probe-{name}.jsonl", from_s, to_s)

    def _baselines(self) -> Result:
        found = {}
        for name, measured in measure_baselines(self._folder / "baselines", self._cores):
            measured["probe_us"] = self._speed("server", measured["from_s"], measured["to_s"])
            found[name] = measured
            self._say(f"baseline {name}: {measured['per_s']:,.0f}/s  (probe {measured['probe_us']:,.0f} us)")
        return found

    def _house(self, plan: HousePlan) -> Result:
        folder = self._folder / plan.name
        folder.mkdir(parents=True)
        with House(folder, plan.settings, self._cores) as house:
            empty_bytes = house.store_bytes()
            runs: list[tuple[str, bytes]] = []
            phases = [self._phase(house, phase, runs) for phase in plan.phases]
            found: Result = {"name": plan.name, "settings": asdict(plan.settings), "phases": phases}
            if plan.settings.reachable:
                found["verdict"] = self._judge(house, runs)
            acknowledged = sum(states.count(1) for _, states in runs)
            if acknowledged:
                found["store_bytes_per_payment"] = (house.store_bytes() - empty_bytes) / acknowledged
        return found

    def _judge(self, house: House, runs: list[tuple[str, bytes]]) -> Result:
        """The bank's ledger against what was acknowledged, once nothing is under way any more."""
        done = {"ACCEPTED", "SETTLED", "REJECTED", "REFUSED"}
        under_way = frozenset(fate.key for fate in house.asker.fates() if fate.state not in done)
        verdict = oracle.judge(house.ledger, runs, under_way)
        self._say(f"ledger: {verdict.booked:,} booked, {verdict.lost} lost, {verdict.double} double")
        return verdict.as_json()

    def _phase(self, house: House, phase: Phase, runs: list[tuple[str, bytes]]) -> Result:
        run = secrets.token_hex(RUN_CHARS // 2)
        plan = self._plan(house, phase, run)
        self._say(f"{phase.name}: {_what(phase, plan)}")
        watch, result = self._drive(house, phase, plan)
        if not result["acknowledged"]:
            raise Failed(f"{phase.name}: nothing was acknowledged; gRPC statuses: {result['statuses']}")
        states = Path(plan.file).read_bytes()
        runs.append((run, states))
        found: Result = {"name": phase.name, "listener": phase.listener, "call": phase.call, "to": phase.to}
        found |= {"load": _what(phase, plan), "acks": result, "samples": watch.samples, "onlookers": watch.onlookers}
        count = int(result["acknowledged"])
        if phase.to == "accepted":
            due = array("d", Path(plan.file).with_suffix(".due").read_bytes())
            found["e2e"] = journeys(house, run, result, due, phase.warmup_s)
            count = int(found["e2e"]["whole_count"])
        found["per_s"] = found["e2e"]["per_s"] if phase.to == "accepted" else result["per_s"]
        until = "done" if phase.to == "accepted" else "sent"
        since = "began" if phase.to == "accepted" else "measuring"
        found["cpu_us"] = {name: round(watch.spent_us(name, count, since, until), 1) for name in ("gateway", "bank")}
        found["cpu_us"]["generator"] = round(result["generator_cpu_s"] / result["sent"] * 1e6, 1)
        found["probe_us"] = {
            name: self._speed(name, watch.at_s[since], watch.at_s[until]) for name in ("server", "load")
        }
        found["core_shares"] = watch.shares(since, until)
        for key in ("resident_bytes", "anonymous_bytes"):
            found[key] = getattr(watch.uses[until]["gateway"], key)
        found["began_unix_s"] = watch.began_s
        self._reached[phase.name] = float(found["per_s"])
        self._say(_reached(found))
        return found

    def _plan(self, house: House, phase: Phase, run: str) -> Plan:
        steps: list[Step] = []
        if phase.rate:
            steps = [Step(max(amount(phase.rate, self._reached), 1.0), phase.seconds)]
        for rate, seconds in phase.steps:
            steps.append(Step(max(amount(rate, self._reached), 1.0), seconds))
        count = int(amount(phase.count, self._reached)) if phase.count else None
        return Plan(
            address=house.address(phase.listener),
            run=run,
            streaming=phase.call == "stream",
            connections=phase.connections,
            steps=tuple(steps),
            spacing=phase.spacing,
            in_flight=None if phase.is_open else phase.in_flight,
            seconds=phase.seconds,
            count=None if count is None else min(max(count, 1), COUNT_MAX),
            warmup_s=phase.warmup_s,
            file=str(house.folder / f"{phase.name}.states"),
        )

    def _drive(self, house: House, phase: Phase, plan: Plan) -> tuple[Watch, Result]:
        """The generator's run, and for `accepted` the wait until nothing is under way any more."""
        file = house.folder / f"{phase.name}.plan.json"
        file.write_text(json.dumps(asdict(plan)))
        words = ["-m", "loadtest.generator", str(file)]
        generator = processes.start("generator", words, house.folder / "generator.log", self._cores.load, wait=False)
        watch = Watch(house, generator)
        watch.mark("began")
        crowd = self._crowd(house, phase)
        try:
            result = self._listen(generator, watch)
        finally:
            generator.stop()
            if crowd is not None:
                watch.onlookers = crowd.ended()
        if phase.to == "accepted":
            self._settle(house, watch)
        watch.mark("done")
        return watch, result

    def _crowd(self, house: House, phase: Phase) -> Process | None:
        if not phase.watchers and not phase.lists_per_s:
            return None
        where = house.address("plaintext")
        words = ["-m", "loadtest.onlookers", where.host, str(where.port), str(phase.watchers), str(phase.lists_per_s)]
        return processes.start("onlookers", words, house.folder / "onlookers.log", self._cores.load)

    def _listen(self, generator: Process, watch: Watch) -> Result:
        for said in generator.lines():
            if "mark" in said:
                watch.mark(said["mark"])
            elif "second" in said:
                self._progress(watch.sample(said["second"]))
            elif "failed" in said:
                watch.house.check()
                raise Failed(f"the generator ended: {said['failed']}")
            elif "result" in said:
                return dict(said["result"])
        raise Failed(f"the generator said nothing more; the end of its log:\n{generator.tail()}")

    def _settle(self, house: House, watch: Watch) -> None:
        ends_s = time.monotonic() + SETTLE_S_MAX
        while house.asker.queues(BANK).under_way and time.monotonic() < ends_s:
            house.check()
            time.sleep(POLL_S)
            sample = watch.sample(None)
            if len(watch.samples) % TOLD_EVERY == 0:
                self._progress(sample)

    def _progress(self, sample: Result) -> None:
        load = sample.get("load", {})
        queue = f"  queued {sample['queued']:,}, sending {sample['sending']:,}" if "queued" in sample else ""
        self._say(
            f"  {sample['at_s']:5.1f} s  {load.get('acknowledged', 0):7,}/s acknowledged"
            f"  p99 {load.get('p99_ms', 0.0):8.1f} ms{queue}"
        )


def _what(phase: Phase, plan: Plan) -> str:
    call = "streaming" if phase.call == "stream" else "unary"
    if plan.in_flight is not None:
        count = f", {plan.count:,} payments" if plan.count else f" for {plan.seconds:g} s"
        return f"{call} over {phase.listener}, closed, {plan.in_flight} in flight{count}"
    steps = ", ".join(f"{step.per_s:,.0f}/s for {step.seconds:g} s" for step in plan.steps)
    return f"{call} over {phase.listener}, open ({plan.spacing}), {steps}"


def _reached(found: Result) -> str:
    latency = found["e2e"]["latency_ms"] if "e2e" in found else found["acks"]["latency_ms"]
    return (
        f"  -> {found['per_s']:,.0f}/s  p50 {latency['p50']:.1f} ms  p99 {latency['p99']:.1f} ms"
        f"  CPU us each: {', '.join(f'{name} {us:.0f}' for name, us in found['cpu_us'].items())}"
        f"  probe {found['probe_us']['server']:.0f} us"
        f"  others {found['core_shares']['others']:.0%} of the server's core"
    )


def phases_of(result: Result) -> Iterator[Result]:
    """All phases of all houses."""
    for house in result["houses"]:
        yield from house["phases"]
