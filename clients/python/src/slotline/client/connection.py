"""What both clients tell gRPC."""

from __future__ import annotations

CHANNEL_OPTIONS = (
    # Prompts and slot lists may be larger than the 4 MB that are allowed by default; the server has a limit of its own.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
