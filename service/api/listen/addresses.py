"""The addresses that a core listens on, and what gRPC leaves open about them.

gRPC binds a TCP port that another server of its kind uses if both ask for SO_REUSEPORT, which the server therefore
turns off; and it takes over the path of a unix socket from a server that is still running, and deletes the file when
it stops. So a unix socket is guarded here by a lock file beside it: who holds the lock owns the path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

#: ``sun_path`` holds 108 bytes, the closing zero included.
MAX_UNIX_PATH_BYTES = 107
_ALLOWED = "allowed are HOST:PORT, [IPV6]:PORT with a port from 0 to 65535, and unix:PATH"


class ListenError(Exception):
    """An address cannot be listened on; the text says why."""


class NoAddress(ListenError):
    """A text is no address that can be listened on.

    Attributes:
        problem: what is wrong with it and what is allowed, to be read after the text.
    """

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(f"listen address {text!r} {problem}")
        self.problem = problem


class AddressBusy(ListenError):
    """Somebody else listens there."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """``host:port``; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """``unix:/path``."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


def parse_address(text: str) -> TcpAddress | UnixAddress:
    """An address from its text; a path that is relative is one of the working directory.

    Raises:
        NoAddress: it is not of an allowed form, or the path is too long for a socket.
    """
    if text.startswith("unix:"):
        return _unix_address(text)
    host, port = _host_and_port(text)
    if not host or re.fullmatch(r"[0-9]{1,5}", port) is None or int(port) > 0xFFFF:
        raise NoAddress(text, f"is not an address; {_ALLOWED}")
    return TcpAddress(host, int(port))


def _unix_address(text: str) -> UnixAddress:
    name = text.removeprefix("unix:")
    if not name or "\0" in name:
        raise NoAddress(text, f"has no path; {_ALLOWED}")
    # The system takes relative paths, too, but here the socket and its lock must be found from everywhere.
    path = Path(name).absolute()
    n_bytes = len(os.fsencode(path))
    if n_bytes > MAX_UNIX_PATH_BYTES:
        raise NoAddress(text, f"has a path of {n_bytes} bytes; the system allows at most {MAX_UNIX_PATH_BYTES}")
    return UnixAddress(path)


def _host_and_port(text: str) -> tuple[str, str]:
    """Split at the last colon; brackets around an IPv6 host are dropped. Parts that are missing come back empty."""
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.%\w]+)\]:(.*)", text)
    if bracketed is not None:
        return bracketed[1], bracketed[2]
    host, _, port = text.rpartition(":")
    return ("", port) if ":" in host else (host, port)


def check_tcp(address: TcpAddress) -> None:
    """Find out whether a port can be bound. gRPC would find out too, but not say why.

    Raises:
        AddressBusy: the port is in use.
        ListenError: the host cannot be resolved, or the port not be bound for another reason.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, socket_address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(socket_address)
    except OSError as error:
        kind_of_error = AddressBusy if error.errno == errno.EADDRINUSE else ListenError
        raise kind_of_error(f"cannot listen on {address}: {error.strerror or error}") from error


class UnixSocketGuard:
    """Owns the path of a unix socket from construction to ``close``.

    The directory is made, open to its owner only, if it is missing. A socket left over from a dead process is removed.

    Raises:
        AddressBusy: another process owns the path or listens on it.
        ListenError: the path is something else than a socket, or its directory is open to others.
    """

    def __init__(self, address: UnixAddress) -> None:
        self._address = address
        self._lock_path = address.path.with_name(address.path.name + ".lock")
        try:
            address.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_directory()
            self._lock = self._take_lock()
        except OSError as error:
            raise ListenError(f"cannot listen on {address}: {error.strerror}: {error.filename}") from error
        try:
            self._remove_stale_socket()
        except BaseException:
            self._release_lock()
            raise

    def restrict(self) -> None:
        """Let only this user connect; to be called once the socket exists."""
        self._address.path.chmod(0o600)

    def close(self) -> None:
        """Give the path up."""
        self._address.path.unlink(missing_ok=True)
        self._release_lock()

    def _check_directory(self) -> None:
        mode = self._address.path.parent.stat().st_mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
            raise ListenError(
                f"cannot listen on {self._address}: others may write to the directory (mode {stat.S_IMODE(mode):04o}) "
                "and could replace the socket; use a directory of mode 0700"
            )

    def _take_lock(self) -> int:
        while True:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The last owner deletes the file before it lets go: a lock on a deleted file guards nothing.
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(lock), self._lock_path.stat()):
                        return lock
            except BlockingIOError as error:
                os.close(lock)
                raise AddressBusy(f"cannot listen on {self._address}: another server owns it") from error
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)

    def _release_lock(self) -> None:
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)

    def _remove_stale_socket(self) -> None:
        path = self._address.path
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise ListenError(f"cannot listen on {self._address}: the path exists and is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
                return
        raise AddressBusy(f"cannot listen on {self._address}: another process listens there")
