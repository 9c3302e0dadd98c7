"""Comparisons of servers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bench.harness.contest import GRPC, REST, Contest, Place, Quantity, Sample, figures_of, notes_of
from bench.harness.errors import BenchError
from bench.harness.load import Job
from bench.harness.processes import ServerProcess
from bench.harness.report import Goal, Point
from bench.harness.rounds import Rounds
from bench.harness.servers import PEER, STOCK_PEER, Endpoints
from bench.settings import Settings
from tests.unit.bench.scripted_target import ScriptedTarget, timing

if TYPE_CHECKING:
    import subprocess

    from bench.harness.load import StreamTiming, Target

RATE = Quantity("rate", "tokens/s", Goal("at least", 90.0), Goal("at least", 1.5))
SHARE = Quantity("refused", "")
OURS = Quantity("turned away", "requests", is_of_peers=False)
SETTINGS = Settings(model=Path("model.gguf"), peers_python=None, repeats=3, max_foreign_cores=float("inf"))
FIRST = Quantity("first token", "ms")


def _rounds(**samples: list[Sample]) -> Rounds[Sample]:
    names = {"grpc": GRPC, "rest": REST, "peer": PEER, "stock": STOCK_PEER}
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


def test_ratios_are_taken_to_every_build_of_the_peer_and_judged_alike() -> None:
    figures = figures_of(_rounds(rest=_two(100, 110), peer=_two(50, 100), stock=_two(80, 80)), [RATE])
    ratios = {figure.heading: figure for figure in figures if figure.against}
    assert list(ratios) == ["REST / llama-server", "REST / llama-server (stock)"]
    assert [figure.is_goal_met for figure in ratios.values()] == [True, False]


def test_what_means_nothing_for_a_peer_has_no_figures_of_it() -> None:
    taken: list[Sample] = [{"turned away": 3}]
    assert [figure.name for figure in figures_of(_rounds(rest=taken, peer=taken), [OURS])] == ["turned away: REST"]


@pytest.mark.parametrize("rounds", [_rounds(rest=_two(1, 2)), _rounds(rest=_two(1, 2), peer=_two(0, 1))])
def test_without_a_peer_or_beside_zero_there_is_no_ratio(rounds: Rounds[Sample]) -> None:
    assert not [figure for figure in figures_of(rounds, [RATE]) if figure.against]


def test_a_point_of_a_curve_knows_its_plot_and_its_line() -> None:
    rounds = _rounds(rest=_two(4, 6), peer=_two(2, 2))
    figures = figures_of(rounds, [RATE], label="16 streams", place=Place("streams", 16))
    assert [figure.point for figure in figures] == [
        Point("rate by streams", line, 16) for line in (REST, PEER, f"{REST} / {PEER}")
    ]


def test_the_notes_hold_the_options_of_the_servers_who_is_missing_and_the_disturbance() -> None:
    settings = dataclasses.replace(SETTINGS, peers_python=Path("python"))
    rounds = dataclasses.replace(_rounds(rest=_two(1, 2)), is_disturbed=True)
    options, own, missing, disturbed = notes_of(
        settings, rounds, "overload", own={"Slotline": ("--max-queue", "16"), PEER: ()}
    )
    assert "-m model.gguf -c 8192 -np 8 -t 2 -tb 2" in options
    assert own.endswith("--max-queue 16")
    assert "llama-server as pip builds it is left out" in missing
    assert "disturbed" in disturbed


def _contest(log: Path, exit_codes: dict[str, int | None], **targets: ScriptedTarget) -> Contest:
    """Servers that run, or have ended with an exit code, in front of scripted targets."""
    log.write_text("its last words")
    servers = {}
    for name, code in exit_codes.items():
        process = SimpleNamespace(poll=lambda code=code: code, returncode=code)
        servers[name] = Endpoints(ServerProcess(name, cast("subprocess.Popen[bytes]", process), 0.0, log), 1, None)
    contest = Contest(SETTINGS, servers, ())
    contest.targets |= cast("dict[str, Target]", targets)
    return contest


async def _first(target: Target) -> Sample:
    return {"first token": (await target.generate(Job("a", 4, seed=1))).first_token_ms}


async def test_a_server_that_fails_costs_its_own_figures_only(tmp_path: Path) -> None:
    answers: list[StreamTiming | Exception] = [timing(4, 1.0), BenchError("no final event"), timing(4, 1.0)]
    peer = ScriptedTarget(lambda number: answers[min(number, 2)])
    rest = ScriptedTarget(lambda number: timing(4, 2.0))
    contest = _contest(tmp_path / "log", {REST: None, PEER: None}, **{REST: rest, PEER: peer})
    await contest.measure([FIRST], _first, label="8 tokens")
    await contest.measure([FIRST], _first, label="64 tokens")
    result = contest.result("warm", "a title")
    assert {figure.name: len(figure.samples) for figure in result.figures} == {
        "first token, 8 tokens: REST": 3,
        "first token, 64 tokens: REST": 3,
        "first token, 64 tokens: llama-server": 3,
        "first token, 64 tokens: REST / llama-server": 3,
    }
    assert result.failures == ("llama-server, 8 tokens: no final event",)


async def test_the_last_words_of_a_server_that_ended_are_reported(tmp_path: Path) -> None:
    gone = ScriptedTarget(lambda number: ConnectionResetError())
    contest = _contest(tmp_path / "log", {REST: -9}, **{GRPC: gone})
    await contest.measure([FIRST], _first)
    result = contest.result("warm", "a title")
    assert result.figures == ()
    assert len(result.failures) == 1
    assert "ended with exit code -9" in result.failures[0]
    assert "its last words" in result.failures[0]


async def test_only_those_are_measured_whose_names_are_given(tmp_path: Path) -> None:
    targets = {name: ScriptedTarget(lambda number: timing(4, 2.0)) for name in (REST, PEER)}
    contest = _contest(tmp_path / "log", {REST: None, PEER: None}, **targets)
    rounds = await contest.measure([FIRST], _first, names=[REST])
    assert list(rounds.samples) == [REST]
