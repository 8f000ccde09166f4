"""A configuration is loaded whole or refused with every problem named."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import ConfigError, check, load
from gateway.config.loading import checked
from gateway.config.problems import PROBLEMS_MAX
from gateway.config.settings import Settings
from gateway.core.payment import Rail
from gateway.limits import BANKS_MAX
from tests.config.conftest import BANK, MAIN, Write
from tests.fills import fills


def refusal(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(path)
    return str(refused.value).splitlines()


def test_small_file_is_enough(write: Write, tmp_path: Path) -> None:
    """Only what cannot be guessed must be said; the rest has defaults."""
    config = load(write())
    assert config.data_dir == tmp_path / "data"
    assert config.listen.tls.port == 7443
    assert config.listen.plaintext is None
    assert config.principals["erp"].tenant == "treasury"
    bank = config.banks["northbank"]
    assert (bank.name, bank.rails, bank.inquiry.first_after_s) == ("northbank", (Rail.NORMAL,), 90.0)


def test_account_finds_its_bank(write: Write) -> None:
    """A debtor account leads to its bank, however the IBAN was spaced in the profile."""
    config = load(write())
    assert config.bank_of("DE89370400440532013000") is config.banks["northbank"]
    assert config.bank_of("FR1420041010050500013M02606") is None


def test_relative_paths_belong_to_their_file(write: Write, tmp_path: Path) -> None:
    """A path in a bank profile is relative to the profile, not to causeway.toml or the working directory."""
    config = load(write())
    assert config.listen.tls.key_file == tmp_path / "tls/server.key"
    assert config.banks["northbank"].connection.key_file.resolve() == tmp_path / "tls/client.key"


def test_span_file_is_beside_the_configuration(write: Write, tmp_path: Path) -> None:
    """`file:PATH` is resolved like every other path."""
    config = load(write(MAIN + '[telemetry]\ntraces = "file:spans.jsonl"\n'))
    assert config.telemetry.traces_file == tmp_path / "spans.jsonl"


def test_all_problems_come_at_once(write: Write) -> None:
    """Problems of the file, of each bank and of the values between them are told together, a line each."""
    main = (
        MAIN.replace('tenant = "treasury"', 'tenant = "Treasury"') + "[grpc]\nconnections_max = 0\n[store]\nmap = 1\n"
    )
    lines = refusal(write(main, northbank=BANK.replace("port = 8443", "port = 99999"), alpenbank="display_name = 1"))
    text = "\n".join(lines)
    assert "causeway.toml: principals.erp.tenant: " in text
    assert "causeway.toml: grpc.connections_max: must be greater than or equal to 1; it is 0" in text
    assert "causeway.toml: store.map: unknown key" in text
    assert "northbank.toml: connection.port: must be less than or equal to 65535; it is 99999" in text
    assert "alpenbank.toml: display_name: must be a valid string" in text
    assert "alpenbank.toml: connection: is missing. The wire to the bank." in text


def test_unknown_key_suggests_the_nearest(write: Write) -> None:
    """A slip of the pen is answered with the key that was probably meant."""
    (line,) = refusal(write(MAIN + "[grpc]\nconnection_max = 10\n"))
    assert line.endswith("grpc.connection_max: unknown key; did you mean connections_max?")


def test_unknown_key_without_likeness_lists_what_is_known(write: Write) -> None:
    """Where nothing is near, all keys of that table are named."""
    (line,) = refusal(write(MAIN + "[store]\ncolour = 'red'\n"))
    assert line.endswith("store.colour: unknown key; known here: map_bytes_initial, map_bytes_max")


@pytest.mark.parametrize("text", ["[listen", "a = ", "a = 1\na = 2\n"])
def test_syntax_error_names_line_and_column(write: Write, text: str) -> None:
    """A file that is not TOML is refused with the place of the slip."""
    (line,) = refusal(write(text))
    assert "causeway.toml: is not TOML: " in line
    assert "line" in line
    assert "column" in line


def test_file_that_is_not_text_is_refused(write: Write) -> None:
    """Bytes that are not UTF-8 are named, not guessed at."""
    path = write()
    path.write_bytes(b"a = '\xff'")
    assert refusal(path) == [f"{path}: must be UTF-8; byte 5 is not"]


def test_absent_file_is_refused_plainly(tmp_path: Path) -> None:
    """A wrong path says so in the system's words."""
    path = tmp_path / "nowhere.toml"
    assert refusal(path) == [f"{path}: cannot be read: No such file or directory"]


