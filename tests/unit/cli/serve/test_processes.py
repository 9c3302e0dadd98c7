"""Children, ports and directories: what the supervisor has to do with the operating system."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
import psutil
import pytest

from slotline.cli.serve.child import ChildProcess
from slotline.cli.serve.private_directory import PrivateDirectory, remove_abandoned
from slotline.cli.serve.process import describe_exit
from slotline.cli.serve.reservation import ReservedAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 20.0
BLOCKING_CHILD = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (0, "exited with status 0"),
        (1, "exited with status 1"),
        (-9, "was killed by signal 9 (SIGKILL)"),
        (-11, "was killed by signal 11 (SIGSEGV)"),
        (-63, "was killed by signal 63 (no known name)"),
    ],
)
def test_an_exit_in_words(returncode: int, words: str) -> None:
    assert describe_exit(returncode) == words


def _take_turns(number: int) -> None:
    for _ in range(number):
        gevent.sleep(0)


def test_waiting_for_a_child_lets_others_run() -> None:
    child = ChildProcess(BLOCKING_CHILD)
    others = gevent.spawn(_take_turns, 100)
    waiting = gevent.spawn(child.wait, PATIENCE_S)
    others.join(PATIENCE_S)
    assert others.successful()
    assert not waiting.ready()
    child.send(signal.SIGKILL)
    assert waiting.get(timeout=PATIENCE_S) == -signal.SIGKILL
    assert child.wait() == -signal.SIGKILL


def test_waiting_for_a_child_ends_in_time() -> None:
    child = ChildProcess(BLOCKING_CHILD)
    assert child.wait(0.01) is None
    child.send(signal.SIGTERM)
    assert child.wait(PATIENCE_S) == -signal.SIGTERM
    # It has been waited for, so its number may be somebody else's by now.
    child.send(signal.SIGKILL)


def test_a_child_that_cannot_be_waited_for_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would ever hear of its end."""
    started: list[int] = []

    def without_files(pid: int) -> int:
        started.append(pid)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", without_files)
    with pytest.raises(OSError, match="Too many open files"):
        ChildProcess(BLOCKING_CHILD)
    assert not psutil.pid_exists(started[0])


def test_a_child_is_out_of_reach_of_the_terminal() -> None:
    child = ChildProcess(BLOCKING_CHILD)
    try:
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    finally:
        child.send(signal.SIGKILL)
        child.wait(PATIENCE_S)


PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE)
print(child.pid, child.stdout.readline().decode().strip(), flush=True)
sys.stdin.read()
"""
CHILD = """
import signal, sys
from slotline.cli.serve.process import die_with_parent
print(die_with_parent(int(sys.argv[1])), flush=True)
signal.pause()
"""


def test_a_child_dies_with_its_parent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid, answer = parent.stdout.readline().split()
        child = psutil.Process(int(pid))
        parent.kill()
    assert answer == b"True"
    psutil.wait_procs([child], timeout=PATIENCE_S)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_child_whose_parent_is_dead_already_is_told_so() -> None:
    program = "from slotline.cli.serve.process import die_with_parent; print(die_with_parent(1 << 22))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield listener


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_a_reserved_port_is_real_and_can_be_listened_on_again_and_again(listener: socket.socket) -> None:
    with ReservedAddress("127.0.0.1:0") as reserved:
        port = _port_of(reserved.address)
        assert reserved.address == f"127.0.0.1:{port}"
        assert port > 0
        listener.bind(("127.0.0.1", port))
        listener.listen()
        listener.close()
        with socket.socket() as successor:
            successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            successor.bind(("127.0.0.1", port))
            successor.listen()


def test_a_port_that_somebody_listens_on_is_refused(listener: socket.socket) -> None:
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with pytest.raises(OSError, match="in use"):
        ReservedAddress(f"127.0.0.1:{listener.getsockname()[1]}")


def test_a_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        ReservedAddress("192.0.2.1:0")


def test_a_name_is_reserved_with_all_its_addresses() -> None:
    with ReservedAddress("localhost:0") as reserved:
        assert reserved.address == f"localhost:{_port_of(reserved.address)}"


def test_a_path_needs_no_reservation() -> None:
    with ReservedAddress("unix:/nowhere/s") as reserved:
        assert reserved.address == "unix:/nowhere/s"


@pytest.fixture
def temporary(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which temporary ones are made."""
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return temporary


def test_a_private_directory_is_for_us_alone_and_leaves_nothing(temporary: Path) -> None:
    directory = PrivateDirectory()
    assert directory.path.parent == temporary
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert directory.socket_address == f"unix:{directory.path}/core.sock"
    (directory.path / "core.sock").touch()
    directory.remove()
    directory.remove()
    assert list(temporary.iterdir()) == []


def test_a_directory_far_down_is_not_used_for_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    directory = PrivateDirectory()
    try:
        assert directory.path.parent == Path("/tmp")
    finally:
        directory.remove()


def test_directories_of_dead_owners_are_removed_and_no_others(temporary: Path) -> None:
    alive = PrivateDirectory()
    program = (
        "import os; from slotline.cli.serve.private_directory import PrivateDirectory; PrivateDirectory(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ, "TMPDIR": str(temporary)})
    (temporary / "slotline-somebody-elses").mkdir()
    (temporary / "slotline-file").touch()
    (temporary / "slotline-link").symlink_to(alive.path)
    before = {path.name for path in temporary.iterdir()}
    remove_abandoned(temporary)
    after = {path.name for path in temporary.iterdir()}
    alive.remove()
    assert len(before) == 5
    assert after == {alive.path.name, "slotline-somebody-elses", "slotline-file", "slotline-link"}


def test_a_settled_process_keeps_what_exists_out_of_collections() -> None:
    code = "import gc; from slotline.cli.serve.process import settle; settle(); print(gc.get_freeze_count())"
    assert int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30).stdout) > 1000


def test_as_many_files_may_be_open_as_we_may_choose() -> None:
    program = "import resource; from slotline.cli.serve.process import raise_file_limit; raise_file_limit(); "
    program += "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    command = f'ulimit -Sn 100; ulimit -Hn 300; exec "{sys.executable}" -c "{program}"'
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "300 300\n"
