"""How a server stops, and when it counts as stalled."""

from __future__ import annotations

from slotline.cli.options.table import Group, Value
from slotline.cli.options.values import number, seconds_or_off

STOPPING = Group(
    "stopping",
    (
        Value(
            ("--drain-timeout",),
            "S",
            "drain_timeout_s",
            number("drain_timeout_s"),
            "seconds that running requests get to finish when the server is stopped",
        ),
    ),
)

SUPERVISION = Group(
    "supervision",
    (
        Value(
            ("--hang-timeout",),
            "S",
            "hang_timeout_s",
            seconds_or_off,
            "seconds in which work must get on by a step, or loading in ten times as many, else the core counts as "
            "stalled: its health says so, and slotline serve replaces it; 0 or off for never",
        ),
    ),
)
