"""TLS of the network's listeners: certificates from files, which are read again once they have changed."""

from __future__ import annotations

import logging
import os
import ssl
from dataclasses import dataclass
from typing import Any

import grpc

from service.errors import InvalidArgument

logger = logging.getLogger(__name__)

#: Files that change each time while they are read so often are taken as they are.
_TRIES = 4
#: Times, sizes and identities of files.
_Fingerprint = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM.

    Attributes:
        cert: the server's certificate, and behind it those of the authorities between it and the root.
        key: its private key, without a password.
        client_ca: certificates of authorities: clients then need a certificate that one of them has signed.
    """

    cert: str
    key: str
    client_ca: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All files."""
        return (self.cert, self.key) if self.client_ca is None else (self.cert, self.key, self.client_ca)


def tls_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials that follow their files: new connections get what the files hold when they are made.

    Files that became unusable change nothing, and are reported in the log once.

    Raises:
        InvalidArgument: a file cannot be used now; the field is that of ``CoreConfig``.
    """
    reader = _Reader(files)
    # gRPC asks the reader at each handshake, in a thread of its own; None says that nothing is new, which its types do
    # not know.
    fetch: Any = reader.read_changed
    return grpc.dynamic_ssl_server_credentials(
        reader.read(), fetch, require_client_authentication=files.client_ca is not None
    )


def read_certificates(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    """What the files hold.

    Raises:
        InvalidArgument: a file cannot be read, does not hold what it should, or key and certificate do not fit; the
            field is that of ``CoreConfig``.
    """
    cert = _read("grpc_tls_cert", files.cert, b"CERTIFICATE")
    key = _read("grpc_tls_key", files.key, b"PRIVATE KEY")
    client_ca = None if files.client_ca is None else _read("grpc_client_ca", files.client_ca, b"CERTIFICATE")
    _check_pair(files)
    if client_ca is not None:
        _check_authorities(str(files.client_ca), client_ca)
    return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=client_ca)


class _Reader:
    """Reads files, and again when they have changed."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen: _Fingerprint = ()

    def read(self) -> grpc.ServerCertificateConfiguration:
        """What the files hold now."""
        for _ in range(_TRIES):
            # First: what changes while they are read is seen as a change later.
            self._seen = _fingerprint(self._files)
            read = read_certificates(self._files)
            if _fingerprint(self._files) == self._seen:
                break
            # Key and certificate may be of different times.
        return read

    def read_changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files hold, or None if that is nothing new or cannot be used."""
        if _fingerprint(self._files) == self._seen:
            return None
        try:
            changed = self.read()
        except InvalidArgument as error:
            logger.error("new certificates cannot be used; the old ones stay", extra={"reason": error.message})
            return None
        logger.info("certificates were read again", extra={"files": list(self._files.paths)})
        return changed


def _fingerprint(files: TlsFiles) -> _Fingerprint:
    found = []
    for path in files.paths:
        try:
            status = os.stat(path)
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def _read(field: str, path: str, kind: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InvalidArgument(field, f"{path} cannot be read: {reason}") from None
    if kind + b"-----" not in content:
        raise InvalidArgument(field, f"{path} holds no {kind.decode().lower()} in PEM")
    return content


def _check_pair(files: TlsFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.cert, files.key, password=lambda: "")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InvalidArgument("grpc_tls_key", f"{files.key} is not the key of {files.cert}") from None
        pair = f"{files.key} and the certificate {files.cert}"
        raise InvalidArgument(
            "grpc_tls_key", f"{pair} cannot be used; allowed are a key without a password, and its certificate, in PEM"
        ) from None
    except OSError as error:
        raise InvalidArgument("grpc_tls_cert", f"{files.cert} cannot be read: {error.strerror or error}") from None


def _check_authorities(path: str, content: bytes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=content.decode())
    except (ssl.SSLError, UnicodeDecodeError):
        raise InvalidArgument("grpc_client_ca", f"{path} holds no certificates in PEM that can be read") from None
