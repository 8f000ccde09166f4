"""Writes the configuration down for people: docs/configuration.md, and the example files under conf/.

Both come from the models, so that they cannot say what the code does not do; tests compare them with the files.
"""

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

import annotated_types as bounds
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.config.bank import BankProfile
from gateway.config.section import Section
from gateway.config.settings import Settings

WRAP: Final = 110

NORTHBANK: Final[Mapping[str, Any]] = {
    "display_name": "Northbank AG",
    "accounts": ["DE89370400440532013000"],
    "rails": ["NORMAL", "INSTANT"],
    "connection": {
        "host": "127.0.0.1",
        "port": 8443,
        "server_name": "localhost",
        "certificate_file": "../tls/northbank-client.pem",
        "key_file": "../tls/northbank-client.key",
        "ca_file": "../tls/ca.pem",
    },
    "protocol_settings": {"initiating_party_name": "Example Trading AG", "company_name": "Example Trading AG"},
}
"""What conf/banks/northbank.toml says; everything else in it is commented out."""

MAIN: Final[Mapping[str, Any]] = {
    "banks_dir": "banks",
    "listen": {
        "tls": {"certificate_file": "tls/server.pem", "key_file": "tls/server.key", "client_ca_file": "tls/ca.pem"},
    },
    "principals": {"erp": {"tenant": "treasury", "certificates": ["uri:spiffe://example.org/erp"]}},
}
"""What conf/causeway.toml says; everything else in it is commented out."""

_HEAD: Final = """\
# {title}
#
# Every key is here, with its unit and what it may be. A line that begins with "#" and no blank shows a default:
# take the "#" away to change it. Paths are relative to this file. Check with: causeway check-config
# This file is written by the code (make docs); the same as a table: docs/configuration.md
"""

_INTRODUCTION: Final = """\
# Configuration

Generated from the code by `make docs`; do not edit.

The daemon reads one TOML file and the bank profiles in the folder it names, nothing else. Relative paths in a file
are relative to that file. Unknown keys and values out of bounds stop the start; every problem is told at once, with
file and key. `causeway check-config` does the same without starting. The OpenTelemetry SDK also heeds its standard
environment variables, such as `OTEL_SDK_DISABLED` and `OTEL_EXPORTER_OTLP_HEADERS`.
"""


def reference() -> str:
    """docs/configuration.md."""
    lines = [
        _INTRODUCTION,
        "## causeway.toml",
        "",
        *_tables(Settings, ""),
        "## banks/NAME.toml",
        "",
        "One file per bank; the file's name is the bank's name.",
        "",
        *_tables(BankProfile, ""),
    ]
    return "\n".join(lines).rstrip() + "\n"


def example() -> str:
    """conf/causeway.toml: every key, what must be said filled in, the rest commented out with its default."""
    return _HEAD.format(title="Causeway: the daemon") + "\n".join(_written(Settings, "", MAIN)).rstrip() + "\n"


def bank_example() -> str:
    """conf/banks/northbank.toml: every key of a bank profile."""
    head = _HEAD.format(title="A bank profile: Northbank, an example bank that speaks ISO 20022")
    return head + "\n".join(_written(BankProfile, "", NORTHBANK)).rstrip() + "\n"


# ---------------------------------------------------------------- tables for the manual


def _tables(model: type[Section], prefix: str) -> Iterator[str]:
    title = f"### [{prefix.rstrip('.')}]" if prefix else "### At the top of the file"
    yield from (title, "", *([_doc(model), ""] if prefix else []))
    yield from ("| key | default | allowed | meaning |", "|---|---|---|---|")
    for name, field in _keys(model):
        yield f"| `{name}` | {_default_cell(field)} | {_allowed(field)} | {field.description} |"
    yield ""
    for name, field, inner, one_of_many in _sections(model):
        if inner is not None:
            yield from _tables(inner, f"{prefix}{name}.{'NAME.' if one_of_many else ''}")
        else:
            yield from (f"### [{prefix}{name}]", "", str(field.description), "")


