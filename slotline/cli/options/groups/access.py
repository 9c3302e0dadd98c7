"""What callers may do, in the core and in the REST adapter alike."""

from __future__ import annotations

from slotline.cli.options.table import Flag, Group

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
