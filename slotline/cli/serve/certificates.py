"""A look at the files for TLS before anything is started."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from service.api.listen.tls import TlsFiles, read_certificates
from service.errors import InvalidArgument
from service.field_names import described
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_adapter.config import RestConfig
    from service.config import CoreConfig


def check_certificates(config: CoreConfig) -> None:
    """Check the files for TLS, if there are any.

    Raises:
        StartError: one cannot be used.
    """
    if config.grpc_tls_cert is None or config.grpc_tls_key is None:
        return
    try:
        read_certificates(TlsFiles(config.grpc_tls_cert, config.grpc_tls_key, config.grpc_client_ca))
    except InvalidArgument as error:
        raise StartError(described(error, config.field_names)) from None


def check_core_certificates(config: RestConfig) -> None:
    """Check the files with which an adapter reaches its core, if there are any.

    Raises:
        StartError: one cannot be used.
    """
    if config.core_ca is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _check("--core-ca", config.core_ca, lambda: context.load_verify_locations(config.core_ca))
    if config.core_cert is not None and config.core_key is not None:
        cert, key = config.core_cert, config.core_key
        # Without a password: OpenSSL would ask for one on the terminal.
        _check(f"--core-cert {cert} --core-key", key, lambda: context.load_cert_chain(cert, key, password=lambda: ""))


def _check(option: str, path: str, load: Callable[[], None]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        reason = (error.reason or "no PEM").lower().replace("_", " ")
        raise StartError(f"{option} {path} cannot be used: {reason}") from None
    except OSError as error:
        raise StartError(f"{option} {path} cannot be read: {error.strerror or error}") from None
