"""What callers may do, in the core and in the REST adapter alike, and how they reach the core."""

from __future__ import annotations

from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import text

ACCESS = Group(
    "access",
    (
        Flag(
            ("--allow-system-prompt",),
            {"allow_system_prompt": True},
            "let requests replace the system prompt of everybody also where there are no API keys and others than this "
            "machine reach the server",
        ),
        Flag(
            ("--literal-messages",),
            {"literal_messages": True},
            "take messages and roles of chats literally: names of control tokens in them, such as <|im_end|>, stay "
            "text. Advised where users do not trust each other; requests may ask for it with parse_special false",
        ),
    ),
)

GRPC_TLS = Group(
    "TLS of gRPC",
    (
        Value(
            ("--grpc-tls-cert",),
            "FNAME",
            "grpc_tls_cert",
            text,
            "speak TLS at the gRPC addresses in the network, with this certificate and those between it and its root, "
            "in PEM; unix sockets stay plain. Files that change are read again for new connections",
        ),
        Value(("--grpc-tls-key",), "FNAME", "grpc_tls_key", text, "its private key, in PEM, without a password"),
        Value(
            ("--grpc-client-ca",),
            "FNAME",
            "grpc_client_ca",
            text,
            "demand certificates of gRPC clients that an authority in this file, in PEM, has signed",
        ),
    ),
)
