"""Reads the fail points of a test. Two keys open this door: the switch on the command line names a file, and the
environment agrees. A daemon that pays has neither; with one alone it does not start."""

import os
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from gateway.config.loading import checked, read
from gateway.config.problems import ConfigError, problem
from gateway.config.section import Section
from gateway.failpoints import Act, FailPoint, Point

VARIABLE: Final = "CAUSEWAY_FAILPOINTS"
AGREED: Final = "this daemon may kill itself"
HIT_MAX: Final = 1_000_000


class _Set(Section):
    at: Point = Field(strict=False, description="where to act")
    hit: int = Field(default=1, ge=1, le=HIT_MAX, description="at its how manieth time")
    act: Act = Field(strict=False, default=Act.KILL, description="what to do")


class _File(Section):
    failpoints: list[_Set] = Field(min_length=1, max_length=len(Point), description="one act per point")


def read_failpoints(file: Path) -> tuple[FailPoint, ...]:
    """The fail points in a TOML file: `[[failpoints]]` with `at`, `hit` and `act`.

    Raises ConfigError, also where the environment does not agree (VARIABLE must say AGREED).
    """
    if os.environ.get(VARIABLE) != AGREED:
        raise ConfigError(
            [problem(file, "", f'fail points are for tests: set {VARIABLE}="{AGREED}" or leave them out')]
        )
    problems: list[str] = []
    raw: dict[str, Any] = read(file, problems)
    found = checked(_File, file, raw, problems)
    if found is None or problems:
        raise ConfigError(problems)
    return tuple(FailPoint(each.at, each.hit, each.act) for each in found.failpoints)
