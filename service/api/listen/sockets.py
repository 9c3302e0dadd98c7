"""Takes ports and paths for a core to listen on, where gRPC alone would do harm or give no reason.

gRPC binds a TCP port that another gRPC server uses if both set SO_REUSEPORT; our servers turn that off. It also takes
the path of a unix socket away from a server that is still running, and deletes the file when it stops. So each unix
socket has a lock file beside it: whoever holds the lock owns the path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat

from service.api.listen.addresses import AddressBusy, ListenError, TcpAddress, UnixAddress


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
