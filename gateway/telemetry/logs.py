"""The log: a JSON object (or a line for people) per record, with trace ids and without account data.

What could tell too much, and why it cannot:

* Extra fields: only those of telemetry.names and LOG_FIELDS leave, with values their rules let through.
* Arguments of messages (`"… %s", value`): texts are withheld, numbers pass. Say what matters in `extra`. Loggers of
  libraries that never see a payment (TALKATIVE) may format their own texts: "connection refused" is worth reading.
* Messages themselves: anything that looks like an IBAN is replaced.
* Exceptions: their classes, errno or reason, and the places in the code, along the chain of causes. Their texts are
  left out: a parser quotes what it could not parse, and that may be a creditor. Class and line lead there as well.
"""

import errno
import json
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from gateway.config import TelemetrySettings
from gateway.core.reasons import Reason
from gateway.telemetry import names
from gateway.telemetry.log_writer import QueuedHandler
from gateway.telemetry.trail import SPAN_ID, TRACE_ID, open_span

FRAMES_MAX: Final = 30
"""Places in the code told of one exception: the innermost."""

CAUSES_MAX: Final = 8
"""Exceptions told of one chain of causes and of one group."""

MESSAGE_CHARS_MAX: Final = 500

IBAN_MARK: Final = "(account)"

TALKATIVE: Final = ("opentelemetry",)
"""Libraries whose messages may carry texts: they see only what telemetry lets through."""

LOG_FIELDS: Final = frozenset(
    {"attempts", "cause", "count", "duration_s", "host", "map_bytes", "mapping", "port", "signal", "version"}
)
"""Extra fields beside the attributes of telemetry.names. Only numbers, flags and slugs pass."""

logger = logging.getLogger(__name__)

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def install(settings: TelemetrySettings, stream: TextIO) -> logging.Handler:
    """Makes `stream` the only place the log goes to, by a thread of its own. Returns the handler, to be flushed."""
    handler = QueuedHandler(stream)
    handler.setFormatter(JsonLines() if settings.logs == "json" else Lines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        if isinstance(old, QueuedHandler):
            old.close()
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    # logging prints what goes wrong inside itself, with the record's arguments, past every rule above.
    logging.raiseExceptions = False
    _catch_strays()
    return handler


def _catch_strays() -> None:
    """An exception that nobody caught is told like the others: Python itself would print its text. Hooks that
    somebody else has set are left alone."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = lambda kind, error, frames: _stray(error)
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda stray: _stray(stray.exc_value)


def _stray(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt) or error is None:
        return
    logger.critical("an exception that nobody caught", exc_info=error)


class JsonLines(logging.Formatter):
    """One JSON object per record, keys in a fixed order: time, level, logger, message, trace, extra fields, error."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(described(record), ensure_ascii=False, separators=(",", ":"))


class Lines(logging.Formatter):
    """One line per record for people; places of an exception follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        about = described(record)
        error = about.pop("error", None)
        head = f"{about.pop('time')} {about.pop('level'):<7} {about.pop('logger')}: {about.pop('message')}"
        fields = "".join(f" {key}={value}" for key, value in about.items())
        return "\n".join((head + fields, *(f"  {line}" for line in _told(error))))


def described(record: logging.LogRecord) -> dict[str, Any]:
    """What of a record may be told."""
    about: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
    }
    span = open_span.get()
    if span is not None:
        about["trace_id"], about["span_id"] = span.own[TRACE_ID], span.own[SPAN_ID]
    about.update(_fields(record))
    if record.exc_info and record.exc_info[1] is not None:
        about["error"] = _chain(record.exc_info[1])
    return about


def _message(record: logging.LogRecord) -> str:
    template, args = str(record.msg), record.args
    if args:
        talkative = record.name.partition(".")[0] in TALKATIVE
        safe = args if talkative else _numbers_only(args)
        try:
            template = template % safe
        except (TypeError, ValueError, KeyError):
            pass  # a template that does not fit its arguments is told as it stands
    return names.IBAN_LIKE.sub(IBAN_MARK, template)[:MESSAGE_CHARS_MAX]


def _numbers_only(args: Any) -> Any:
    if isinstance(args, dict):
        return {key: _number(value) for key, value in args.items()}
    return tuple(_number(value) for value in args)


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else names.WITHHELD


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    for key, value in vars(record).items():
        if key in _OWN:
            continue
        attribute = names.ATTRIBUTES.get(key)
        if attribute is not None:
            yield key, names.let_through(attribute, value)
        elif key in LOG_FIELDS:
            known = isinstance(value, int | float) or names.is_slug(value) or (key == "host" and names.is_host(value))
            yield key, value if known else names.WITHHELD


def _chain(error: BaseException) -> list[dict[str, Any]]:
    """The exception and its causes, outermost first; of a group, its members."""
    told: list[dict[str, Any]] = []
    ahead: list[BaseException | None] = [error]
    seen: set[int] = set()
    while ahead and len(told) < CAUSES_MAX:
        here = ahead.pop(0)
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        told.append({"type": type(here).__qualname__, **_listed(here), "at": _places(here)})
        if isinstance(here, BaseExceptionGroup):
            ahead.extend(here.exceptions)
        ahead.append(here.__cause__ or (None if here.__suppress_context__ else here.__context__))
    return told


def _listed(error: BaseException) -> dict[str, str]:
    """What an exception knows beyond its class, where that comes from a closed list: errno, or one of our reasons."""
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return {"why": errno.errorcode[error.errno]}
    reason = getattr(error, "reason", None)
    return {"why": reason.value} if isinstance(reason, Reason) else {}


def _places(error: BaseException) -> list[str]:
    """Innermost last: `file:line function`. Source lines are left out: the number leads to them."""
    walked = traceback.walk_tb(error.__traceback__)
    innermost = deque(((frame.f_code, number) for frame, number in walked), maxlen=FRAMES_MAX)
    return [f"{_short(code.co_filename)}:{number} {code.co_name}" for code, number in innermost]


def _short(filename: str) -> str:
    """A path from the package on: where it is installed is nobody's business."""
    for root in sys.path:
        if root and filename.startswith(root + os.sep):
            return filename[len(root) + 1 :]
    return os.path.basename(filename)


def _told(chain: list[dict[str, Any]] | None) -> Iterator[str]:
    for error in chain or []:
        yield f"{error['type']} {error.get('why', '')}".rstrip()
        yield from (f"  at {place}" for place in error["at"])
