"""How a core is reached with TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from rest_adapter.config import RestConfig


@dataclass(frozen=True, slots=True)
class CoreTls:
    """Files in PEM.

    Attributes:
        ca: authorities that sign the core's certificate.
        cert, key: a certificate and its key, for a core that wants one; both or None.
        server_name: the name in the core's certificate; None for that of its address.
    """

    ca: str
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None

    @classmethod
    def of(cls, config: RestConfig) -> CoreTls | None:
        """What a configuration says; None for plain text."""
        if config.core_ca is None:
            return None
        return cls(config.core_ca, config.core_cert, config.core_key, config.core_server_name)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Of a channel."""
        return () if self.server_name is None else (("grpc.ssl_target_name_override", self.server_name),)

    def credentials(self) -> grpc.ChannelCredentials:
        """Of a channel.

        Raises:
            OSError: a file cannot be read.
        """
        ca, key, cert = (path and Path(path).read_bytes() for path in (self.ca, self.key, self.cert))
        return grpc.ssl_channel_credentials(ca or None, key or None, cert or None)
