"""The log tells what happened and where, never who paid whom."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import NotSent
from gateway.core.reasons import Reason
from gateway.telemetry import names
from gateway.telemetry.logs import CAUSES_MAX, FRAMES_MAX, MESSAGE_CHARS_MAX
from tests.fills import fills
from tests.telemetry.conftest import Listen

IBAN = "DE89370400440532013000"
logger = logging.getLogger("gateway.test")


def test_record_carries_the_open_spans_ids(listen: Listen) -> None:
    """A line of the log leads to its trace, sampled or not; after the span it does not."""
    heard = listen(traces_sample_ratio=0.0)
    with heard.trail.span(names.SEND) as span:
        logger.info("within")
    logger.info("after")
    within, after = heard.logged()
    assert f"{within['trace_id']}-{within['span_id']}" == span.traceparent[3:-3]
    assert "trace_id" not in after


def test_inner_span_gives_way_to_the_outer(listen: Listen) -> None:
    """When a span closes, the log names the one around it again."""
    heard = listen()
    with heard.trail.span(names.CALL) as outer:
        with heard.trail.span(names.ADMIT, parent=outer.traceparent):
            pass
        logger.info("outer again")
    assert heard.logged()[0]["span_id"] == outer.traceparent.split("-")[2]


def test_known_fields_pass_and_unknown_ones_do_not(listen: Listen) -> None:
    """Extra fields are an allow-list, and their values have rules."""
    heard = listen()
    extra: dict[str, Any] = {"bank": "northbank", "reason": "REPLY_LOST", "creditor": "x", "count": 3, "host": "A B"}
    logger.warning("said", extra=extra)
    (said,) = heard.logged()
    assert {key: said.get(key) for key in extra} == {
        "bank": "northbank",
        "reason": "REPLY_LOST",
        "creditor": None,
        "count": 3,
        "host": names.WITHHELD,
    }
    assert (said["level"], said["logger"], said["message"]) == ("warning", "gateway.test", "said")
    assert said["time"].endswith("Z")


@pytest.mark.parametrize("account", [IBAN, "DE89 3704 0044 0532 0130 00", IBAN.lower(), "CH93-0076-2011-6238-5295-7"])
def test_account_in_a_message_is_replaced(listen: Listen, account: str) -> None:
    """Even a message that was put together by hand gives no account away."""
    heard = listen()
    logger.error("no such account: " + account + "!")
    assert heard.logged()[0]["message"] == "no such account: (account)!"


def test_texts_in_arguments_are_withheld_and_numbers_pass(listen: Listen) -> None:
    """Texts belong into `extra`, where they have a rule."""
    heard = listen()
    logger.error("%s has %d payments", "Maria Vogelsang", 3)
    logger.error("%(who)s", {"who": "Maria Vogelsang"})
    logger.error("%d", "not a number")
    assert [said["message"] for said in heard.logged()] == ["(withheld) has 3 payments", "(withheld)", "%d"]


def test_exporters_may_say_why_they_failed(listen: Listen) -> None:
    """A library that sees no payment may tell an operator that the collector refused the connection."""
    heard = listen()
    logging.getLogger("opentelemetry.exporter").warning("Failed: %s", "connection refused")
    assert heard.logged("opentelemetry.exporter")[0]["message"] == "Failed: connection refused"


def test_exception_is_told_by_class_and_place_only(listen: Listen) -> None:
    """A parser that quotes a creditor in its error does not get him into the log; causes are followed."""
    heard = listen()
    try:
        try:
            raise ValueError(f"cannot read {IBAN}")
        except ValueError as error:
            raise LookupError("Maria Vogelsang") from error
    except LookupError:
        logger.exception("failed")
    (said,) = heard.logged()
    assert [error["type"] for error in said["error"]] == ["LookupError", "ValueError"]
    assert said["error"][0]["at"][0].startswith("tests/telemetry/test_logs.py:")
    assert "test_exception_is_told_by_class_and_place_only" in said["error"][0]["at"][0]
    assert IBAN not in heard.text()
    assert "Vogelsang" not in heard.text()


def test_exception_tells_its_reason_from_a_closed_list(listen: Listen) -> None:
    """Why a file or a bank failed is worth reading and comes from a list: errno, or a reason of ours."""
    heard = listen()
    try:
        try:
            Path("/nowhere/Maria Vogelsang").read_text()
        except OSError as error:
            raise NotSent(Reason.CONNECT_FAILED, "Maria Vogelsang") from error
    except NotSent:
        logger.exception("failed")
    (said,) = heard.logged()
    assert [(error["type"], error["why"]) for error in said["error"]] == [
        ("NotSent", "CONNECT_FAILED"),
        ("FileNotFoundError", "ENOENT"),
    ]
    assert "Vogelsang" not in heard.text()


def test_what_nobody_caught_is_told_like_the_rest() -> None:
    """Python would print the text of an exception that ends the process; with the log installed it is left out."""
    script = (
        "import sys; from gateway.config import TelemetrySettings; from gateway.telemetry import logs;"
        f"logs.install(TelemetrySettings(), sys.stderr); raise ValueError('{IBAN}')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    said = json.loads(ended.stderr)
    assert (said["level"], said["error"][0]["type"]) == ("critical", "ValueError")
    assert IBAN not in ended.stderr


def test_hooks_of_others_are_left_alone(listen: Listen) -> None:
    """pytest and debuggers keep their own hook."""

    def mine(*_: object) -> None: ...

    before = sys.excepthook
    sys.excepthook = mine
    try:
        listen()
        assert sys.excepthook is mine
    finally:
        sys.excepthook = before


@fills("FRAMES_MAX", "CAUSES_MAX")
def test_exceptions_are_told_within_bounds(listen: Listen) -> None:
    """Neither a deep recursion nor a large group floods the log."""

    def dive(depth: int) -> None:
        if depth == 0:
            raise ExceptionGroup("many", [ValueError(number) for number in range(CAUSES_MAX * 2)])
        dive(depth - 1)

    heard = listen()
    try:
        dive(FRAMES_MAX * 2)
    except ExceptionGroup:
        logger.exception("failed")
    (said,) = heard.logged()
    assert len(said["error"]) == CAUSES_MAX
    assert len(said["error"][0]["at"]) == FRAMES_MAX
    assert [error["type"] for error in said["error"]][:2] == ["ExceptionGroup", "ValueError"]


def test_text_form_is_for_people(listen: Listen) -> None:
    """The same facts, a line each, the places of an exception below."""
    heard = listen(logs="text", log_level="debug")
    try:
        raise ValueError(IBAN)
    except ValueError:
        logger.debug("failed", exc_info=True, extra={"bank": "northbank"})
    first, *rest = heard.text().splitlines()
    assert first.endswith(" debug   gateway.test: failed bank=northbank")
    assert rest[0] == "  ValueError"
    assert rest[1].startswith("    at tests/telemetry/test_logs.py:")


def test_level_is_kept(listen: Listen) -> None:
    """What is below the configured severity costs nothing and says nothing."""
    heard = listen(log_level="warning")
    logger.info("quiet")
    assert heard.logged() == []


@fills("MESSAGE_CHARS_MAX")
def test_a_long_message_is_cut(listen: Listen) -> None:
    """A message of MESSAGE_CHARS_MAX is told whole, and of a longer one the beginning."""
    heard = listen()
    for over in (0, 1, 10_000):
        logger.info("x" * (MESSAGE_CHARS_MAX + over))
    assert {len(said["message"]) for said in heard.logged()} == {MESSAGE_CHARS_MAX}
