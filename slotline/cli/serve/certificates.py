"""A look at the files for TLS before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.listen.tls import TlsFiles, read_certificates
from service.errors import InvalidArgument
from service.field_names import described
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
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
