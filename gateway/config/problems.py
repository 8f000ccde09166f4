"""What is wrong with a configuration, in words: file, key, and what is allowed."""

import difflib
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gateway.config.section import RELATIONS

Location = tuple[int | str, ...]

PROBLEMS_MAX: Final = 50
"""Problems told at once: more would push the first ones off the screen."""


class ConfigError(Exception):
    """The configuration cannot be used. The text has one line per problem: `FILE: KEY: what is allowed`."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = self.problems[:PROBLEMS_MAX]
        rest = len(self.problems) - len(shown)
        super().__init__("\n".join((*shown, f"and {rest} more") if rest else shown))


def problem(file: Path, key: str, text: str) -> str:
    return f"{file}: {key}: {text}" if key else f"{file}: {text}"


def told(file: Path, model: type[BaseModel], errors: Sequence[ErrorDetails]) -> Iterator[str]:
    """One line per problem of a file that was checked against `model`."""
    for error in errors:
        location = error["loc"]
        if error["type"] == "too_short" and any(_inside(other["loc"], location) for other in errors):
            continue  # pydantic counts only the right items: each wrong one is told already
        if error["type"] == RELATIONS:
            for key, text in error["ctx"]["broken"]:
                yield problem(file, ".".join(filter(None, (dotted(location), key))), text)
        elif location and location[-1] == "[key]":
            yield problem(file, dotted(location[:-1]), f"is no possible name; {_allowed(error)}")
        else:
            yield problem(file, dotted(location), _what(model, error))


def _inside(location: Location, outer: Location) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def dotted(location: Location) -> str:
    """("listen", "tls", "port") → listen.tls.port; ("accounts", 0) → accounts[0]."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _what(model: type[BaseModel], error: ErrorDetails) -> str:
    location = error["loc"]
    siblings = section_at(model, location[:-1])
    name = str(location[-1]) if location else ""
    match error["type"]:
        case "missing":
            field = siblings.model_fields.get(name) if siblings else None
            return f"is missing. {field.description}" if field else "is missing"
        case "extra_forbidden":
            return _unknown(name, sorted(siblings.model_fields) if siblings else [])
        case _:
            return _allowed(error)


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; known here: {', '.join(known)}"


def _allowed(error: ErrorDetails) -> str:
    """pydantic's sentence in our words. Only numbers and flags are shown: they cannot be account data."""
    text = error["msg"].removeprefix("Value error, ")
    text = text.replace("Input should be", "must be").replace(" should ", " must ")
    value = error["input"]
    if isinstance(value, int | float):
        return f"{text}; it is {str(value).lower() if isinstance(value, bool) else value}"
    return text


def section_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The section that a location leads to, through tables, optional tables and tables of tables."""
    here: Any = model
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        elif get_origin(here) is dict:
            here = get_args(here)[1]
        else:
            return None
        here = _without_none(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return inner[0] if len(inner) == 1 else annotation
    return annotation
