"""The generated code beside testing.proto is the compiler's."""

from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
GENERATED = ("testing_pb2.py", "testing_pb2.pyi", "testing_pb2_grpc.py")


def test_generated_code_is_current(tmp_path: Path) -> None:
    """Generating anew from testing.proto changes nothing."""
    root = HERE.parents[1]
    out = [f"--{plugin}_out={tmp_path}" for plugin in ("python", "pyi", "grpc_python")]
    assert protoc.main(["protoc", f"-I{root}", *out, str(HERE / "testing.proto")]) == 0
    for name in GENERATED:
        assert (tmp_path / "tests" / "interop" / name).read_text() == (HERE / name).read_text()
