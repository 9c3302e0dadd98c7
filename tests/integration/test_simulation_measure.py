"""Measuring what steps of a real model cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.simulation.measure import main
from bench.simulation.profile import read_profile
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path


def test_a_profile_of_a_model_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, output = write_tiny_gguf(tmp_path / "tiny.gguf"), tmp_path / "profile.json"
    assert main(["--model", str(model), "-t", "1", "--rounds", "1", "--output", str(output)]) == 0
    profile = read_profile(output)
    assert profile.conditions["model"] == "tiny.gguf"
    assert profile.cell_bytes > 0
    assert profile.step_s(32, 32, 32 * 192, 6144) > 0
    assert "error of the fit: " in capsys.readouterr().out


def test_a_model_that_cannot_be_loaded_ends_with_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", str(tmp_path / "none.gguf"), "--output", str(tmp_path / "profile.json")]) == 1
    assert "none.gguf" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--threads", "--rounds"])
def test_counts_must_be_1_or_more(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([option, "0", "--output", "unused.json"])
    assert f"{option}: 0 is less than 1" in capsys.readouterr().err
