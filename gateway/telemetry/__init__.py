"""Spans, metrics and logs: the only room that knows OpenTelemetry."""
