"""A wrong setting is refused at start, by name, with what is allowed."""

from dataclasses import fields
from importlib.resources import files

import pytest

from adapters.iso20022.config import VERSIONS, Iso20022Config, from_settings
from adapters.registry import PROTOCOLS, build
from gateway.core.payment import Address
from gateway.core.ports import Adapter, Collects

LEAST = {"initiating_party_name": "Firm"}


def test_the_least_is_enough() -> None:
    """One setting and defaults: no duplicate detection and no proof are claimed that the profile does not state."""
    bank = build("iso20022", LEAST)
    assert isinstance(bank, Adapter)
    assert isinstance(bank, Collects)
    told = bank.declaration
    assert (told.duplicate_key, told.duplicate_window_s, told.not_found_is_proof) == ("", 0, False)
    assert (told.inquiry, told.bulk_lines_max, told.visibility_s) == (True, 1, 300.0)


def test_a_bank_without_a_mailbox_does_not_collect() -> None:
    assert not isinstance(build("iso20022", {**LEAST, "collect_path": ""}), Collects)


def test_an_unknown_protocol_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"^protocol: .*iso20022"):
        build("fax", LEAST)
    assert set(PROTOCOLS) == {"iso20022"}


def test_every_setting_of_a_profile_is_taken() -> None:
    """As TOML gives them: lists, whole numbers for seconds, tables."""
    config = from_settings(
        {
            **LEAST,
            "initiating_party_id": "4711",
            "pain001_version": "001.03",
            "dialect": "swiss",
            "submit_path": "/pay",
            "inquiry_path": "/ask?ref={reference}",
            "collect_path": "/box/{cursor}/{limit}",
            "company_name": "Firm AG",
            "company_address": {"town": "Basel", "country": "CH"},
            "debtor_agent_bic": "POFICHBEXXX",
            "batch_booking": False,
            "bulk_lines_max": 500,
            "duplicate_key": "MsgId",
            "duplicate_window_s": 7_776_000,
            "not_found_is_proof": True,
            "visibility_s": 5,
            "statement_evidence": "Refs/EndToEndId",
            "unprocessed_statuses": [429, 503],
        }
    )
    assert config.company_address == Address(town="Basel", country="CH")
    assert config.unprocessed_statuses == (429, 503)
    assert isinstance(config, Iso20022Config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("initiating_party_name", ""),
        ("initiating_party_name", 7),
        ("initiating_party_name", "x" * 71),
        ("initiating_party_name", "line\nbreak"),
        ("initiating_party_id", "x" * 36),
        ("pain001_version", "001.12"),
        ("pain001_version", 9),
        ("dialect", "klingon"),
        ("dialect", ["swiss"]),
        ("submit_path", ""),
        ("submit_path", "v1/payments"),
        ("submit_path", "/v1/pay ments"),
        ("submit_path", "/v1/payments\r\nx: y"),
        ("submit_path", "/v1/{what}"),
        ("inquiry_path", "/v1/status"),
        ("inquiry_path", "/v1/{reference}#top"),
        ("collect_path", "/v1/reports?after={cursor}"),
        ("company_name", None),
        ("company_address", "Basel"),
        ("company_address", {"city": "Basel"}),
        ("company_address", {"town": 7}),
        ("debtor_agent_bic", "POFI"),
        ("batch_booking", "yes"),
        ("bulk_lines_max", 0),
        ("bulk_lines_max", 10_001),
        ("bulk_lines_max", True),
        ("duplicate_key", 1),
        ("duplicate_window_s", -1),
        ("duplicate_window_s", 1.5),
        ("not_found_is_proof", 1),
        ("visibility_s", -1),
        ("visibility_s", float("nan")),
        ("visibility_s", True),
        ("statement_evidence", 1),
        ("unprocessed_statuses", 429),
        ("unprocessed_statuses", [200]),
        ("unprocessed_statuses", ["429"]),
        ("unprocessed_statuses", [429, 408]),
        ("unprocessed_statuses", [502]),
        ("unprocessed_statuses", [504]),
        ("bulk_lines", 1),
    ],
)
def test_a_wrong_setting_names_its_key_and_what_is_allowed(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{key}: .*allowed") as refused:
        build("iso20022", {**LEAST, key: value})
    assert "Basel" not in str(refused.value)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"^initiating_party_name: is missing"):
        build("iso20022", {})
    with pytest.raises(ValueError, match=r"^debtor_agent_bic: is missing"):
        build("iso20022", {**LEAST, "dialect": "swiss"})


def test_proof_needs_a_question() -> None:
    """A bank that cannot be asked cannot prove by its answer that it has nothing."""
    with pytest.raises(ValueError, match=r"^not_found_is_proof"):
        build("iso20022", {**LEAST, "not_found_is_proof": True, "inquiry_path": ""})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_can_be_built(version: str) -> None:
    assert build("iso20022", {**LEAST, "pain001_version": version})


def test_the_readme_lists_every_setting() -> None:
    """The configuration's documentation sends its reader there."""
    readme = files("adapters.iso20022").joinpath("README.md").read_text(encoding="utf-8")
    assert not [one.name for one in fields(Iso20022Config) if f"| `{one.name}` |" not in readme]
