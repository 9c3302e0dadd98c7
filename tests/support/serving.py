"""What tests of ``slotline serve`` ask of it and of its processes."""

from __future__ import annotations

import contextlib
from typing import Any

import psutil
import requests

from tests.support.server import PATIENCE_S, SLOTLINE, RunningProcess, Server

#: What ``complete`` sends.
PROMPT = "Once upon a time"


def complete(server: Server, **options: object) -> dict[str, Any]:
    """The answer to a short completion with these options of the body."""
    response = requests.post(
        f"{server.rest_url}/completion", json={"prompt": PROMPT, "n_predict": 8, **options}, timeout=PATIENCE_S
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def is_alive(pid: int) -> bool:
    """Whether a process runs; those that only wait to be collected do not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_dead(pid: int) -> None:
    """Wait for the end of any process."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        psutil.wait_procs([process], timeout=PATIENCE_S)
    assert not is_alive(pid)


def run_slotline(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, RunningProcess]:
    """Run ``slotline`` to its end; its exit status, and what it printed."""
    with RunningProcess((*SLOTLINE, *arguments), environment=environment) as process:
        return process.wait(), process
