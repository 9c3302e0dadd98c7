"""Traffic, variants, figures and the command of simulations."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING

import pytest

from bench.harness.errors import BenchError
from bench.simulation.arrivals import Arrivals, Bursts, Diurnal, Poisson
from bench.simulation.command import main
from bench.simulation.figures import jain
from bench.simulation.profile import DEFAULT_PROFILE, read_profile
from bench.simulation.report import Variant, render_table
from bench.simulation.simulation import Server
from bench.simulation.variants import variants
from bench.simulation.workload import MIXES, Workload
from service.config import EngineConfig
from service.engine.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

SERVER = Server(EngineConfig(n_slots=2, n_ctx_slot=100), 0, read_profile(DEFAULT_PROFILE))


@pytest.mark.parametrize("arrivals", [Poisson(4.0), Bursts(4.0, 8), Diurnal(4.0, period_s=10.0)], ids=repr)
def test_arrivals_keep_their_rate_in_the_mean(arrivals: Arrivals) -> None:
    times = list(itertools.islice(arrivals.times(random.Random(1)), 20_000))
    assert times == sorted(times)
    # Bursts are 2,500 independent events: a standard deviation of 2 %.
    assert len(times) / times[-1] == pytest.approx(4.0, rel=0.06)


def test_a_burst_comes_at_one_moment() -> None:
    times = list(itertools.islice(Bursts(4.0, 8).times(random.Random(1)), 24))
    assert len(set(times)) == 3


def test_a_day_has_a_busy_and_a_quiet_half() -> None:
    times = itertools.islice(Diurnal(4.0, period_s=10.0).times(random.Random(1)), 5000)
    busy = sum(time_s % 10.0 < 5.0 for time_s in times)
    # The swing of 0.9 makes that 0.5 + 0.9 / pi.
    assert busy / 5000 == pytest.approx(0.786, abs=0.03)


@pytest.mark.parametrize("name", sorted(MIXES))
def test_a_workload_is_the_same_for_the_same_seed_and_fits_into_the_context(name: str) -> None:
    def first_turns(seed: int) -> list[tuple[tuple[int, ...], int]]:
        workload = Workload(MIXES[name], seed, n_ctx=600)
        turns = [workload.turn(workload.begin(client)) for client in range(50)]
        return [(turn.prompt, turn.n_answer) for turn in turns]

    assert first_turns(1) == first_turns(1)
    assert first_turns(1) != first_turns(2)
    assert all(prompt and len(prompt) + n_answer < 600 for prompt, n_answer in first_turns(1))


def test_later_turns_hold_the_end_of_what_was_said() -> None:
    workload = Workload(MIXES["conversations"], 1, n_ctx=600)
    conversation = workload.begin(0)
    conversation.history = tuple(range(1000))
    turn = workload.turn(conversation)
    assert len(turn.prompt) + turn.n_answer == 599
    assert 999 in turn.prompt
    assert 0 not in turn.prompt[: -turn.prompt.index(999)]


def test_every_combination_of_settings_is_a_variant() -> None:
    found = variants(SERVER, ["prefill_budget_ms=50,100", "n_slots=4,8", "max_tokens=none"])
    assert list(found) == [
        "prefill_budget_ms=50.0 n_slots=4",
        "prefill_budget_ms=50.0 n_slots=8",
        "prefill_budget_ms=100.0 n_slots=4",
        "prefill_budget_ms=100.0 n_slots=8",
    ]
    last = found["prefill_budget_ms=100.0 n_slots=8"]
    assert (last.config.prefill_budget_ms, last.config.n_slots, last.n_cells) == (100.0, 8, 800)


def test_cells_can_be_fewer_than_slots_could_hold() -> None:
    (only,) = variants(SERVER, ["n_cells=150"]).values()
    assert only.n_cells == 150


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("n_slots", "not NAME=VALUE"),
        ("slots=1", "not NAME=VALUE.*n_slots"),
        ("n_slots=few", "n_slots is 'few'; allowed is a whole number"),
        ("lookup=1", "lookup is '1'; allowed is off, on, auto"),
        ("prefill_budget_ms=", "prefill_budget_ms is ''; allowed is a number"),
        ("max_tokens=some", "max_tokens is 'some'; allowed is a whole number or none"),
    ],
)
def test_a_wrong_setting_is_named(assignment: str, message: str) -> None:
    with pytest.raises(BenchError, match=f"--set: .*{message}"):
        variants(SERVER, [assignment])


@pytest.mark.parametrize(("values", "index"), [([2.0, 2.0, 2.0], 1.0), ([6.0, 0.0, 0.0], 1 / 3), ([3.0, 1.0], 0.8)])
def test_jains_index_is_1_for_equals_and_1_of_n_if_one_has_all(values: list[float], index: float) -> None:
    assert jain(values) == pytest.approx(index)


def test_the_table_has_a_ratio_for_every_further_variant() -> None:
    header, speed, extra = render_table(
        [Variant("a", {"speed": 2.0}), Variant("b", {"speed": 3.0, "extra": 0.5})]
    ).splitlines()
    assert header.split() == ["a", "b", "x"]
    assert speed.split() == ["speed", "2", "3", "1.50"]
    assert extra.split() == ["extra", "-", "0.500", "-"]


def test_the_command_compares_variants_and_writes_them_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    command = ["leaving", "--requests", "40", "--load", "1.5", "--set", "n_slots=2,4", "--json", str(path)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "capacity, requests/s:" in out
    assert "n_slots=2" in out
    assert "n_slots=4" in out
    document = json.loads(path.read_text())
    assert [variant["name"] for variant in document["variants"]] == ["n_slots=2", "n_slots=4"]
    assert all(variant["figures"]["requests"] == 40 for variant in document["variants"])
    assert document["conditions"]["mix"] == "leaving"


@pytest.mark.parametrize("arrivals", ["bursts", "diurnal", "closed"])
def test_the_command_knows_other_arrivals(arrivals: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "--requests", "20", "--capacity", "2", "--arrivals", arrivals]) == 0
    assert "first token, s p50" in capsys.readouterr().out


def test_a_wrong_setting_ends_the_command_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "slots=3"]) == 1
    assert capsys.readouterr().err.startswith("error: --set: 'slots=3'")


def test_an_engine_that_does_nothing_ends_the_command_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Engine, "step", lambda engine: [])
    assert main(["chat", "--requests", "5", "--capacity", "2"]) == 1
    assert "the engine has work, but did nothing" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["requests", "load", "capacity", "burst", "users", "period"])
def test_sizes_must_be_above_0(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([f"--{option}", "0"])
    assert f"--{option}: 0" in capsys.readouterr().err
