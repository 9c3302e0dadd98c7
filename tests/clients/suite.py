"""Runs the suite with a runner of any language: ``python -m tests.clients.suite COMMAND...``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slotline.client import Client
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CASES = Path(__file__).with_name("cases.json")
#: Repetitions of killing a runner: each finds its stream at another moment.
N_KILLS = 3
#: A slot must be free that soon after its client is gone.
FREE_WITHIN_S = 1.0
_CALL = {"core": "plain", "rpc": "Generate", "request": {"text": "abc|"}}
#: What makes a case of that call that fails.
WRONG: tuple[dict[str, object], ...] = (
    {"expect": {"events": "accepted finished"}},
    {"expect": {"sequences": [{"text": "abd"}]}},
    {"expect": {"sequences": [{"finish": "UNKNOWN"}]}},
    {"expect": {"usage": {"promptTokens": 5}}},
    {"expect": {"accepted": {"model": "another"}}},
    {"expect": {"status": "INTERNAL"}},
    {"expect": {"lost": True}},
    {"expect": {"cancelled": True}},
    {"core": "loading", "expect": {}},
    {"core": "loading", "expect": {"status": "UNAVAILABLE", "reason": "DRAINING"}},
    {"core": "loading", "expect": {"status": "INTERNAL"}},
    {"core": "loading", "expect": {"status": "UNAVAILABLE", "retry_after": False}},
    {"core": "loading", "expect": {"lost": True}},
    {"rpc": "Tokenize", "expect": {"response": {"ids": [97]}}},
    {"rpc": "Tokenize", "expect": {"count": {"ids": 3}}},
    {"rpc": "GetModel", "request": {"name": "none"}, "expect": {"status": "NOT_FOUND", "metadata": {"model": "a"}}},
    {"rpc": "Health.Watch", "request": {}, "expect": {"statuses": ["UNKNOWN"]}},
    {"request": {"text": "slow"}, "actions": {"deadline_ms": 300}, "expect": {}},
    {"expect": {}, "actions": {"then": {"rpc": "Generate", "request": {}, "expect": {}}}},
)
#: For all cases together.
_TIMEOUT_S = 240.0


@dataclass(frozen=True)
class Ports:
    """Where the cores listen.

    Attributes:
        file: the port file.
        cores: addresses by name.
        tls: files for clients by name.
    """

    file: Path
    cores: dict[str, str]
    tls: dict[str, str]


@contextlib.contextmanager
def running_cores(cases: Path = CASES) -> Iterator[Ports]:
    """The cores of a file of cases."""
    with tempfile.TemporaryDirectory(prefix="slt-", dir="/tmp") as directory:
        file = Path(directory) / "ports.json"
        command = [sys.executable, "-m", "tests.clients.cores", "--cases", str(cases), "--port-file", str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            wait_until("the cores' port file", lambda: file.exists() or process.poll() is not None)
            assert file.exists(), f"the cores ended with {process.returncode}"
            yield Ports(file, **json.loads(file.read_text()))


def run_cases(runner: Sequence[str], ports: Ports, *, cases: Path = CASES, cwd: Path | None = None) -> str:
    """Run all cases with a runner; returns what it printed.

    Raises:
        AssertionError: a case failed, or the number of cases is another one.
    """
    for address in ports.cores.values():
        # Cores that died in an earlier run are being started again.
        wait_until(f"a core at {address}", partial(_listens, address))
    command = [*runner, str(cases), str(ports.file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, cwd=cwd)
    n_cases = len(json.loads(cases.read_text())["cases"])
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert ran.stdout.splitlines()[-1:] == [f"{n_cases} passed, 0 failed"], f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def fail_wrong_cases(runner: Sequence[str], ports: Ports, directory: Path) -> None:
    """See whether a runner fails the cases that it should fail; a directory for their file.

    Raises:
        AssertionError: one passes, or one with an unknown key does.
    """
    wrong = [{"name": f"wrong {i}", **_CALL, **changes} for i, changes in enumerate(WRONG)]
    unknown = [{"name": "unknown", **_CALL, "expect": {}, "speed": 1}]
    for cases, summary in ((wrong, f"0 passed, {len(wrong)} failed"), (unknown, "")):
        file = directory / "wrong.json"
        file.write_text(json.dumps({"cores": {}, "cases": cases}))
        ran = subprocess.run([*runner, str(file), str(ports.file)], capture_output=True, text=True, check=False)
        assert ran.returncode != 0, ran.stdout
        assert summary in ran.stdout, f"{ran.stdout}\n{ran.stderr}"


def kill_while_streaming(runner: Sequence[str], ports: Ports, *, cases: Path = CASES, cwd: Path | None = None) -> float:
    """Kill a runner in the middle of a stream; returns the seconds until its slot was free."""
    command = [*runner, str(cases), str(ports.file), "--hold"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd, process_group=0) as process:
        assert process.stdout is not None
        seen = iter(process.stdout.readline, "")
        assert any(line.strip() == "holding" for line in seen), "the runner ended and held no stream"
        assert _n_busy(ports) == 1, "the stream that is held has no slot"
        # The whole group: runners may be started by a tool.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed_s = time.monotonic()
        wait_until("a free slot", lambda: _n_busy(ports) == 0)
        return time.monotonic() - killed_s


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except OSError:
        return False
    return True


def _n_busy(ports: Ports) -> int:
    with Client(ports.cores["plain"]) as client:
        return client.health().slots_processing


def main() -> int:
    """Run the suite with the command that the arguments are."""
    runner = sys.argv[1:]
    if not runner:
        print("usage: python -m tests.clients.suite COMMAND OF A RUNNER", file=sys.stderr)
        return 2
    with running_cores() as ports:
        command = [*runner, str(CASES), str(ports.file)]
        code = subprocess.run(command, timeout=_TIMEOUT_S, check=False).returncode
        for _ in range(N_KILLS):
            free_s = kill_while_streaming(runner, ports)
            print(f"killed in the middle of a stream: slot free after {1000 * free_s:.0f} ms")
            code |= free_s > FREE_WITHIN_S
    return code


if __name__ == "__main__":
    sys.exit(main())
