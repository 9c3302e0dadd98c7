"""Which web pages may use this server, by the ``Origin`` and the ``Host`` of their requests.

A browser lets any page of the web send requests to a server on its user's machine. It names the page in ``Origin``,
which pages cannot forge, and shows a page the answer only if CORS headers allow it. Two rules keep foreign pages out of
a server that asks nobody for a key:

- An origin must be of this machine, be the server's own, or be named by ``--cors-origins``.
- If only this machine can reach the server, the Host must be its address, localhost, or named by ``--allowed-hosts``. A
  page that uses another name comes from a domain that was made to point here (DNS rebinding), so that the browser takes
  the server for the page's own.

With API keys neither is needed: somebody gave the page its key. ``--cors-origins localhost`` keeps the first rule even
then.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache

ANY = "*"
#: The origin of files and of sandboxed pages. Every page can have it by way of a sandboxed frame.
NULL = "null"
#: Pages of this machine, which may use a server without keys anyway; with keys, nobody else but those that are named.
LOCALHOST = "localhost"

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:,\[\]*\\]+)(?::([0-9]{1,5}))?")
_HOST = re.compile(r"(\[[^\]\s]+\]|[^\s/?#@:,\[\]\\]+)(?::[0-9]{0,5})?")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
#: Names and addresses of which it is remembered what they are: the same few come with every request.
_REMEMBERED = 64
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says about where it comes from and goes to.

    Attributes:
        origin: its ``Origin``, None if it has none.
        host: its ``Host``, None if it has none.
        address: the server's IP address at which it arrived, "" if that is not known.
        is_same_origin: the browser says that the page is of this server.
    """

    origin: str | None
    host: str | None
    address: str = ""
    is_same_origin: bool = False


@dataclass(frozen=True, slots=True)
class OriginRules:
    """The rules of one server.

    Attributes:
        has_keys: clients need API keys.
        is_loopback: it listens where only this machine can reach it.
        origins: further origins that may use it, as ``checked_origin`` gives them.
        hosts: further names that the Host may have, as ``checked_host`` gives them.
        credentials: whether pages that may use the server may have cookies sent; None for all but where every page may.
    """

    has_keys: bool = False
    is_loopback: bool = True
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    credentials: bool | None = None

    def allow_host(self, host: str | None) -> bool:
        """Whether the header Host may have this value."""
        # Browsers always send one, so a request without is not from a page.
        if self.has_keys or not self.is_loopback or not host:
            return True
        name = _host_name(host)
        return name is not None and (name == "localhost" or _is_address(name) or not {name, ANY}.isdisjoint(self.hosts))

    def allow_origin(self, asked: Asked) -> bool:
        """Whether the page of a request may use the server. A request without an origin is not from a page."""
        origin = asked.origin
        is_open = self.has_keys and LOCALHOST not in self.origins
        if origin is None or is_open or asked.is_same_origin or self._is_no_page(origin):
            return True
        if ANY in self.origins or _normal(origin) in self.origins:
            return True
        found = _ORIGIN.fullmatch(origin.lower())
        if found is None or found[1] not in _DEFAULT_PORTS:
            return False
        name = _host_name(found[2])
        own = {"localhost", _host_name(asked.host or ""), _without_mapping(asked.address)} - {None, ""}
        return name is not None and (name in own or _is_loopback(name))

    def allow_credentials(self, asked: Asked) -> bool:
        """Whether a page may have cookies sent, which a proxy may need."""
        if self.credentials is not None:
            return self.credentials
        return self.has_keys or ANY not in self.origins or _normal(asked.origin or "") in self.origins

    @staticmethod
    def _is_no_page(origin: str) -> bool:
        # Browsers send a scheme or null. Clients of llama.cpp's server sent names, and got them back.
        return "://" not in origin and origin.lower() != NULL


def checked_origin(text: str) -> str:
    """An origin, normalised for comparison; also ``*``, ``null`` and ``localhost``.

    Raises:
        ValueError: it is not an origin; the message says what is allowed.
    """
    origin = _normal(text)
    if origin not in (ANY, NULL, LOCALHOST) and _ORIGIN.fullmatch(origin) is None:
        raise ValueError(
            f"{text!r} is no origin; allowed are SCHEME://HOST, SCHEME://HOST:PORT, null, localhost, and * for all"
        )
    return origin


def checked_host(text: str) -> str:
    """A host name, normalised for comparison; also ``*``.

    Raises:
        ValueError: it is not a host name; the message says what is allowed.
    """
    name = text.lower().removesuffix(".")
    if name != ANY and _NAME.fullmatch(name) is None:
        raise ValueError(f"{text!r} is no name of a host; allowed are names without scheme and port, and * for all")
    return name


def checked_method(text: str) -> str:
    """A method, in capitals, or ``*``.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    if text != ANY and re.fullmatch(r"[A-Za-z]{1,16}", text) is None:
        raise ValueError(f"{text!r} is no method; allowed are methods such as GET and POST, and * for all")
    return text.upper()


def checked_header_name(text: str) -> str:
    """The name of a header, or ``*``.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", text) is None:
        raise ValueError(f"{text!r} is no name of a header; allowed are names such as Authorization, and * for others")
    return text


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach an IP address."""
    return _is_loopback(_without_mapping(address))


def _normal(origin: str) -> str:
    origin = origin.lower()
    found = _ORIGIN.fullmatch(origin)
    if found is None or found[3] is None or found[3] != _DEFAULT_PORTS.get(found[1]):
        return origin
    return f"{found[1]}://{found[2]}"


@lru_cache(_REMEMBERED)
def _host_name(host: str) -> str | None:
    """The name or address in a ``Host``, without port, brackets and final dot; None if it is malformed."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return None
    return found[1].strip("[]").removesuffix(".")


@lru_cache(_REMEMBERED)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _is_short_ipv4(name)
    return True


def _is_short_ipv4(name: str) -> bool:
    # Such as 127.1 and 0x7f000001, which cannot be names of domains.
    try:
        socket.inet_aton(name)
    except OSError:
        return False
    return True


@lru_cache(_REMEMBERED)
def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _without_mapping(address: str) -> str:
    """The IPv4 address in ``::ffff:1.2.3.4``, which is how listeners for both families show it; others as they are."""
    return address.removeprefix("::ffff:") if "." in address else address
