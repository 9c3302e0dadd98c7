"""What steps cost: the formula, its file, and how it is fitted to measurements."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import pytest

from bench.harness.errors import BenchError
from bench.simulation.fit import Shape, fit, predict
from bench.simulation.profile import DEFAULT_PROFILE, CostProfile, read_profile

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = CostProfile(
    batch_s=((1, 0.004), (8, 0.010), (48, 0.040), (64, 0.036), (128, 0.072)),
    row_s=0.0005,
    walk_s=(0.5e-6, 0.2e-6),
    attend_s=(20e-6, 5e-6),
    copy_cell_s=3e-6,
    cell_bytes=23_000,
    conditions={"model": "made up"},
)
SHAPES = [
    *(Shape(0, n_decode, 0, n_context, 32 * n_context) for n_decode in (1, 8) for n_context in (8, 64, 192)),
    *(Shape(n_prefill, 0, 0, 0, n_cells) for n_prefill in (48, 64, 128) for n_cells in (256, 2048)),
    *(Shape(n_prefill, 0, 1000, 0, 4000) for n_prefill in (8, 48, 64, 128)),
    *(Shape(n_prefill, n_decode, 0, 64, 2048) for n_prefill, n_decode in ((16, 4), (40, 8), (64, 8))),
]


@pytest.mark.parametrize(
    ("n_tokens", "n_rows", "n_attended", "n_cells", "seconds"),
    [
        (1, 0, 0, 0, 0.004),
        (1, 1, 0, 0, 0.0045),
        (28, 0, 0, 0, 0.025),
        (8, 8, 800, 1000, 0.010 + 0.004 + 0.004 + 0.016),
        # From 64 tokens on attention is done in tiles.
        (64, 0, 6400, 1000, 0.036 + 0.0128 + 0.032),
        # Beyond the last point the line goes on.
        (256, 0, 0, 0, 0.144),
    ],
)
def test_a_step_costs_its_batch_its_rows_and_its_attention(
    n_tokens: int, n_rows: int, n_attended: int, n_cells: int, seconds: float
) -> None:
    assert PROFILE.step_s(n_tokens, n_rows, n_attended, n_cells) == pytest.approx(seconds)


def test_every_token_attends_to_those_before_it_and_itself() -> None:
    assert Shape(3, 0, 10, 0, 100).n_attended == 11 + 12 + 13
    assert Shape(0, 2, 0, 10, 100).n_attended == 11 + 11


def test_a_fit_finds_the_costs_that_made_the_measurements() -> None:
    measured = {shape: predict(PROFILE, shape) for shape in SHAPES}
    found = fit(measured, copy_cell_s=3e-6, cell_bytes=23_000, conditions={"model": "made up"})
    assert found.max_error < 1e-6
    for shape in (Shape(0, 4, 0, 500, 3000), Shape(60, 2, 300, 100, 2000), Shape(100, 0, 0, 0, 5000)):
        assert predict(found.profile, shape) == pytest.approx(predict(PROFILE, shape), rel=0.05)
    assert found.profile.conditions == {"model": "made up"}


def test_noise_makes_no_cost_negative() -> None:
    noise = itertools.cycle((1.0, 1.3, 0.8, 1.1, 0.7))
    measured = {shape: predict(PROFILE, shape) * next(noise) for shape in SHAPES}
    profile = fit(measured, copy_cell_s=0.0, cell_bytes=1, conditions={}).profile
    costs = [seconds for _, seconds in profile.batch_s]
    assert min(*costs, profile.row_s, *profile.walk_s, *profile.attend_s) >= 0


def test_a_profile_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text(PROFILE.to_json())
    assert read_profile(path) == PROFILE


def test_the_profile_that_is_used_by_default_says_what_it_was_measured_on() -> None:
    profile = read_profile(DEFAULT_PROFILE)
    assert {"processor", "model", "threads", "error of the fit"} <= profile.conditions.keys()
    # One token takes milliseconds, and eight together less than eight alone.
    assert 0.001 < profile.step_s(1, 1, 60, 500) < 0.1
    assert profile.step_s(8, 8, 480, 500) < 8 * profile.step_s(1, 1, 60, 500)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"batch_s": 1}',
        dataclasses.replace(PROFILE, batch_s=((1, 1.0),)).to_json(),
        dataclasses.replace(PROFILE, batch_s=((8, 1.0), (1, 1.0))).to_json(),
        PROFILE.to_json().replace("walk_s", "walks_s"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(BenchError, match=r"--profile: .*profile\.json"):
        read_profile(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--profile"):
        read_profile(tmp_path / "none.json")
