"""The parts of the demo that judge, show and clean up, each on its own."""

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from causeway.v1 import payment_pb2
from gateway.cli.complaint import Complaint
from gateway.cli.files import read_lines
from gateway.demo import instructions, trace
from gateway.demo.children import Children
from gateway.demo.folder import MARK, occupied
from gateway.demo.lives import Lives, Scene
from gateway.demo.oracle import judge


def payment(key: str, state: str = "SETTLED", bank: str = "northbank") -> payment_pb2.Payment:
    order = payment_pb2.Instruction(idempotency_key=key, bank=bank)
    return payment_pb2.Payment(id=key, instruction=order, wire_reference=f"CW{key}", state=f"STATE_{state}")  # type: ignore[arg-type]


# ---- the judge


def test_once_each_is_no_complaint() -> None:
    """Every payment booked once and settled, and nothing else booked: silence."""
    assert judge([payment("A"), payment("B")], {"northbank": {"CWA": 1, "CWB": 1}}).complaints == []


@pytest.mark.parametrize(
    ("booked", "complaint"),
    [({"CWA": 2}, "A: northbank booked it 2 times"), ({}, "A: northbank booked it 0 times"),
     ({"CWA": 1, "CWX": 1}, "northbank booked CWX, which is none of our payments")],
)  # fmt: skip
def test_the_judge_can_complain(booked: dict[str, int], complaint: str) -> None:
    """A payment booked twice or never, and a booking that is nobody's, are told each."""
    assert judge([payment("A")], {"northbank": booked}).complaints == [complaint]


def test_booked_but_not_settled_is_a_complaint() -> None:
    """The money moved and we do not know: that is not the end the demo promises."""
    assert judge([payment("A", "IN_DOUBT")], {"northbank": {"CWA": 1}}).complaints == ["A: is IN_DOUBT, not SETTLED"]


# ---- the sample


def test_the_sample_is_what_the_demo_says_it_is(tmp_path: Path) -> None:
    """20 lines, all readable; 18 to be paid, one of them sent twice in the same words, one invalid."""
    file = tmp_path / "payments.jsonl"
    instructions.write(file)
    lines = list(read_lines(str(file)))
    assert len(lines) == 20
    assert not [line for line in lines if line.problems]
    keys = [line.instruction.idempotency_key for line in lines]
    assert len(instructions.valid_keys()) == 18
    assert set(keys) == instructions.valid_keys() | {instructions.INVALID_KEY}
    assert lines[-1].instruction == lines[0].instruction
    assert sum(line.instruction.end_to_end_id == instructions.LOST_REPLY for line in lines) == 1


# ---- the folder


def test_only_a_demos_folder_is_made_anew(tmp_path: Path) -> None:
    """A demo's folder is emptied, or kept when asked; anybody else's is refused untouched."""
    root = tmp_path / "demo"
    with occupied(root, keep=False):
        (root / "old").touch()
    with occupied(root, keep=True):
        assert (root / "old").exists()
    with occupied(root, keep=False):
        assert not (root / "old").exists()
    (root / MARK).unlink()
    with pytest.raises(Complaint, match="no demo made it"), occupied(root, keep=False):
        pass


def test_a_folder_in_use_is_not_emptied(tmp_path: Path) -> None:
    """A second demo in the same folder, or one after a killed demo whose children live on, is refused by name."""
    root = tmp_path / "demo"
    with occupied(root, keep=False) as folder:
        (root / "precious").touch()
        left_over = subprocess.Popen(["sleep", "60"], pass_fds=(folder.lock,))
    try:
        with pytest.raises(Complaint, match="a demo is running in"), occupied(root, keep=False):
            pass
        assert (root / "precious").exists()
    finally:
        left_over.kill()
        left_over.wait()
    with occupied(root, keep=False):
        assert not (root / "precious").exists()


# ---- children


