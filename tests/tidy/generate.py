"""`make proto`: the code of every .proto in the tree, generated anew beside it.

protoc and its plugin come with grpcio-tools; google/type and google/rpc with googleapis-common-protos: no network.
"""

import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

from tests.tidy.tree import ROOT


@dataclass(frozen=True)
class Tree:
    """Protos that import each other by paths below `root`."""

    root: Path
    folder: str
    """Where they are, relative to `root`; generated code imports itself by the same path."""

    def protos(self) -> list[str]:
        return sorted(proto.relative_to(self.root).as_posix() for proto in (self.root / self.folder).rglob("*.proto"))


TREES = (Tree(ROOT / "protos", "causeway"), Tree(ROOT, "tests/interop"))


def google_apis() -> Path:
    """The folder that holds google/type/*.proto and google/rpc/*.proto."""
    return Path(str(files("google.type").joinpath("money.proto"))).parents[2]


def generate(tree: Tree, out: Path) -> list[Path]:
    """Writes the code of a tree below `out`; returns the files. Raises SystemExit after protoc's own words."""
    protos = tree.protos()
    if not protos:
        return []
    well_known = files("grpc_tools").joinpath("_proto")
    where = [f"-I{tree.root}", f"-I{well_known}", f"-I{google_apis()}"]
    plain = [f"--python_out={out}", f"--pyi_out={out}"]
    served = [proto for proto in protos if "\nservice " in (tree.root / proto).read_text()]
    runs = [[*where, *plain, *protos], [*where, f"--grpc_python_out={out}", *served]]
    for arguments in runs:
        if protoc.main(["protoc", *arguments]) != 0:
            raise SystemExit("protoc failed; its own words are above")
    made = [out / proto.replace(".proto", ending) for proto in protos for ending in ("_pb2.py", "_pb2.pyi")]
    return made + [out / proto.replace(".proto", "_pb2_grpc.py") for proto in served]


def main() -> int:
    for tree in TREES:
        for file in generate(tree, tree.root):
            print(file.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
