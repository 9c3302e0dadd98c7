"""The Python client does what the suite wants."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.clients.suite import FREE_WITHIN_S, N_KILLS, fail_wrong_cases, kill_while_streaming, run_cases

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.suite import Ports

RUNNER = (sys.executable, "-m", "tests.clients.runner")


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
class TestPython:
    """The runner with either client."""

    def test_all_cases_pass(self, ports: Ports, kind: str) -> None:
        run_cases((*RUNNER, f"--{kind}"), ports)

    def test_a_client_that_is_killed_leaves_its_slot_free(self, ports: Ports, kind: str) -> None:
        assert max(kill_while_streaming((*RUNNER, f"--{kind}"), ports) for _ in range(N_KILLS)) < FREE_WITHIN_S

    def test_cases_that_are_not_as_expected_fail(self, ports: Ports, kind: str, tmp_path: Path) -> None:
        fail_wrong_cases((*RUNNER, f"--{kind}"), ports, tmp_path)