def _script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Makes `python -m gateway` in tmp_path run `code`: a child that behaves as the test wants."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "__init__.py").touch()
    (tmp_path / "gateway" / "__main__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_a_child_that_never_gets_ready_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code and the end of the log are in the message; nothing is left running."""
    _script(tmp_path, monkeypatch, "import sys; print('the port is taken', file=sys.stderr); sys.exit(3)")
    with open(os.devnull, "w") as lock, Children(lock.fileno()) as children, pytest.raises(Complaint) as failed:
        children.start("bank", [], tmp_path / "log")
    assert "exit code 3" in failed.value.text
    assert "the port is taken" in failed.value.advice


def test_a_child_that_dies_later_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """check() complains about a child that ended by itself; a living one is no complaint and is ended at the end."""
    code = "import sys; print('{\"port\": 1}', flush=True); sys.stdin.read(); sys.exit(7)"
    _script(tmp_path, monkeypatch, code.replace("sys.stdin.read()", "import signal; signal.pause()"))
    with open(os.devnull, "w") as lock, Children(lock.fileno()) as children:
        child = children.start("bank", [], tmp_path / "log")
        assert child.ready == {"port": 1}
        children.check()
        child.process.kill()
        child.process.wait()
        with pytest.raises(Complaint, match="ended by itself"):
            children.check()
    assert child.ended


# ---- the trace


def _span(span_id: str, parent_id: str, name: str, start: str) -> str:
    about = {"trace_id": "t" * 32, "span_id": span_id, "parent_id": parent_id, "name": name, "start": start}
    return json.dumps(
        about | {"duration_ms": 1.0, "error": name == "send", "attributes": {"causeway.bank": "northbank"}}
    )


def test_a_trace_is_shown_as_a_tree(tmp_path: Path) -> None:
    """Spans of both files, joined by parent, oldest first; half a line at the end of a file is left for later."""
    ours, theirs = tmp_path / "client", tmp_path / "daemon"
    ours.write_text(_span("a", "", "SubmitPayment", "2026-01-01T00:00:00+00:00") + "\n")
    lines = [
        _span("c", "b", "send", "2026-01-01T00:00:02+00:00"),
        _span("b", "a", "admit", "2026-01-01T00:00:01+00:00"),
    ]
    theirs.write_text("\n".join([*lines, lines[0][:40]]))
    spans = trace.read_trace({"client": ours, "causeway": theirs, "gone": tmp_path / "gone"}, "t" * 32)
    out = io.StringIO()
    Console(file=out, width=120).print(trace.tree(spans, "title"))
    shown = [line.strip("│└├─ ") for line in out.getvalue().splitlines()]
    assert [line.split(" s ")[1].split()[0] for line in shown[1:]] == ["SubmitPayment", "admit", "send"]
    assert "bank=northbank" in shown[-1]


def test_waiting_for_a_trace_is_bounded() -> None:
    """A daemon that exports no spans costs a few seconds, not the demo."""
    pauses: list[float] = []
    assert trace.await_trace(list, lambda spans: False, pauses.append) == []
    assert sum(pauses) == trace.WAIT_S_MAX


# ---- lives


def test_lives_are_told_line_by_line_where_nothing_can_move() -> None:
    """Without a terminal each fact is a line, and the table comes once at the end."""
    out = io.StringIO()
    lives = Lives([payment("A")])
    scene = Scene(lives, Console(file=out, width=160))
    with scene.shown():
        for kind, state in (("received", "RECEIVED"), ("doubted", "IN_DOUBT"), ("settled", "SETTLED")):
            fact = payment_pb2.Fact(payment_id="A", kind=kind, state=f"STATE_{state}", reason="REPLY_LOST")  # type: ignore[arg-type]
            scene.take(fact)
        scene.take(payment_pb2.Fact(payment_id="stranger", kind="received"))
    assert lives.all_ended
    told = out.getvalue()
    assert told.count("doubted") == 1
    assert "RECEIVED › IN_DOUBT › SETTLED" in told
    assert "doubt: REPLY_LOST" in told
    assert "stranger" not in told
