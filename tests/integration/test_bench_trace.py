"""A trace of the whole server: every hop of a request is seen, in order, over both APIs."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from bench.__main__ import main
from bench.harness.tracing.hops import HOPS
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

PAUSES = ("pause of 50 ms", "back to back")


def test_every_hop_is_seen_and_together_they_are_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The handler that ``main`` sets is for a process that only benchmarks.
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    model = write_tiny_gguf(tmp_path / "tiny.gguf")
    options = ["--alone", "--any-load", "--repeats", "1", "--threads", "1", "--model", str(model)]
    assert main(["trace", *options, "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    document = json.loads((tmp_path / "bench.json").read_text())
    figures = {figure["name"]: figure["samples"] for figure in document["results"][0]["figures"]}
    for api, hops in HOPS.items():
        for pause in PAUSES:
            # A request whose marks come in another order fails before there are figures.
            columns = [figures[f"{api}, first token, {pause}: {hop.name}"] for hop in hops]
            assert all(sample >= 0 for column in columns for sample in column)
            whole = [sum(row) for row in zip(*columns, strict=True)]
            assert figures[f"{api}, first token, {pause}: the whole"] == pytest.approx(whole)
        assert all(hop.name in printed for hop in hops)
