"""What is written down about the configuration is what the code does."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.config import BankProfile, Config, bank_example, example, load, reference
from gateway.config.reference import MAIN, NORTHBANK
from gateway.config.section import Section
from gateway.config.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of conf/ with the certificate files it names."""
    folder = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", folder)
    (folder / "tls").mkdir()
    for file in folder.rglob("*.toml"):
        for name in re.findall(r'"(?:\.\./)?tls/([^"]+)"', file.read_text()):
            (folder / "tls" / name).touch(0o600)
    return folder


def every_key(text: str) -> dict[str, Any]:
    """The file as it would be with all its defaults spelled out."""
    return tomllib.loads(re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE))


def keys(model: type[Section]) -> set[str]:
    return set(model.model_fields) - {"name"}


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("docs/configuration.md", reference),
        ("conf/causeway.toml", example),
        ("conf/banks/northbank.toml", bank_example),
    ],
)
def test_written_files_are_fresh(file: str, written: Any) -> None:
    """The committed files are what the models say now; `make docs` writes them anew."""
    assert (ROOT / file).read_text() == written()


def test_examples_load(conf: Path) -> None:
    """The shipped configuration is a right one, and its two banks differ as their comments say."""
    config = load(conf / "causeway.toml")
    assert sorted(config.banks) == ["alpenbank", "northbank"]
    assert config.banks["alpenbank"].protocol_settings["dialect"] == "swiss"


@pytest.mark.parametrize(("file", "model"), [("causeway.toml", Settings), ("banks/northbank.toml", BankProfile)])
def test_example_lists_every_key(file: str, model: type[Section]) -> None:
    """No key of the model is missing from its file, on any level."""
    written = every_key((ROOT / "conf" / file).read_text())
    assert set(written) == keys(model)
    for name, field in model.model_fields.items():
        inner = next((part for part in (field.annotation,) if isinstance(part, type)), None)
        if inner is not None and issubclass(inner, Section):
            assert set(written[name]) == keys(inner), name


def test_spelled_out_defaults_are_the_codes_defaults(conf: Path) -> None:
    """Taking away every "#" changes nothing: each commented-out line shows the value that holds without it."""
    before = load(conf / "causeway.toml")
    for file in (conf / "causeway.toml", conf / "banks/northbank.toml"):
        text = file.read_text()
        # Two kinds of lines show an example because their default is "nothing": files and tables that are optional.
        text = re.sub(r"^#((crl_file|spki_sha256_pins) = .*)$", r"# \1", text, flags=re.MULTILINE)
        text = re.sub(r"#\[listen\.plaintext\].*?(?=# ----)", "", text, flags=re.DOTALL)
        file.write_text(re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE))
    assert load(conf / "causeway.toml") == before


def test_every_field_has_a_sentence() -> None:
    """Each key says what it is in a sentence, and a duration or a size says its unit in its name and in words."""

    def walk(model: type[Section]) -> None:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            if re.search(r"_s(_max)?$", name):
                assert "seconds" in field.description or name == "per_second_max", f"{model.__name__}.{name}"
            if "_bytes_" in name:
                assert "bytes" in field.description, f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                walk(field.annotation)

    walk(Config)
    walk(BankProfile)


def test_examples_need_only_what_they_show() -> None:
    """The values that stand in the examples are those without which the model would refuse, and a few that teach."""
    assert set(MAIN) == {name for name, field in Settings.model_fields.items() if field.is_required()}
    required = {name for name, field in BankProfile.model_fields.items() if field.is_required()} - {"name"}
    assert required <= set(NORTHBANK)
