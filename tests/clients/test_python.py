"""The Python client does what the suite wants."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.suite import FREE_WITHIN_S, N_KILLS, fail_wrong_cases, kill_while_streaming, run_cases

if TYPE_CHECKING:
    from tests.clients.suite import Ports

ROOT = Path(__file__).parents[2]
#: The packages of our own environment, and the oldest that the client's metadata allows.
PYTHONS = {"newest": Path(sys.executable), "oldest": ROOT / ".venv-oldest/bin/python"}
IMPORTED_FROM = f"{ROOT}{os.pathsep}{ROOT / 'clients/python/src'}"


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> Path:
    """A Python with the client's packages."""
    found = PYTHONS[request.param]
    if not found.exists():
        pytest.skip("the oldest packages are not installed; `make test` does that")
    return found


@pytest.fixture(params=["blocking", "asyncio"])
def runner(request: pytest.FixtureRequest, python: Path) -> tuple[str, ...]:
    """The runner with either client."""
    return ("env", f"PYTHONPATH={IMPORTED_FROM}", str(python), "-m", "tests.clients.runner", f"--{request.param}")


def test_all_cases_pass(ports: Ports, runner: tuple[str, ...]) -> None:
    run_cases(runner, ports)


def test_cases_that_are_not_as_expected_fail(ports: Ports, runner: tuple[str, ...], tmp_path: Path) -> None:
    fail_wrong_cases(runner, ports, tmp_path)


def test_a_client_that_is_killed_leaves_its_slot_free(ports: Ports, runner: tuple[str, ...]) -> None:
    assert max(kill_while_streaming(runner, ports) for _ in range(N_KILLS)) < FREE_WITHIN_S


def test_the_oldest_packages_are_those_of_the_clients_metadata() -> None:
    project = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    lowest = {
        found[1]: found[2] for line in project["dependencies"] if (found := re.match(r"([\w-]+)>=([\d.]+)", line))
    }
    tried = dict(
        line.split("==") for line in (ROOT / "requirements/oldest.in").read_text().splitlines() if "==" in line
    )
    assert {name: version + ".0" * (2 - version.count(".")) for name, version in lowest.items()} == tried
