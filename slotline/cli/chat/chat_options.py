"""Options of ``slotline chat``."""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING

from rest_adapter.config import RestConfig
from slotline.cli.chat.dialogue_options import schema_file, tools_file
from slotline.cli.chat.pictures import picture_file
from slotline.cli.chat.sampling import setting
from slotline.cli.chat.transfer import conversation_file
from slotline.cli.options.api_keys import api_key, api_key_file
from slotline.cli.options.files import read_text
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import InvalidValue, text

if TYPE_CHECKING:
    from slotline.cli.chat.conversation import Conversation

_REST = RestConfig()
MAX_SYSTEM_PROMPT_BYTES = 4 * 1024 * 1024


def server_url(name: str, value: str) -> str:
    """An ``http://`` or ``https://`` address."""
    allowed = "allowed is http://HOST:PORT or https://HOST:PORT, perhaps with a path"
    try:
        parts = urllib.parse.urlsplit(value)
        is_address = bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        is_address = False
    if not is_address or re.fullmatch(r"https?://[!-~]+", value) is None or parts.query or parts.fragment:
        raise InvalidValue(f"{name} {value!r} is not an address; {allowed}")
    return value


def _loaded(name: str, path: str) -> tuple[str, Conversation]:
    return path, conversation_file(name, path)


def _system_file(name: str, path: str) -> str:
    return read_text(name, path, MAX_SYSTEM_PROMPT_BYTES).strip()


CHAT_GROUPS = (
    Group(
        "server",
        (
            Flag(("-h", "--help"), {}, "show this help and exit"),
            Value(
                ("--url",),
                "URL",
                "chat_url",
                server_url,
                "where REST is served",
                default=f"http://{_REST.host}:{_REST.port}",
            ),
            Value(
                ("--api-key",),
                "KEY",
                "chat_key",
                api_key,
                "key that the server demands. Other users of this machine can read it here; a file or a variable "
                "hides it",
            ),
            Value(
                ("--api-key-file",),
                "FNAME",
                "chat_key",
                api_key_file,
                "the same as the first line of a file",
            ),
        ),
    ),
    Group(
        "conversation",
        (
            Value(
                ("--message",),
                "MESSAGE",
                "chat_message",
                text,
                "print the answer to this and end; the name of the option may be left out, and - stands for what "
                "comes on stdin",
                repeat=True,
                is_operand=True,
            ),
            Value(
                ("--image",),
                "FNAME",
                "chat_images",
                picture_file,
                "picture that goes along with the message, or with the first one of a chat: PNG, JPEG, WebP, GIF or "
                "BMP; may repeat",
                repeat=True,
            ),
            Value(("--system",), "TEXT", "chat_system", text, "system prompt"),
            Value(("--system-file",), "FNAME", "chat_system", _system_file, "the same from a file"),
            Value(
                ("--set",),
                "NAME=VALUE",
                "chat_settings",
                setting,
                "option of the answers, by its name in the REST API, for example temperature=0.3; may repeat",
                repeat=True,
            ),
            Value(
                ("--schema",),
                "FNAME",
                "chat_schema",
                schema_file,
                "file with a JSON Schema that answers obey",
            ),
            Value(
                ("--tools",),
                "FNAME",
                "chat_tools",
                tools_file,
                "file with an array of tools, as in the OpenAI API, that the model may call; you type what they give. "
                "In scripts each call is a line of JSON",
            ),
            Value(
                ("--load",),
                "FNAME",
                "chat_loaded",
                _loaded,
                "go on with a conversation that /save wrote or the web page exported; of several, the newest",
            ),
            Flag(("--no-color",), {"chat_no_color": True}, "no colours, as with the variable NO_COLOR"),
        ),
    ),
)
