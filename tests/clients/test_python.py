"""The Python client does what the suite wants."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.clients.suite import FREE_WITHIN_S, N_KILLS, kill_while_streaming, run_cases

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


CALL = {"core": "plain", "rpc": "Generate", "request": {"text": "abc|"}}


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ({**CALL, "expect": {"events": "accepted finished"}}, "events"),
        ({**CALL, "expect": {"sequences": [{"text": "abd"}]}}, "sequences[0].text"),
        ({**CALL, "expect": {"usage": {"promptTokens": 5}}}, "usage.promptTokens"),
        ({**CALL, "expect": {"status": "INTERNAL"}}, "the error is None"),
        ({**CALL, "expect": {"lost": True}}, "lost is False"),
        ({**CALL, "expect": {"cancelled": True}}, "cancelled is False"),
        ({**CALL, "expect": {"colour": "red"}}, "unknown keys"),
        ({**CALL, "speed": 1, "expect": {}}, "unknown keys"),
        ({**CALL, "request": {"text": ""}, "core": "loading", "expect": {}}, "the error is SlotlineError"),
        ({**CALL, "rpc": "Tokenize", "expect": {"response": {"ids": [97]}}}, "response.ids"),
        ({**CALL, "rpc": "Tokenize", "expect": {"count": {"ids": 3}}}, "4 ids"),
        ({**CALL, "rpc": "Health.Watch", "request": {}, "expect": {"statuses": ["UNKNOWN"]}}, "statuses[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_as_expected_fails(ports: Ports, tmp_path: Path, case: dict[str, object], problem: str) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({"cases": [{"name": "wrong", **case}]}))
    ran = subprocess.run([*RUNNER, str(cases), str(ports.file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    failed, summary = ran.stdout.splitlines()
    assert failed.startswith("FAILED wrong: ")
    assert problem in failed
    assert summary == "0 passed, 1 failed"