def _default_cell(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "none" if field.default is None else f"`{_toml(field.default)}`"


# ---------------------------------------------------------------- example files


def _written(model: type[Section], prefix: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a section, then its sections. What `values` holds stands as it is; the rest is commented out."""
    for name, field in _keys(model):
        if name == "name":
            continue  # a bank's name is its file's name
        yield ""
        yield from _comment(f"{field.description} {_allowed_sentence(field)}".strip())
        if name in values:
            yield f"{name} = {_toml(values[name])}"
        else:
            yield f"#{name} = {_toml(_shown(field))}"
    for name, field, inner, one_of_many in _sections(model):
        yield from _section(f"{prefix}{name}", field, inner, one_of_many, values.get(name))


def _shown(field: FieldInfo) -> Any:
    """What a commented-out key shows: its default; an example where that is nothing."""
    nothing = field.is_required() or field.default in (None, ())
    return field.examples[0] if nothing and field.examples else field.default


def _section(
    title: str, field: FieldInfo, inner: type[Section] | None, one_of_many: bool, values: Any
) -> Iterator[str]:
    yield ""
    yield from _comment(f"---- {field.description}")
    if inner is None:
        yield f"[{title}]"
        yield from (f"{key} = {_toml(value)}" for key, value in (values or {}).items())
    elif one_of_many:
        for name, one in (values or {}).items():
            yield f"[{title}.{name}]"
            yield from _written(inner, f"{title}.{name}.", one)
    elif field.default is None and values is None:
        # Off unless the table is present: its header is commented out too, and required keys show their examples.
        yield f"#[{title}]"
        yield from _written(inner, f"{title}.", {})
    else:
        yield f"[{title}]"
        yield from _written(inner, f"{title}.", values or {})


def _comment(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + 1 + len(word) > WRAP:
            yield line
            line = "#"
        line += f" {word}"
    yield line


# ---------------------------------------------------------------- what the models say


def _keys(model: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    return ((name, field) for name, field in model.model_fields.items() if _inner(field) is _NO_SECTION)


def _sections(model: type[Section]) -> Iterator[tuple[str, FieldInfo, type[Section] | None, bool]]:
    """(key, field, its section or None for a free table, whether it is a table of such sections)."""
    for name, field in model.model_fields.items():
        inner = _inner(field)
        if inner is not _NO_SECTION:
            yield name, field, inner, get_origin(field.annotation) is dict and inner is not None


_NO_SECTION: Final = Section


def _inner(field: FieldInfo) -> type[Section] | None:
    """The section a field holds; None for a free table; _NO_SECTION for a plain value."""
    for part in (field.annotation, *get_args(field.annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part if issubclass(part, Section) else None
    return None if get_origin(field.annotation) is dict else _NO_SECTION


def _allowed_sentence(field: FieldInfo) -> str:
    allowed = _allowed(field)
    return f"Allowed: {allowed}." if allowed else ""


def _allowed(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(choices)
    low = high = ""
    for mark in field.metadata:
        if isinstance(mark, bounds.Ge):
            low = f"{mark.ge:,}"
        elif isinstance(mark, bounds.Gt):
            low = f"more than {mark.gt:,}"
        elif isinstance(mark, bounds.Le):
            high = f"{mark.le:,}"
    low, high = low.replace(",", "_"), high.replace(",", "_")
    return f"{low} to {high}" if low and high else f"{low} or more" if low else ""


def _choices(annotation: Any) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(f'"{choice}"' for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(f'"{choice.value}"' for choice in annotation)
    if get_origin(annotation) in (tuple, Union, types.UnionType) or hasattr(annotation, "__metadata__"):
        return _choices(get_args(annotation)[0])
    return ()


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Enum():
            return _toml(value.value)
        case int():
            return f"{value:_}" if abs(value) >= 10_000 else str(value)
        case float():
            return f"{value:_}" if value >= 10_000 else str(value)
        case str() | Path():
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list() | tuple():
            return "[" + ", ".join(_toml(one) for one in value) + "]"
        case _:
            raise TypeError(f"no TOML for {type(value).__name__}")


def _doc(model: type[Section]) -> str:
    return " ".join((model.__doc__ or "").split())
