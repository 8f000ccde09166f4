"""Scenario files: which houses are set up, and which load each gets. loadtest/scenarios holds ours.

A rate or a count may be a number or "F x PHASE": F times the payments per second that PHASE, an earlier one, reached.
Loads that are shares of what this machine can do are the only ones that mean the same on two machines.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from loadtest.house import HouseSettings

FOLDER = Path(__file__).parent / "scenarios"
COUNT_MAX = 20_000_000
STEPS_MAX = 1_000

Amount = float | str
Record = TypeVar("Record")


class ScenarioBad(Exception):
    """A scenario file that says something else than it may; names the file and the key."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One load on one house. `rate` or `steps` make it open, `in_flight` closed; `to` is where a payment counts as
    done: `ack` (acknowledged) or `accepted` (the bank has it, and that is recorded)."""

    name: str
    listener: Literal["plaintext", "tls"] = "plaintext"
    call: Literal["unary", "stream"] = "unary"
    connections: int = 4
    seconds: float = 5.0
    warmup_s: float = 1.0
    in_flight: int = 0
    count: Amount = 0
    rate: Amount = 0
    steps: tuple[tuple[Amount, float], ...] = ()
    spacing: Literal["poisson", "even"] = "poisson"
    to: Literal["ack", "accepted"] = "ack"
    watchers: int = 0
    lists_per_s: float = 0.0

    @property
    def is_open(self) -> bool:
        return bool(self.rate) or bool(self.steps)


@dataclass(frozen=True, slots=True)
class HousePlan:
    """A house and the loads it gets, one after the other."""

    name: str
    settings: HouseSettings
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole file, those it includes read in."""

    name: str
    summary: str
    baselines: bool
    houses: tuple[HousePlan, ...]


def names() -> list[str]:
    """All scenarios there are."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """By name, or by path of a file. Raises ScenarioBad."""
    file = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not file.is_file():
        raise ScenarioBad(f"no scenario {name!r}; there are: {', '.join(names())}")
    try:
        found = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ScenarioBad(f"{file}: {error}") from error
    unknown = found.keys() - {"summary", "baselines", "include", "house"}
    if unknown:
        raise ScenarioBad(f"{file}: unknown key {min(unknown)!r}")
    houses = [house for other in found.get("include", ()) for house in load(other).houses]
    houses += [_house(file, each) for each in found.get("house", ())]
    _check_references(file, houses)
    return Scenario(file.stem, str(found.get("summary", "")), bool(found.get("baselines", False)), tuple(houses))


def scaled(scenario: Scenario, factor: float) -> Scenario:
    """The same for `factor` times as long, with so many times as many payments; warm-ups and rates stay."""
    houses = tuple(
        replace(house, phases=tuple(_scaled(phase, factor) for phase in house.phases)) for house in scenario.houses
    )
    return replace(scenario, houses=houses)


def _scaled(phase: Phase, factor: float) -> Phase:
    count: Amount = phase.count
    if isinstance(count, str):
        share, _, of = count.partition(" x ")
        count = f"{float(share) * factor} x {of}"
    elif count:
        count = max(int(count * factor), 1)
    steps = tuple((rate, seconds * factor) for rate, seconds in phase.steps)
    # Closed with a count: `seconds` is only how long it may take.
    seconds = phase.seconds if count else phase.seconds * factor
    warmup_s = min(phase.warmup_s, seconds / 3)
    return replace(phase, count=count, steps=steps, seconds=seconds, warmup_s=warmup_s)


def amount(wanted: Amount, reached: Mapping[str, float]) -> float:
    """The number behind a rate or count. `reached`: payments per second by phase."""
    if not isinstance(wanted, str):
        return float(wanted)
    factor, _, phase = wanted.partition(" x ")
    return float(factor) * reached[phase]


def _house(file: Path, found: dict[str, Any]) -> HousePlan:
    rest = dict(found)
    name = str(rest.pop("name", ""))
    phases = tuple(_phase(file, each) for each in rest.pop("phase", ()))
    settings = _record(file, f"house {name}", HouseSettings, rest)
    if not name or not phases:
        raise ScenarioBad(f"{file}: a house needs a name and at least one phase")
    return HousePlan(name, settings, phases)


def _phase(file: Path, found: dict[str, Any]) -> Phase:
    phase = _record(file, f"phase {found.get('name', '?')}", Phase, found)
    if phase.is_open == bool(phase.in_flight):
        raise ScenarioBad(f"{file}: phase {phase.name}: either rate or steps (open), or in_flight (closed)")
    if len(phase.steps) > STEPS_MAX:
        raise ScenarioBad(f"{file}: phase {phase.name}: at most {STEPS_MAX} steps")
    return phase


def _record(file: Path, where: str, kind: type[Record], found: dict[str, Any]) -> Record:
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # every Record is a dataclass
    if unknown := found.keys() - known:
        raise ScenarioBad(f"{file}: {where}: unknown key {min(unknown)!r}; there are: {', '.join(sorted(known))}")
    values = {key: tuple(map(tuple, value)) if key == "steps" else value for key, value in found.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ScenarioBad(f"{file}: {where}: {error}") from error


def _check_references(file: Path, houses: list[HousePlan]) -> None:
    """A share is of a phase that has run by then."""
    known: set[str] = set()
    for house in houses:
        for phase in house.phases:
            for wanted in (phase.rate, phase.count, *(rate for rate, _ in phase.steps)):
                if isinstance(wanted, str) and wanted.partition(" x ")[2] not in known:
                    raise ScenarioBad(f"{file}: phase {phase.name}: {wanted!r} names no earlier phase")
            if phase.name in known:
                raise ScenarioBad(f"{file}: two phases are called {phase.name}")
            known.add(phase.name)
