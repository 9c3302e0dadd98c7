"""Names and connections for the fetcher. All of it waits in the calling greenlet, so that time limits end it."""

from __future__ import annotations

from socket import SOCK_STREAM, getaddrinfo
from typing import TYPE_CHECKING, Protocol

from gevent import socket, ssl
from gevent.threadpool import ThreadPool

from rest_adapter.remote.errors import Unfetchable

if TYPE_CHECKING:
    from rest_adapter.remote.sources import Source

#: Names that are looked up at the same time.
_LOOKUPS = 4


class Network(Protocol):
    """What the fetcher needs of a network."""

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses that a name has.

        Raises:
            OSError: it has none, or the names cannot be asked for.
        """

    def connect(self, address: str, source: Source) -> socket.socket:
        """A connection to an address, over TLS if the source is asked by https.

        Raises:
            OSError: there is none, or the certificate is not that of the source.
        """


class Internet:
    """The network of this machine, without proxies.

    Args:
        tls: checks certificates; by default against the authorities that this system trusts.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._lookups = ThreadPool(_LOOKUPS)

    def addresses(self, host: str, port: int) -> list[str]:
        """As of ``Network``."""
        # Not in the hub's own threads: those that wait for a name server that does not answer are lost for a while.
        found = self._lookups.apply(_look_up, (host, port))
        if isinstance(found, OSError):
            raise found
        return found

    def connect(self, address: str, source: Source) -> socket.socket:
        """As of ``Network``."""
        plain = self.open(address, source.port)
        if source.scheme == "http":
            return plain
        try:
            return self._context().wrap_socket(plain, server_hostname=source.host)
        except BaseException:
            plain.close()
            raise

    def open(self, address: str, port: int) -> socket.socket:
        """A plain connection.

        Raises:
            OSError: there is none.
        """
        return socket.create_connection((address, port))

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # Checks certificates and names unless it is told otherwise.
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.load_default_certs()
        return self._tls


def _look_up(host: str, port: int) -> list[str] | OSError:
    """The addresses of a name. An error is returned: the pool would write what is raised to stderr."""
    try:
        found = getaddrinfo(host, port, type=SOCK_STREAM)
    except OSError as error:
        return error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def reason_of(error: OSError) -> Unfetchable:
    """Why a name or a connection could not be had, without what it says of the machine."""
    match error:
        case ssl.SSLCertVerificationError():
            return Unfetchable(f"is at a server whose certificate is not trusted: {error.verify_message}")
        case ssl.SSLError():
            return Unfetchable("is at a server that does not speak TLS as it should")
        case socket.gaierror():
            return Unfetchable("is at a host that has no address")
        case ConnectionRefusedError():
            return Unfetchable("is at a server that refuses connections")
        case _:
            return Unfetchable("is at a server that cannot be reached, or that ended the connection")
