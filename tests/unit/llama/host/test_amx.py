"""AMX kernels are used only if a process of its own has survived them."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from service.llama.host import amx, amx_probe

if TYPE_CHECKING:
    from pathlib import Path

    from service.llama.host.library import Library


class Hashable(SimpleNamespace):
    """A namespace that can be a key."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is run instead of the probe."""
    path = tmp_path / "probe.py"
    monkeypatch.setattr(amx, "_PROBE", path)
    return path


def make_library(info: str) -> Any:
    """A library that was built with some instruction sets, and lives in /libraries."""
    return Hashable(system_info=info, folder="/libraries")


def test_a_library_without_amx_needs_no_probe(probe: Path) -> None:
    assert not probe.exists()
    assert amx.amx_is_sound(make_library("CPU : AVX2 = 1 | AVX512 = 1 | "))


def test_amx_that_survives_the_probe_is_sound(probe: Path) -> None:
    probe.write_text("import sys; sys.exit(sys.argv[1:] != ['/libraries'])")
    assert amx.amx_is_sound(make_library("CPU : AMX_INT8 = 1 | "))


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", "exit code -11"),
        ("raise SystemExit(1)", "exit code 1"),
        ("import threading; threading.Event().wait()", "timed out"),
    ],
    ids=["crash", "wrong product", "hang"],
)
def test_amx_that_fails_the_probe_is_not_used(
    probe: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, program: str, told: str
) -> None:
    probe.write_text(program)
    monkeypatch.setattr(amx, "_PROBE_TIMEOUT_S", 0.5 if told == "timed out" else 60.0)
    with caplog.at_level(logging.WARNING, "service.llama"):
        assert not amx.amx_is_sound(make_library("CPU : AMX_INT8 = 1 | "))
    (record,) = caplog.records
    assert told in record.getMessage()
    assert "-fno-dse" in record.getMessage()


def test_the_probe_judges_the_installed_library(library: Library) -> None:
    command = [sys.executable, "-I", amx_probe.__file__, library.folder]
    probe = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (probe.returncode == 0) == amx.amx_is_sound(library)


def test_the_probe_fails_where_there_is_no_library(tmp_path: Path) -> None:
    command = [sys.executable, "-I", amx_probe.__file__, str(tmp_path)]
    probe = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert probe.returncode == 1
