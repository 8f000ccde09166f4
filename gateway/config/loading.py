"""Reads causeway.toml and the bank profiles beside it. Finds every problem before it gives up."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from gateway.config.bank import BankProfile
from gateway.config.problems import ConfigError, problem, told
from gateway.config.section import FOLDER, SLUG, Section, open_to_others
from gateway.config.settings import Config, Settings
from gateway.limits import BANKS_MAX

S = TypeVar("S", bound=Section)


def load(path: Path) -> Config:
    """The configuration in `path` and in the bank profiles it names.

    Relative paths in a file are relative to that file. Raises ConfigError with every problem of every file.
    """
    problems: list[str] = []
    raw = read(path, problems)
    settings = checked(Settings, path, raw, problems)
    folder = _banks_folder(path, raw)
    banks = _banks(folder, problems) if folder else {}
    if settings is None or problems:
        raise ConfigError(problems)
    try:
        return Config(**dict(settings), banks=banks)
    except ValidationError as error:
        raise ConfigError(list(told(path, Config, error.errors()))) from error


def check(path: Path) -> list[str]:
    """What the configuration says, in lines for people: listeners, principals, banks, and what looks unwise.

    Raises ConfigError as `load` does.
    """
    config = load(path)
    return [*_listener_lines(config), *_principal_lines(config), *_bank_lines(config), *_warnings(config)]


def read(path: Path, problems: list[str]) -> dict[str, Any]:
    """The TOML in `path`; {} where there is none, and then `problems` says why."""
    text = ""
    try:
        text = path.read_bytes().decode()
        return tomllib.loads(text)
    except OSError as error:
        problems.append(problem(path, "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        problems.append(problem(path, "", f"must be UTF-8; byte {error.start} is not"))
    except tomllib.TOMLDecodeError as error:
        problems.append(problem(path, "", f"is not TOML: {str(error).replace(_AT_END, _last_place(text))}"))
    return {}


_AT_END = "at end of document"  # tomllib's words where the text stops too early


def _last_place(text: str) -> str:
    lines = text.split("\n")
    return f"at line {len(lines)}, column {len(lines[-1]) + 1}"


def checked(model: type[S], path: Path, raw: dict[str, Any], problems: list[str]) -> S | None:
    """`raw`, as read from `path`, as a `model`; None where it is none, and then `problems` says why."""
    if not raw and problems:
        return None
    try:
        return model.model_validate(raw, context={FOLDER: path.parent.absolute()})
    except ValidationError as error:
        problems.extend(told(path, model, error.errors()))
        return None


def _banks_folder(path: Path, raw: dict[str, Any]) -> Path | None:
    """Looked for in the raw file, so that banks are checked even if another key of it is wrong."""
    named = raw.get("banks_dir")
    folder = path.parent / named if isinstance(named, str) and named else None
    return folder if folder and folder.is_dir() else None


def _banks(folder: Path, problems: list[str]) -> dict[str, BankProfile]:
    files = sorted(folder.glob("*.toml"))
    if len(files) > BANKS_MAX:
        problems.append(problem(folder, "", f"must hold at most {BANKS_MAX} bank profiles; it holds {len(files)}"))
        return {}
    banks = (_bank(file, problems) for file in files)
    return {bank.name: bank for bank in banks if bank}


def _bank(file: Path, problems: list[str]) -> BankProfile | None:
    if not SLUG.fullmatch(file.stem):
        problems.append(
            problem(file, "", "must be named in lower-case letters, digits, - and _: that is the bank's name")
        )
        return None
    mine: list[str] = []
    raw = read(file, mine)
    if raw.setdefault("name", file.stem) != file.stem:
        mine.append(problem(file, "name", f'must be "{file.stem}", as the file is named; or leave it out'))
    bank = None if mine else checked(BankProfile, file, raw, mine)
    problems.extend(mine)
    return bank


def _listener_lines(config: Config) -> list[str]:
    tls = config.listen.tls
    lines = [f"listener tls {tls.host}:{tls.port}, clients signed by {tls.client_ca_file}"]
    if config.listen.plaintext:
        plain = config.listen.plaintext
        lines.append(f"listener plaintext {plain.host}:{plain.port}, acts as {plain.principal}")
    return lines


def _principal_lines(config: Config) -> list[str]:
    return [
        f"principal {name}, tenant {principal.tenant}, certificates {', '.join(principal.certificates) or 'none'}"
        for name, principal in sorted(config.principals.items())
    ]


def _bank_lines(config: Config) -> list[str]:
    return [
        f"bank {bank.name} ({bank.display_name}), {bank.protocol} at {bank.connection.host}:{bank.connection.port}, "
        f"accounts: {len(bank.accounts)}, rails {', '.join(bank.rails)}{'' if bank.enabled else ', not enabled'}"
        for bank in config.banks.values()
    ]


def _warnings(config: Config) -> list[str]:
    keys = [config.listen.tls.key_file, *(bank.connection.key_file for bank in config.banks.values())]
    lines = [f"warning: every user may read the private key {key}; chmod 600 it" for key in keys if open_to_others(key)]
    if not config.banks:
        lines.append(f"warning: there are no bank profiles in {config.banks_dir}; no payment can be sent")
    return lines
