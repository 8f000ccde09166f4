"""Claims about the texts clients hand back to us: tokens and trace contexts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingress import tokens
from gateway.ingress.trace import traceparent

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(content=st.binary(max_size=40), bound_to=st.binary(max_size=8))
def test_a_token_opens_for_what_it_was_made_for(content: bytes, bound_to: bytes) -> None:
    """The same kind and binding get the content back; any other gets nothing."""
    token = tokens.seal(tokens.Kind.PAGE, content, bound_to)
    assert tokens.unseal(tokens.Kind.PAGE, token, bound_to) == content
    assert tokens.unseal(tokens.Kind.POSITION, token, bound_to) is None
    assert tokens.unseal(tokens.Kind.PAGE, token, bound_to + b"x") is None


@given(text=st.text(max_size=200))
def test_any_other_text_is_no_token(text: str) -> None:
    """Whatever is typed, there is an answer and no accident."""
    assert tokens.unseal(tokens.Kind.POSITION, text) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([TRACE], TRACE),
        ([TRACE.replace("-01", "-00")], TRACE.replace("-01", "-00")),
        (["cc" + TRACE[2:]], TRACE),
        (["cc" + TRACE[2:] + "-what-comes"], TRACE),
        ([], ""),
        ([TRACE, TRACE], ""),
        ([TRACE.upper()], ""),
        ([TRACE + "-more"], ""),
        (["ff" + TRACE[2:]], ""),
        (["cc" + TRACE[2:] + "x"], ""),
        (["00-" + "0" * 32 + "-00f067aa0ba902b7-01"], ""),
        (["00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01"], ""),
        ([TRACE[:-1]], ""),
    ],
)
def test_a_trace_context_is_valid_or_ignored(values: list[str], expected: str) -> None:
    """W3C Trace Context, section 3.2: a later version is read as far as we know it, an invalid one as none."""
    metadata = [("x-other", "1"), *(("traceparent", value) for value in values)]
    assert traceparent(metadata) == expected