def test_missing_key_file_is_found_at_load(write: Write, tmp_path: Path) -> None:
    """A key that is not there stops the start, not the first payment."""
    path = write()
    (tmp_path / "tls/client.key").unlink()
    (line,) = refusal(path)
    assert "northbank.toml: connection.key_file: must be a file; " in line
    assert line.endswith("client.key is not there")


def test_plaintext_listener_is_refused_off_loopback(write: Write) -> None:
    """A listener that knows no certificates cannot be reached from elsewhere."""
    (line,) = refusal(write(MAIN + '[listen.plaintext]\nhost = "0.0.0.0"\nprincipal = "erp"\n'))
    assert "listen.plaintext.host: must be a loopback address" in line


def test_plaintext_listener_acts_as_a_known_principal(write: Write) -> None:
    """Nobody is created by a listener."""
    (line,) = refusal(write(MAIN + '[listen.plaintext]\nprincipal = "ghost"\n'))
    assert line.endswith("listen.plaintext.principal: must be one of the principals: erp")


def test_listeners_have_ports_of_their_own(write: Write) -> None:
    """Two listeners on one port would fail at the second bind; it is told before the first."""
    (line,) = refusal(write(MAIN + '[listen.plaintext]\nport = 7443\nprincipal = "erp"\n'))
    assert line.endswith("listen.plaintext.port: must not be the port of listen.tls (7443)")


def test_one_certificate_is_one_principal(write: Write) -> None:
    """A certificate that two principals claim would make authentication a matter of order."""
    (line,) = refusal(write(MAIN + '[principals.crm]\ntenant="crm"\ncertificates=["uri:spiffe://example.org/erp"]\n'))
    assert "principals.crm.certificates: must not name" in line
    assert "principal erp" in line


def test_certificate_names_have_a_kind(write: Write) -> None:
    """A bare name would be ambiguous between the kinds of names a certificate has."""
    (line,) = refusal(write(MAIN.replace("uri:spiffe", "spiffe")))
    assert 'principals.erp.certificates: must each begin with "uri:"' in line


def test_account_at_two_banks_is_refused_without_naming_it(write: Write) -> None:
    """A debtor account leads to one bank; the error tells the position, never the number."""
    (line,) = refusal(write(northbank=BANK, alpenbank=BANK))
    assert "banks.northbank.accounts[0]: must not be an account that bank alpenbank has" in line
    assert "DE89" not in line


def test_wrong_iban_is_refused_without_naming_it(write: Write) -> None:
    """Check digits are checked, and the number stays out of the error."""
    (line,) = refusal(write(northbank=BANK.replace("DE89", "DE88")))
    assert "northbank.toml: accounts[0]: must be an IBAN" in line
    assert "3704" not in line


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("[inquiry]\nwindow_s = 100\n", "inquiry.window_s"),
        ("[inquiry]\nfirst_after_s = 0\n", "inquiry.first_after_s"),
        ("[inquiry]\nper_payment_max = 0\n", "inquiry.per_payment_max"),
        ("[lane]\nretry_first_s = 10\nretry_max_s = 5\n", "lane.retry_max_s"),
        ("[lane]\nin_flight_max = 201\n", "lane.in_flight_max"),
    ],
)
def test_relations_between_bank_keys_hold(write: Write, table: str, key: str) -> None:
    """Values that contradict each other are refused, under the key to change."""
    (line,) = refusal(write(northbank=BANK + table))
    assert f"northbank.toml: {key}: must be " in line


