"""A directory for the socket between adapter and core that nobody else can enter."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

from service.api.listen.addresses import MAX_UNIX_PATH_BYTES

_PREFIX = "slotline-"
_LOCK = "owner.lock"
SOCKET = "core.sock"
_READY = "ready"
#: Bytes that the core may add to the socket's name, for a lock of its own.
_ROOM = len(_PREFIX) + 8 + len(SOCKET) + 16


class PrivateDirectory:
    """A new directory with mode 0700 and a short path.

    A process that is killed cannot remove its directory. Its lock is free then, and the next server removes it.

    Attributes:
        path: the directory.
    """

    def __init__(self) -> None:
        parent = Path(tempfile.gettempdir())
        if len(os.fsencode(parent)) + _ROOM > MAX_UNIX_PATH_BYTES:
            parent = Path("/tmp")
        remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @property
    def socket_address(self) -> str:
        """gRPC address of the socket inside."""
        return f"unix:{self.path / SOCKET}"

    @property
    def ready_file(self) -> Path:
        """A file that exists once a core has served."""
        return self.path / _READY

    def write(self, name: str, content: str) -> Path:
        """Put a file that only its owner may read into the directory and return its path."""
        path = self.path / name
        with open(path, "w", encoding="utf-8", opener=_open_for_owner) as file:
            file.write(content)
        return path

    def remove(self) -> None:
        """Remove the directory with all that is in it; harmless if it is gone."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def remove_abandoned(parent: Path) -> None:
    """Remove our user's directories below ``parent`` whose owners are dead."""
    for path in parent.glob(f"{_PREFIX}*"):
        try:
            facts = path.lstat()
            if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
                continue
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            # Not one of ours, or just being made or removed by its owner.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
