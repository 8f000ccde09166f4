"""The small parts of a measurement: arrivals, histogram, messages, scenarios, oracle, probe, the provider's latency."""

import dataclasses
import json
import math
from pathlib import Path
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causeway.v1 import payment_service_pb2
from loadtest import machine, oracle, probe, scenario
from loadtest.arrivals import Step, arrivals
from loadtest.bank import booking, pain001
from loadtest.bank.books import Books
from loadtest.bank.config import BankConfig
from loadtest.bank.latency import Latency
from loadtest.bank.ledger import Ledger
from loadtest.instructions import Messages, key_of, refused_in_stream
from loadtest.scenario import ScenarioBad
from loadtest.tally import ACKNOWLEDGED, FAILED, REFUSED, SENT, Latencies, Tally
from tests.loadtest.messages import single


def test_poisson_arrivals_come_at_their_rate_and_independently() -> None:
    """20,000 arrivals: the rate within 3 %, gaps with the spread of an exponential, in order, the same for one seed."""
    times = list(arrivals([Step(1_000.0, 20.0)], "poisson", 7))
    gaps = [b - a for a, b in zip([0.0, *times], times, strict=False)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert spread == pytest.approx(mean, rel=0.05)
    assert times == sorted(times)
    assert times == list(arrivals([Step(1_000.0, 20.0)], "poisson", 7))


def test_steps_follow_one_another() -> None:
    """10/s for 2 s, then 100/s for 1 s: each in its own time."""
    times = list(arrivals([Step(10.0, 2.0), Step(100.0, 1.0)], "even", 1))
    assert len([at for at in times if at < 2.0]) == pytest.approx(20, abs=1)
    assert len([at for at in times if at >= 2.0]) == pytest.approx(100, abs=1)
    with pytest.raises(ValueError, match="above zero"):
        Step(0.0, 1.0)


@given(st.integers(min_value=1, max_value=60_000_000))
def test_a_latency_is_off_by_a_tenth_of_a_per_cent_at_most(us: int) -> None:
    """The histogram's promise, which the percentiles rest on."""
    latencies = Latencies()
    latencies.record((us + 0.5) / 1e6)
    assert latencies.ms(100.0) * 1e3 == pytest.approx(us, rel=1e-3, abs=1)


def test_refusals_are_neither_acknowledged_nor_failed_and_the_warm_up_counts_nowhere() -> None:
    """Goodput is what was acknowledged; a refusal is not an error; its time counts from when the request left."""
    tally = Tally(measured_from_s=1.0)
    for number, (status, due_s) in enumerate([(0, 0.5), (0, 1.5), (8, 1.5), (14, 1.5)]):
        tally.sent(number)
        tally.ended(number, status, due_s, due_s + 5.0, due_s + 5.010)
    tally.sent(4)
    found = tally.summary(1.0)
    assert (found["acknowledged"], found["refused"], found["failed"]) == (1, 1, 1)
    assert bytes(tally.states) == bytes([ACKNOWLEDGED, ACKNOWLEDGED, REFUSED, FAILED, SENT])
    assert found["refusal_ms"]["p50"] == pytest.approx(10.0, rel=0.01)


def test_messages_are_what_protobuf_would_make_with_each_number_its_own_key() -> None:
    """The spliced bytes parse to the instruction; key and end-to-end id are the same and fit both their rules."""
    messages = Messages.submitting("0a1b2c3d")
    made = payment_service_pb2.SubmitPaymentRequest.FromString(messages.message(42)).instruction
    assert made.idempotency_key == made.end_to_end_id == key_of("0a1b2c3d", 42) == "0a1b2c3d-0000000042"
    assert made.debtor.account.iban
    assert made.amount.currency_code == "EUR"
    with pytest.raises(ValueError, match="characters"):
        Messages.submitting("short")


def test_a_refusal_inside_a_stream_is_seen() -> None:
    """A stream's answer with an error is no acknowledgement."""
    answer = payment_service_pb2.SubmitPaymentsResponse(idempotency_key="k")
    assert refused_in_stream(answer.SerializeToString()) == 0
    answer.error.code = 8
    assert refused_in_stream(answer.SerializeToString()) == 8


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_can_be_read(name: str) -> None:
    """All of those in the folder, with what they include."""
    assert scenario.load(name).houses


def test_a_scenario_scales() -> None:
    """Times and counts by the factor, rates not."""
    before, after = scenario.load("overload"), scenario.scaled(scenario.load("overload"), 0.5)
    assert after.houses[0].phases[1].seconds == before.houses[0].phases[1].seconds / 2
    assert after.houses[0].phases[1].rate == before.houses[0].phases[1].rate
    fill = scenario.scaled(scenario.load("growth"), 0.001).houses[0].phases[1]
    assert fill.count == 1_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense = 1\n[[house]]\nname='a'", "unknown key 'nonsense'"),
        ("[[house]]\nname='a'\nspeed=1\n[[house.phase]]\nname='p'\nin_flight=1", "unknown key 'speed'"),
        ("[[house]]\nname='a'", "at least one phase"),
        ("[[house]]\nname='a'\n[[house.phase]]\nname='p'", "either rate or steps"),
        ("[[house]]\nname='a'\n[[house.phase]]\nname='p'\nrate='2 x q'", "no earlier phase"),
        ("[[house]]\nname='a'\n[[house.phase]]\nname='p'\nrate=1\n[[house.phase]]\nname='p'\nrate=1", "two phases"),
        ("=", "Invalid"),
    ],
)
def test_a_scenario_that_says_something_else_is_refused_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    """A mistyped key would otherwise measure something else in silence."""
    file = tmp_path / "odd.toml"
    file.write_text(text)
    with pytest.raises(ScenarioBad, match=says) as refused:
        scenario.load(str(file))
    assert str(file) in str(refused.value)


