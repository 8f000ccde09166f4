"""Law 11's canary: an account and a name go in wherever anything can go in, and come out nowhere."""

import contextlib
import logging
from pathlib import Path

from gateway.telemetry import names
from gateway.telemetry.trail import OtelTrail
from tests.telemetry.conftest import Collector, Listen

IBAN = "DE89370400440532013000"
CANARIES = (IBAN, "DE89 3704 0044 0532 0130 00", IBAN.lower(), "Maria Vogelsang", "Vogelsang-Ebner, M.")
TRACES = ("DE8937", "DE89 37", "de8937", "ogelsang", "Maria")


def sing(trail: OtelTrail, canary: str) -> None:
    """Puts the canary into every public method and every attribute of telemetry."""
    everywhere = dict.fromkeys((*names.ATTRIBUTES, "creditor", "iban"), canary)
    for name in names.SPANS:
        with trail.span(name, parent=canary, links=[canary], **everywhere) as span:
            span.note(**everywhere)
            span.note(**{canary: canary})
            span.failed(canary)
    with contextlib.suppress(ValueError), trail.span(names.SEND):
        raise ValueError(canary)
    for metric in names.METRICS.values():
        allowed = dict.fromkeys(metric.attributes, canary)
        trail.count(metric.name, 1, **allowed)
        trail.observe(metric.name, 1.0, **allowed)
        trail.gauge(metric.name, lambda allowed=allowed: [(1.0, allowed), (1.0, {canary: canary})])
    for act in (trail.count, trail.observe):
        act(canary, 1, **everywhere)
    trail.gauge(canary, lambda: [(1.0, {})])
    with contextlib.suppress(TypeError), trail.span(canary, **{canary: canary}):
        pass


def tell(canary: str) -> None:
    """Puts the canary into every part of a log record that is not a literal of the code."""
    logger = logging.getLogger("gateway.test")
    everywhere = {**dict.fromkeys(names.ATTRIBUTES, canary), "creditor": canary, "host": canary, "signal": canary}
    logger.warning("paid %s", canary, extra=everywhere)
    logger.warning("paid %(to)s", {"to": canary})
    try:
        raise ExceptionGroup(canary, [ValueError(canary)]) from KeyError(canary)
    except ExceptionGroup:
        logger.exception("failed", extra={"payment": canary}, stack_info=True)
    if canary.upper().startswith("DE89"):
        logger.warning("paid " + canary)


def silent(*outputs: str | bytes) -> None:
    for output in outputs:
        text = output if isinstance(output, str) else output.decode("latin-1")
        assert text, "nothing was exported: the canary proves nothing"
        assert [trace for trace in TRACES if trace in text] == []


def test_console_log_and_text_log_are_silent(listen: Listen) -> None:
    """Console spans, console metrics and both forms of the log give no canary away."""
    for form in ("json", "text"):
        heard = listen(metrics="console", logs=form, log_level="debug", metrics_every_s=3600.0)
        for canary in CANARIES:
            sing(heard.trail, canary)
            tell(canary)
        assert heard.telemetry.shutdown()
        silent(heard.out.getvalue(), heard.text())


def test_file_is_silent(listen: Listen, tmp_path: Path) -> None:
    """The span file gives no canary away, not even of kept spans."""
    heard = listen(traces=f"file:{tmp_path / 'spans.jsonl'}", traces_sample_ratio=0.0)
    for canary in CANARIES:
        sing(heard.trail, canary)
    assert heard.telemetry.shutdown()
    silent((tmp_path / "spans.jsonl").read_text())


def test_otlp_is_silent(listen: Listen, collector: Collector) -> None:
    """What goes to a collector gives no canary away."""
    heard = listen(traces="otlp", metrics="otlp", otlp_endpoint=collector.endpoint)
    for canary in CANARIES:
        sing(heard.trail, canary)
    assert heard.telemetry.shutdown()
    assert collector.spans
    assert collector.metrics
    silent(*collector.bodies)
