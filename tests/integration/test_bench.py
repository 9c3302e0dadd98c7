"""The benchmarks run: one scenario against the server, without llama.cpp's own programs and without judging figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.__main__ import SCENARIOS, main
from bench.harness.report import Figure, Result, read_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler that ``main`` sets is for a process that only benchmarks."""
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)


#: One thread, small sizes, and no waiting for other processes.
SMALL = ("--alone", "--quick", "--any-load", "--repeats", "1", "--threads", "1")


def test_a_scenario_prints_a_table_and_keeps_every_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shared_prefix", *SMALL, "--output", str(tmp_path), "--peers-python", "/nowhere/python"]) == 0
    printed = capsys.readouterr().out
    assert "shared_prefix, scenario 1 of 1" in printed
    assert "8 requests at once: the same 128 tokens" in printed
    assert "no plots: /nowhere/python does not exist" in printed
    document = json.loads((tmp_path / "bench.json").read_text())
    figures = {figure["name"]: figure["samples"] for figure in document["results"][0]["figures"]}
    assert {name.rpartition(": ")[2] for name in figures} == {"gRPC", "REST"}
    assert all(len(samples) == 1 and samples[0] > 0 for samples in figures.values())
    assert document["conditions"]["llama-server"] == "not measured"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_server(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "streams", *SMALL, "--output", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as run:
        parent = psutil.Process(run.pid)
        while not (servers := [child for child in parent.children() if "serve" in child.cmdline()]):
            assert run.poll() is None
        run.send_signal(number)
        _, errors = run.communicate()
    assert run.returncode == 128 + number, errors.decode()
    assert not any(server.is_running() for server in servers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "SCENARIO: 'nothing' is not one of startup"),
        (["decode", "--repeats", "0"], "--repeats: 0 is less than 1"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_a_scenario_that_cannot_run_says_so_and_the_next_one_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Result("streams", "a title", (Figure("rate", "tokens/s", (1.0,)),))
    monkeypatch.setitem(SCENARIOS, "streams", lambda settings: measured)
    assert main(["decode", "streams", *SMALL, "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "run it without --alone" in printed.out
    assert "not everything could be measured: decode" in printed.err
    failed, found = read_json(tmp_path / "bench.json")[0]
    assert (len(failed.failures), found) == (1, measured)


def test_peers_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--output", str(tmp_path), "--peers-python", sys.executable, "--stock-peers-python", "/nowhere/python")
    assert main(["streams", *options]) == 1
    assert "error: " in capsys.readouterr().err