def _booked(folder: Path, references: list[str]) -> Ledger:
    """A ledger with one booking for each, by the bank's own code."""
    config = BankConfig(folder, Path("unused"), Path("unused"), Path("unused"))
    books = Books(folder)
    for reference in references:
        initiation = pain001.read(single("W-1", reference))
        booking.book(config, booking.Submission(initiation, None, 1.0), books._writer)
    books.close()
    return Ledger(folder)


def test_the_oracle_counts_lost_double_and_under_way_from_the_banks_ledger(tmp_path: Path) -> None:
    """Of five acknowledged: two booked, one booked twice, one never, one still under way. What was refused or never
    answered may be booked or not: nobody was promised anything."""
    run = "0a1b2c3d"
    ledger = _booked(tmp_path, [key_of(run, number) for number in (0, 1, 2, 2, 5)])
    states = bytes([ACKNOWLEDGED] * 5 + [SENT, REFUSED])
    verdict = oracle.judge(ledger, [(run, states)], frozenset({key_of(run, 4)}))
    assert dataclasses.asdict(verdict) == {"acknowledged": 5, "booked": 4, "lost": 1, "double": 1, "unsettled": 1}


def test_the_probe_gives_the_median_of_a_window(tmp_path: Path) -> None:
    """A window without a reading falls back to all readings, a line being written just now is left out."""
    file = tmp_path / "probe.jsonl"
    file.write_text("".join(json.dumps([at, at * 100.0]) + "\n" for at in range(1, 6)) + "[6, 60")
    assert probe.read(file, 2, 4) == 300.0
    assert probe.read(file, 50, 60) == 300.0
    assert probe.read(tmp_path / "none", 0, 1) == 0.0
    assert probe.timed_us() > 0


def test_the_flush_is_timed_and_leaves_nothing(tmp_path: Path) -> None:
    """A figure beside each durable rate."""
    found = machine.flush_ms(tmp_path)
    assert 0 < found["p50"] <= found["p99"]
    assert not list(tmp_path.iterdir())


def test_a_provider_is_as_slow_as_told() -> None:
    """Log-normal, p50 120 ms and p99 380 ms: measured over 50,000 draws."""
    latency = Latency(0.0, 0.120, 0.380, seed=3)
    cuts = quantiles([latency.next_s() for _ in range(50_000)], n=100)
    assert cuts[49] == pytest.approx(0.120, rel=0.02)
    assert cuts[98] == pytest.approx(0.380, rel=0.05)
    assert Latency(0.05, 0.0, 0.0, seed=1).next_s() == 0.05
    with pytest.raises(ValueError, match="percentile"):
        BankConfig(Path("l"), Path("c"), Path("k"), Path("a"), reply_p50_s=0.1)
