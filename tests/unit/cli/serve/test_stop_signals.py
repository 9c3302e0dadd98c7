"""What the two signals do, in a process of its own for each test."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.server import RunningProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import os, sys, time
import gevent
from itertools import count
from types import SimpleNamespace
from slotline.cli.serve import stop_signals
from slotline.cli.serve.stop_signals import StopSignals

if sys.argv[1] == "linger":
    # A second between any two signals.
    stop_signals.time = SimpleNamespace(monotonic=count().__next__)
signals = StopSignals()
signals.before_exit += [lambda: os.write(1, b"first\\n"), lambda: os.write(1, b"last\\n")]
print("watching", file=sys.stderr, flush=True)
if sys.argv[1] == "hang":
    # A hub that never gets its turn.
    while True:
        time.sleep(0.01)
signals.requested.wait()
print("requested", file=sys.stderr, flush=True)
gevent.sleep(60 if sys.argv[1] == "linger" else 0)
"""


def _start(manner: str) -> Iterator[RunningProcess]:
    with RunningProcess((sys.executable, "-c", PROGRAM, manner)) as process:
        process.wait_for_stderr("watching")
        yield process


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[RunningProcess]:
    yield from _start(request.param)


def in_manner(manner: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("process", [manner], indirect=True)


@in_manner("leave")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(process: RunningProcess, signum: signal.Signals) -> None:
    process.send(signum)
    assert process.wait() == 0
    assert process.stderr == "watching\nrequested\n"
    assert process.stdout == ""


@in_manner("linger")
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_the_process(process: RunningProcess, second: signal.Signals) -> None:
    process.send(signal.SIGINT)
    process.wait_for_stderr("requested")
    process.send(second)
    assert process.wait() == 1
    assert process.stderr == "watching\nrequested\nReceived second interrupt, terminating immediately.\n"
    assert process.stdout == "last\nfirst\n"


@in_manner("hang")
def test_a_process_that_hangs_can_be_ended_too(process: RunningProcess) -> None:
    def ended_after_another_signal() -> bool:
        process.send(signal.SIGINT)
        try:
            return process.wait(0.1) == 1
        except AssertionError:
            return False

    assert any(ended_after_another_signal() for _ in range(200))
    assert "terminating immediately" in process.stderr


def test_the_same_request_twice_at_once_is_one_request() -> None:
    # timeout(1) signals the process and then its group.
    program = (
        "import os, signal, gevent\n"
        "from slotline.cli.serve.stop_signals import StopSignals\n"
        "signals = StopSignals()\n"
        "os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGTERM)\n"
        "signals.requested.wait()\n"
        "print('requested')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "requested\n", "")


@pytest.mark.parametrize(("passed_s", "status"), [(0.0, 0), (0.09, 0), (0.11, 1)])
def test_the_same_request_may_come_again_a_moment_after_it_was_noticed(passed_s: float, status: int) -> None:
    program = (
        "import os, signal\n"
        "from types import SimpleNamespace\n"
        "from slotline.cli.serve import stop_signals\n"
        f"stop_signals.time = SimpleNamespace(monotonic=iter((7.0, 7.0 + {passed_s})).__next__)\n"
        "signals = stop_signals.StopSignals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "signals.requested.wait()\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    insisted = "Received second interrupt, terminating immediately.\n"
    assert (done.returncode, done.stderr) == (status, insisted if status else "")
