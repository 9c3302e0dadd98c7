"""Options that every command has, about its log and its help."""

from __future__ import annotations

from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import choice

GENERAL = Group(
    "general",
    (
        Flag(("-h", "--help", "--usage"), {}, "show this help and exit"),
        Flag(
            ("-v", "--verbose", "--log-verbose"),
            {"verbose": True},
            "log more, prompts and answers included: the bodies of requests, every RPC, and all that llama.cpp says",
        ),
        Value(
            ("--log-format",),
            "FORMAT",
            "log_format",
            choice({"json": "json", "text": "text"}),
            "log records as json or text, one a line on stdout",
            default="json",
        ),
        Flag(("--log-jsonl",), {"log_format": "json"}, "the same as --log-format json"),
        Flag(("--no-log-jsonl",), {"log_format": "text"}, "the same as --log-format text"),
        Flag(
            ("--log-disable",),
            {"log_disable": True},
            "no log file; there is never one, so this is only accepted",
        ),
    ),
)
