"""Files of instructions: CSV with a header line, a JSON array, or JSON lines. Every line needs its own key.

Why no key is made up for a file: a key must stay the same when the file is sent again after a correction, and
differ between two payments that look alike. Nothing inside the file but a key of its author's can promise both.
"""

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from causeway.v1 import payment_pb2
from gateway.cli.complaint import Complaint
from gateway.cli.row import COLUMNS, LABEL, Faulty, from_protobuf_json, to_instruction

FILE_BYTES_MAX = 256 * 1024 * 1024  # of a JSON array, which is read whole; CSV and JSON lines may be longer
NO_KEY = "every line of a file needs its own key (an order or invoice number): it keeps a payment from being paid twice"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: its instruction, or why it is none."""

    number: int
    """CSV and JSON lines: the line in the file; JSON array: the element, from 1."""
    instruction: payment_pb2.Instruction
    problems: tuple[tuple[str, str], ...] = ()


def count_hint(name: str) -> int | None:
    """How many lines to expect, for a progress bar; None where only reading would tell."""
    if name == "-" or not name.endswith((".csv", ".jsonl", ".ndjson")):
        return None
    with open(name, "rb") as file:
        lines = sum(1 for line in file if line.strip())
    return lines - 1 if name.endswith(".csv") else lines


def read_lines(name: str) -> Iterator[Line]:
    """The lines of file `name` (`-`: JSON lines from standard input). Raises Complaint when it is no such file."""
    if name == "-":
        yield from _json_lines(sys.stdin)
        return
    read = {".csv": _csv, ".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines}.get(Path(name).suffix.lower())
    if read is None:
        raise Complaint(f"{name}: which kind of file is it? By its name: .csv, .json (array) or .jsonl (lines)")
    try:
        with open(name, encoding="utf-8-sig", newline="") as file:
            yield from read(file)
    except OSError as error:
        raise Complaint(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Complaint(f"{name} is not UTF-8 (byte {error.start})", advice=["save it as UTF-8"]) from error


def _csv(file: TextIO) -> Iterator[Line]:
    reader = csv.DictReader(file, delimiter=_delimiter(file))
    columns = [name.strip() for name in reader.fieldnames or ()]
    if wrong := _wrong_header(columns):
        raise Complaint(
            f"{file.name}: {wrong}", advice=[f"columns: {', '.join(COLUMNS)}, and {LABEL}NAME for labels", NO_KEY]
        )
    reader.fieldnames = columns
    for row in reader:
        number = reader.line_num
        if None in row or None in row.values():
            key = payment_pb2.Instruction(idempotency_key=(row.get("key") or "").strip())
            yield Line(
                number, key, (("line", f"must have exactly one cell for each of the header's {len(columns)} columns"),)
            )
        else:
            yield _line(number, row)


def _wrong_header(columns: Sequence[str]) -> str:
    """What is wrong with a header, or "". A column that is there twice is refused: which of the two would count?"""
    if not columns:
        return "it is empty, without even a header"
    if unknown := [name for name in columns if name not in COLUMNS and not name.startswith(LABEL)]:
        return f"unknown columns: {', '.join(unknown)}"
    if twice := [name for name, times in Counter(columns).items() if times > 1]:
        return f"columns that are there more than once: {', '.join(twice)}"
    return "" if "key" in columns else "there is no column `key`"


def _delimiter(file: TextIO) -> str:
    """Comma, or the semicolon that spreadsheets write where the comma is the decimal sign."""
    header = file.readline()
    file.seek(0)
    return ";" if header.count(";") > header.count(",") else ","


def _json(file: TextIO) -> Iterator[Line]:
    text = file.read(FILE_BYTES_MAX + 1)
    if len(text) > FILE_BYTES_MAX:
        raise Complaint(
            f"{file.name} is too long for an array", advice=["write JSON lines (.jsonl): they are streamed"]
        )
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise Complaint(f"{file.name}:{error.lineno}:{error.colno} is no JSON: {error.msg}") from error
    if not isinstance(found, list):
        raise Complaint(f"{file.name}: a JSON file holds an array of instructions; one per line goes into a .jsonl")
    for number, element in enumerate(found, 1):
        yield _object(number, element)


def _json_lines(file: TextIO) -> Iterator[Line]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            yield _object(number, json.loads(text))
        except json.JSONDecodeError as error:
            yield _faulty(number, "line", f"is no JSON: {error.msg} at column {error.colno}")


def _object(number: int, element: Any) -> Line:
    """An object is protobuf's JSON form when it has nested parts, else a flat row."""
    if not isinstance(element, dict):
        return _faulty(number, "line", "is no JSON object")
    if any(isinstance(value, dict) for value in element.values()) or "idempotencyKey" in element:
        try:
            return _keyed(number, from_protobuf_json(element))
        except Faulty as fault:
            return _faulty(number, *fault.problems[0])
    return _line(number, {name: str(value) for name, value in element.items() if value is not None})


def _line(number: int, row: Mapping[str, str]) -> Line:
    try:
        return _keyed(number, to_instruction(row))
    except Faulty as fault:
        key = payment_pb2.Instruction(idempotency_key=row.get("key") or "")
        return Line(number, key, fault.problems)


def _keyed(number: int, instruction: payment_pb2.Instruction) -> Line:
    return Line(number, instruction, () if instruction.idempotency_key else (("key", NO_KEY),))


def _faulty(number: int, column: str, text: str) -> Line:
    return Line(number, payment_pb2.Instruction(), ((column, text),))
