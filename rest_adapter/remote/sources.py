"""Servers that files may come from, and URLs of files there.

URLs are read by one grammar, which is narrower than that of browsers, and the parts that it finds are what is connected
to: there is no second reader that could take another host out of the same text.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from rest_adapter.remote.errors import Unfetchable

MAX_URL_LENGTH = 8192
_PORTS = {"http": 80, "https": 443}
_AUTHORITY = r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?"
_ENTRY = re.compile(rf"(?:(https?)://)?{_AUTHORITY}/?", re.IGNORECASE)
#: No user, no backslash, no blanks, no control characters.
_URL = re.compile(rf"(https?)://{_AUTHORITY}([/?][^#\\\x00-\x20\x7f]*)?(?:#[^\x00-\x20\x7f]*)?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
#: Hosts that end so are addresses for some programs, in other ways to write them: 0x7f000001, 2130706433, 127.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
#: What stays as it is in a path or query: all that is ASCII.
_AS_IT_IS = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Source:
    """A server.

    Attributes:
        scheme: ``https`` or ``http``.
        host: a name in lower case, or an address without brackets.
        port: the TCP port.
    """

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address that the host is, None for a name."""
        return _address(self.host)

    @property
    def authority(self) -> str:
        """Host and port as the header Host has them: without the port that the scheme implies."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file is: the server, and path and query there."""

    source: Source
    target: str

    def __str__(self) -> str:
        return f"{self.source}{self.target}"


def checked_source(text: str) -> str:
    """An entry of the list, normalised: ``HOST``, ``HOST:PORT``, and with ``http://`` or ``https://`` in front.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    return str(source_of(text))


def source_of(entry: str) -> Source:
    """The server that an entry of the list means; https unless it says http.

    Raises:
        ValueError: it is none; the message says what is allowed.
    """
    found = _ENTRY.fullmatch(entry)
    try:
        if found is None:
            raise Unfetchable("is malformed")
        return _source(found[1] or "https", found[2], found[3])
    except Unfetchable as error:
        allowed = "allowed are HOST and HOST:PORT for https, http://HOST and http://HOST:PORT for http"
        raise ValueError(f"{entry!r} is no server that pictures can come from, for it {error}; {allowed}") from None


def location_of(url: str) -> Location:
    """What a URL says.

    Raises:
        Unfetchable: it is none that files are fetched from.
    """
    if len(url) > MAX_URL_LENGTH:
        raise Unfetchable(f"is longer than the {MAX_URL_LENGTH} characters allowed")
    found = _URL.fullmatch(url)
    if found is None:
        raise Unfetchable("is no http or https URL of a host and a path, without a user")
    target = quote(found[4] or "/", safe=_AS_IT_IS)
    return Location(_source(found[1], found[2], found[3]), target if target.startswith("/") else f"/{target}")


def redirected(location: Location, header: str) -> Location:
    """Where the header Location of an answer leads.

    Raises:
        Unfetchable: as ``location_of``.
    """
    try:
        url = urljoin(str(location), header)
    except ValueError:
        raise Unfetchable("is redirected to what is no URL") from None
    return location_of(url)


def _source(scheme: str, host: str, port: str | None) -> Source:
    scheme, host = scheme.lower(), host.lower().removesuffix(".")
    number = _PORTS[scheme] if port is None else int(port)
    if not 1 <= number <= 65535:
        raise Unfetchable(f"has the port {number}; allowed is 1 to 65535")
    bare = host.strip("[]")
    address = _address(bare)
    if address is not None:
        return Source(scheme, str(address), number)
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        raise Unfetchable("has a host that is neither a name nor an address in its usual form")
    return Source(scheme, host, number)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
