"""Comparisons of servers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench.harness.contest import PEER, REST, Quantity, Sample, curve_of, figures_of, notes_of
from bench.harness.report import Goal, Point
from bench.harness.rounds import Rounds
from bench.settings import Settings

RATE = Quantity("rate", "tokens/s", Goal("at least", 90.0), Goal("at least", 1.5))
SHARE = Quantity("refused", "")
SETTINGS = Settings(model=Path("model.gguf"), peers_python=None)


def _rounds(**samples: list[Sample]) -> Rounds[Sample]:
    names = {"grpc": "gRPC", "rest": REST, "peer": PEER}
    return Rounds({names[name]: tuple(taken) for name, taken in samples.items()}, 0, False)


def _two(first: float, second: float) -> list[Sample]:
    return [{"rate": first, "refused": 0.5}, {"rate": second, "refused": 0.25}]


def test_ratios_are_taken_within_rounds_and_goals_are_those_of_rest() -> None:
    rounds = _rounds(grpc=_two(120, 150), rest=_two(100, 110), peer=_two(50, 100))
    figures = {figure.name: figure for figure in figures_of(rounds, [RATE, SHARE], label="8 streams")}
    assert list(figures) == [
        "rate, 8 streams: gRPC",
        "rate, 8 streams: REST",
        "rate, 8 streams: llama-server",
        "rate, 8 streams: gRPC / llama-server",
        "rate, 8 streams: REST / llama-server",
        "refused, 8 streams: gRPC",
        "refused, 8 streams: REST",
        "refused, 8 streams: llama-server",
    ]
    assert figures["rate, 8 streams: REST / llama-server"].samples == (2.0, 1.1)
    assert figures["rate, 8 streams: REST / llama-server"].is_goal_met is True
    assert figures["rate, 8 streams: REST"].is_goal_met is True
    assert figures["rate, 8 streams: gRPC"].goal is None
    assert figures["refused, 8 streams: REST"].samples == (0.5, 0.25)


@pytest.mark.parametrize("rounds", [_rounds(rest=_two(1, 2)), _rounds(rest=_two(1, 2), peer=_two(0, 1))])
def test_without_a_peer_or_beside_zero_there_is_no_ratio(rounds: Rounds[Sample]) -> None:
    assert not [figure for figure in figures_of(rounds, [RATE]) if " / " in figure.name]


def test_a_point_of_a_curve_knows_its_plot_and_its_line() -> None:
    figures = curve_of(_rounds(rest=_two(4, 6), peer=_two(2, 2)), RATE, axis="streams", x=16)
    assert [figure.point for figure in figures] == [
        Point("rate by streams", line, 16) for line in (REST, PEER, f"{REST} / {PEER}")
    ]


def test_the_notes_hold_the_options_of_the_servers_and_the_disturbance() -> None:
    rounds = dataclasses.replace(_rounds(rest=_two(1, 2)), is_disturbed=True)
    notes = notes_of(SETTINGS, rounds, "overload", ours=("--max-queue", "16"))
    assert "-m model.gguf -c 8192 -np 8 -t 2 -tb 2" in notes[0]
    assert notes[1].endswith("--max-queue 16")
    assert "disturbed" in notes[2]
