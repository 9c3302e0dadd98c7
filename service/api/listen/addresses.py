"""The addresses that a core listens on, as texts and as values."""

from __future__ import annotations

import os
import re
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
