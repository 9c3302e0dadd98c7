"""Fetches files from listed servers: within bounds on time and size, and without a way to addresses inside."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from typing import TYPE_CHECKING

import gevent
from gevent.lock import BoundedSemaphore

from rest_adapter.remote.addresses import is_public
from rest_adapter.remote.errors import TooBusy, Unfetchable
from rest_adapter.remote.network import Internet, Network, reason_of
from rest_adapter.remote.sources import Location, location_of, redirected, source_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from gevent import socket

_PIECE = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_OK = 200
#: Addresses of a name that are tried; all but the last get a part of the time each.
_TRIED = 3
_HEADERS = (("Accept", "image/*"), ("Accept-Encoding", "identity"), ("Connection", "close"), ("User-Agent", "slotline"))


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds on fetching.

    Attributes:
        max_bytes: largest file.
        timeout_s: seconds for all files of one request, names, redirects and waiting included.
        max_redirects: redirects of one file.
        max_fetching: requests whose files are fetched at the same time; others wait.
    """

    max_bytes: int = 10 << 20
    timeout_s: float = 5.0
    max_redirects: int = 3
    max_fetching: int = 8


class Fetcher:
    """Fetches files for greenlets of one hub.

    Args:
        sources: entries of the list, as ``checked_source`` takes them.
        network: how servers are reached.
        limits: bounds on fetching.
    """

    def __init__(
        self, sources: Iterable[str], *, network: Network | None = None, limits: FetchLimits | None = None
    ) -> None:
        self._sources = frozenset(map(source_of, sources))
        self._network = network or Internet()
        self._limits = limits or FetchLimits()
        self._places = BoundedSemaphore(self._limits.max_fetching)

    def fetch(self, urls: Iterable[str], *, max_bytes: int) -> Generator[bytes, None, None]:
        """Fetch files one after the other, all within the time that a request has.

        Args:
            urls: where they are.
            max_bytes: of all of them together.

        Yields:
            Each file in turn.

        Raises:
            Unfetchable: one of them cannot be had.
        """
        limits, rest = self._limits, max_bytes
        end = time.monotonic() + limits.timeout_s
        if not self._places.acquire(timeout=limits.timeout_s):
            raise TooBusy(limits.max_fetching)
        try:
            for url in urls:
                late = Unfetchable(
                    f"did not come within the {limits.timeout_s:g} s that all pictures of a request have"
                )
                with gevent.Timeout(max(0.0, end - time.monotonic()), late):
                    data = self._follow(url, min(limits.max_bytes, rest))
                rest -= len(data)
                yield data
        finally:
            self._places.release()

    def _follow(self, url: str, most: int) -> bytes:
        """The file at a URL, or where it is redirected to; every server on the way has to be listed."""
        location = location_of(url)
        for _ in range(self._limits.max_redirects + 1):
            self._check_listed(location)
            answer = self._ask(location, most)
            if isinstance(answer, bytes):
                return answer
            location = answer
        raise Unfetchable(f"is redirected more than {self._limits.max_redirects} times")

    def _check_listed(self, location: Location) -> None:
        if location.source not in self._sources:
            raise Unfetchable(f"is at {location.source}, which --image-url-allow does not list")

    def _ask(self, location: Location, most: int) -> bytes | Location:
        """What a server answers: the file, or where it is now."""
        connection = HTTPConnection(location.source.host, location.source.port)
        try:
            with closing(connection):
                connection.sock = self._connect(location)
                return _exchange(connection, location, most)
        except OSError as error:
            raise reason_of(error) from None
        except HTTPException:
            raise Unfetchable("is at a server whose answer is no HTTP, or breaks off") from None

    def _connect(self, location: Location) -> socket.socket:
        """A connection to an address that was checked: the name is not looked up again."""
        source = location.source
        if source.address is not None:
            # Listed as it is, so it may be one inside.
            return self._network.connect(source.host, source)
        found = [ip_address(address) for address in self._network.addresses(source.host, source.port)]
        if not found or not all(map(is_public, found)):
            problem = "has addresses that are not public; --image-url-allow takes those as numbers"
            raise Unfetchable(f"is at {source.host}, which {problem}")
        share_s = self._limits.timeout_s / (_TRIED + 1)
        *first, last = found[:_TRIED]
        for address in first:
            # Such as one of IPv6, where this machine has none.
            with suppress(OSError), gevent.Timeout(share_s, TimeoutError()):
                return self._network.connect(str(address), source)
        return self._network.connect(str(last), source)


def _exchange(connection: HTTPConnection, location: Location, most: int) -> bytes | Location:
    connection.putrequest("GET", location.target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", location.source.authority)
    for name, value in _HEADERS:
        connection.putheader(name, value)
    connection.endheaders()
    with closing(connection.getresponse()) as response:
        if response.status in _REDIRECTS:
            return redirected(location, response.getheader("Location", ""))
        if response.status != _OK:
            raise Unfetchable(f"was answered with the status {response.status}")
        coding = response.getheader("Content-Encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            # Nothing is unpacked here, so that nothing small becomes large.
            raise Unfetchable("comes compressed, although it was asked for as it is")
        return _read(response, most)


def _read(response: HTTPResponse, most: int) -> bytes:
    data = bytearray()
    if response.length is not None and response.length > most:
        raise _too_large(most)
    while piece := response.read(_PIECE):
        data += piece
        if len(data) > most:
            raise _too_large(most)
    if response.length:
        raise Unfetchable("broke off")
    return bytes(data)


def _too_large(most: int) -> Unfetchable:
    return Unfetchable(f"is larger than the {most} bytes allowed")
