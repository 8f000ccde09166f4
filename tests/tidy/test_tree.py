"""The tree itself: what lies at its top, what documents name, what locks may say, what is generated."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.tidy.generate import TREES, Tree, generate
from tests.tidy.generated_docs import DOCUMENTS, render
from tests.tidy.tree import ROOT, TOP_LEVEL, named, python_files

PATH_IN_PROSE = re.compile(
    r"(?<![\w/.-])((?:gateway|protos|adapters|conf|tests|loadtest|docs|\.ci)/[\w./-]*[\w])(?![\w<*{])"
)


def _tracked() -> list[str]:
    """Paths that git knows; a source archive without git skips what needs them."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what belongs to the tree is not known")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    return listed.stdout.splitlines()


def test_the_top_level_is_exactly_what_was_agreed() -> None:
    """Whoever opens the repository sees the rooms and nothing else (.gitignore belongs to git)."""
    assert {path.partition("/")[0] for path in _tracked()} - {".gitignore"} == TOP_LEVEL


def test_paths_named_in_documents_exist() -> None:
    """A document that names a file which is gone is worse than none."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "adapters").rglob("*.md")]
    documents += (ROOT / "loadtest").rglob("*.md")
    missing = [
        f"{named(document)}: {path}"
        for document in documents
        for path in PATH_IN_PROSE.findall(document.read_text())
        if not (ROOT / path).exists() and "NAME" not in path
    ]
    assert not missing


def test_links_in_documents_lead_somewhere() -> None:
    """Relative Markdown links point at files that exist."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "adapters").rglob("*.md")]
    broken = [
        f"{named(document)}: {link}"
        for document in documents
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / link).exists()
    ]
    assert not broken


def test_paths_named_in_docstrings_exist() -> None:
    """The same for module docstrings, where they name files with their folder and ending."""
    missing = []
    for file in python_files("gateway", "adapters", "loadtest"):
        text = ast.get_docstring(ast.parse(file.read_text())) or ""
        for path in PATH_IN_PROSE.findall(text):
            if Path(path).suffix and not (ROOT / path).exists():
                missing.append(f"{named(file)}: {path}")
    assert not missing


def test_lock_files_name_no_host() -> None:
    """Locks carry names, versions and hashes; where packages come from is the machine's business."""
    for lock in (ROOT / ".ci" / "locks").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert not re.search(r"^\s*(--index-url|--extra-index-url|--find-links|-i|-f)\b", text, re.MULTILINE)
        assert "--hash=sha256:" in text


def test_every_dependency_carries_its_reason() -> None:
    """A dependency without a reason is one too many."""
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("dependencies = [") : text.index("]\n", text.index("dependencies = ["))]
    assert all("#" in line for line in block.splitlines()[1:] if line.strip())


def test_every_dependency_is_locked() -> None:
    """What pyproject.toml asks for at run time is pinned in run.lock; extras too in dev.lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"run": project["dependencies"], "dev": project["optional-dependencies"]["dev"]}
    for name, requirements in wanted.items():
        text = (ROOT / ".ci" / "locks" / f"{name}.lock").read_text().lower()
        for requirement in requirements:
            package = re.split(r"[<>=\[ ]", requirement)[0].lower()
            assert re.search(rf"^{re.escape(package)}==", text, re.MULTILINE), f"{package} is not in {name}.lock"


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_generated_code_is_up_to_date(tree: Tree, tmp_path: Path) -> None:
    """What lies beside the protos is what protoc makes of them: `make proto` would change nothing."""
    for file in generate(tree, tmp_path):
        beside = tree.root / file.relative_to(tmp_path)
        assert beside.exists(), f"{named(beside)} is missing: make proto"
        assert beside.read_text() == file.read_text(), f"{named(beside)} is not up to date: make proto"


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.folder)
def test_no_generated_code_is_left_over(tree: Tree, tmp_path: Path) -> None:
    """Generated files without their proto would be imported for ever."""
    made = {file.relative_to(tmp_path) for file in generate(tree, tmp_path)}
    there = {file.relative_to(tree.root) for file in (tree.root / tree.folder).rglob("*_pb2*.py*")}
    assert not {path for path in there if "__pycache__" not in path.parts} - made


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_generated_parts_of_documents_are_up_to_date(document: object) -> None:
    """Tables in documents are printed by the code they describe: `make docs` would change nothing."""
    from tests.tidy.generated_docs import Document

    assert isinstance(document, Document)
    file = ROOT / document.path
    assert file.exists(), f"{document.path} is missing: make docs"
    assert file.read_text() == render(document, file.read_text()), f"{document.path} is not up to date: make docs"


def test_no_secret_lies_in_the_tree() -> None:
    """Keys are made at run time; a private key in the tree is a mistake, whoever's it is."""
    for path in _tracked():
        assert not path.endswith((".key", ".p12", ".pfx")), path
