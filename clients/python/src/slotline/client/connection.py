"""What both clients tell gRPC: how to connect, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from slotline.client.prefix_key import prefix_key
from slotline.protocol.metadata import call_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slotline.v1.generation_pb2 import GenerateRequest

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # Prompts and slot lists may be larger than the 4 MB that are allowed by default; the server has a limit of its own.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that is back is found soon: by default gRPC waits up to two minutes between attempts to connect.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
)


@dataclass(frozen=True)
class Tls:
    """A connection with TLS.

    Attributes:
        ca: file with the authorities, in PEM, that sign servers' certificates; None for those of the system.
        cert: file with the client's own certificate, for servers that want one.
        key: file with its key.
        server_name: the name in the server's certificate, if it is not that of the target.
    """

    ca: str | Path | None = None
    cert: str | Path | None = None
    key: str | Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel.

        Raises:
            ValueError: a certificate without a key, or the other way round.
            OSError: a file cannot be read.
        """
        if (self.cert is None) != (self.key is None):
            raise ValueError(f"tls: cert is {self.cert!r} and key is {self.key!r}; allowed are both or none")
        ca, key, cert = (None if path is None else Path(path).read_bytes() for path in (self.ca, self.key, self.cert))
        return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)


def channel_options(tls: Tls | None) -> tuple[tuple[str, str | int], ...]:
    """The options of a channel."""
    if tls is None or tls.server_name is None:
        return CHANNEL_OPTIONS
    return (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", tls.server_name))


def targets_of(given: str | Sequence[str]) -> list[str]:
    """The targets that a caller gave, without repetitions.

    Raises:
        TypeError: they are no texts.
        ValueError: there is none, or an empty one.
    """
    targets = [given] if isinstance(given, str) else list(given)
    for target in targets:
        if not isinstance(target, str):
            raise TypeError(f"targets: {target!r:.80} is not a text like HOST:PORT or unix:/PATH")
    if not targets or "" in targets:
        raise ValueError(
            f"targets: {targets!r:.80} has no target, or an empty one; allowed are HOST:PORT and unix:/PATH"
        )
    return list(dict.fromkeys(targets))


@dataclass(frozen=True)
class Credentials:
    """For whom a client calls, and what it tells of each call.

    Attributes:
        api_key, priority, tenant: see ``Client``.
        prefix_key: that of all generations; None to make one of each prompt.
        further: metadata of all calls.
    """

    api_key: str | None
    priority: int
    tenant: str | None
    prefix_key: str | None
    further: tuple[tuple[str, str], ...]

    def key_of(self, request: GenerateRequest) -> str:
        """The prefix key of a generation; "" for none."""
        return prefix_key(request) if self.prefix_key is None else self.prefix_key

    def metadata(self, *, priority: int | None = None, key: str = "") -> tuple[tuple[str, str], ...]:
        """The metadata of a call.

        Args:
            priority: that of this call; None for that of all.
            key: its prefix key; "" for none.
        """
        own = call_metadata(
            self.api_key,
            priority=self.priority if priority is None else priority,
            tenant=self.tenant,
            prefix_key=key,
        )
        return (*own, *self.further)
