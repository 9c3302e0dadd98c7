"""Options of ``slotline healthcheck``."""

from __future__ import annotations

from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import grpc_address, http_url, real, text

HEALTHCHECK_GROUPS = (
    Group(
        "what to ask (one of --grpc and --http)",
        (
            Flag(("-h", "--help"), {}, "show this help and exit"),
            Value(
                ("--grpc",),
                "ADDRESS",
                "grpc",
                grpc_address,
                "ask grpc.health.v1 at HOST:PORT or unix:PATH; ready is SERVING",
            ),
            Value(
                ("--service",),
                "NAME",
                "service",
                text,
                "with --grpc: ask for this service, for example slotline.v1.InferenceService",
                default_note="the whole server",
            ),
            Value(("--http",), "URL", "http", http_url, "ask with GET; ready is status 200"),
            Value(
                ("--probe-timeout", "--timeout"),
                "S",
                "probe_timeout_s",
                real(above=0),
                "seconds to wait for the answer",
                default=5.0,
            ),
        ),
    ),
)