def test_bank_is_named_after_its_file(write: Write) -> None:
    """A profile cannot claim another name, and its file's name must be fit for metrics and health."""
    (line,) = refusal(write(northbank='name = "southbank"\n' + BANK))
    assert 'northbank.toml: name: must be "northbank"' in line


def test_bank_file_with_an_unfit_name_is_refused(write: Write) -> None:
    """Capitals and blanks would not survive as a label."""
    (line,) = refusal(write(**{"North Bank": BANK}))
    assert "North Bank.toml: must be named in lower-case" in line


@fills("BANKS_MAX")
def test_banks_are_bounded(write: Write, tmp_path: Path) -> None:
    """More profiles than the house is built for are refused, not loaded slowly."""
    path = write()
    for number in range(BANKS_MAX):
        (tmp_path / f"banks/bank{number}.toml").write_text("")
    (line,) = refusal(path)
    assert f"must hold at most {BANKS_MAX} bank profiles; it holds {BANKS_MAX + 1}" in line


def test_words_are_not_numbers(write: Write) -> None:
    """Nothing is converted in silence: a quoted number is a string."""
    (line,) = refusal(write(MAIN + '[grpc]\nconnections_max = "10"\n'))
    assert "grpc.connections_max: must be a valid integer" in line


def test_unfit_name_of_a_principal_is_told(write: Write) -> None:
    """A table's name is a value too, and has its rule."""
    (line,) = refusal(write(MAIN.replace("principals.erp", 'principals."ERP 1"')))
    assert "principals.ERP 1: is no possible name; " in line


@fills("PROBLEMS_MAX")
def test_problems_are_bounded(write: Write) -> None:
    """A file that is wrong from top to bottom does not push its first problems off the screen."""
    lines = refusal(write(MAIN + "[grpc]\n" + "".join(f"nonsense{number} = 1\n" for number in range(200))))
    assert len(lines) == PROBLEMS_MAX + 1
    assert lines[-1] == f"and {200 - PROBLEMS_MAX} more"


WORDS = st.one_of(
    st.integers(),
    st.floats(allow_nan=True),
    st.booleans(),
    st.text(max_size=20),
    st.lists(st.one_of(st.integers(), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.sampled_from(["tls", "host", "x"]), st.integers(), max_size=2),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(data=st.data())
def test_no_value_makes_loading_raise_anything_else(write: Write, data: st.DataObject) -> None:
    """Whatever stands behind a key, the answer is a configuration or a ConfigError that names the file."""
    raw = tomllib.loads(MAIN)
    section = data.draw(st.sampled_from([None, *Settings.model_fields]))
    table = raw if section is None else raw.setdefault(section, {})
    if isinstance(table, dict):
        table[data.draw(st.sampled_from([*Settings.model_fields, "tls", "host", "traces", "erp", "[key]"]))] = (
            data.draw(WORDS)
        )
    problems: list[str] = []
    checked(Settings, Path("causeway.toml"), raw, problems)
    assert all(line.startswith("causeway.toml: ") for line in problems)


def test_check_tells_who_may_come_in_and_whom_we_pay(write: Write, tmp_path: Path) -> None:
    """check-config shows listeners, principals and banks, and warns of an open key."""
    path = write(MAIN + '[listen.plaintext]\nport = 7081\nprincipal = "erp"\n')
    (tmp_path / "tls/server.key").chmod(0o644)
    lines = check(path)
    assert lines[0].startswith("listener tls 127.0.0.1:7443, clients signed by ")
    assert lines[1] == "listener plaintext 127.0.0.1:7081, acts as erp"
    assert lines[2] == "principal erp, tenant treasury, certificates uri:spiffe://example.org/erp"
    assert lines[3] == "bank northbank (Northbank AG), iso20022 at 127.0.0.1:8443, accounts: 1, rails NORMAL"
    assert lines[4].startswith("warning: every user may read the private key ")
