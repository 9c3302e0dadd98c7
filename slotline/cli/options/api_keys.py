"""API keys on the command line and in files."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from slotline.cli.options.files import read_bytes
from slotline.cli.options.table import Group, Value
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

#: Far more than any list of keys has.
MAX_BYTES = 1024 * 1024
#: A key that is shorter would be shown in half.
_SHOWN_IF_LONGER_THAN = 8
_SHOWN = 4
#: What both HTTP and gRPC can carry unchanged.
_KEY = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_COMMENT = "# "
_ALLOWED = "allowed are printable ASCII characters, without blanks at the ends"


def api_key(name: str, value: str) -> tuple[str, ...]:
    """One key; errors do not repeat it."""
    if _KEY.fullmatch(value) is None:
        raise InvalidValue(f"{name} is empty or holds what a client could not send; {_ALLOWED}")
    if value.startswith(_COMMENT):
        # A comment in a file of keys would open the server to whoever guesses it.
        raise InvalidValue(f"{name} looks like a comment; a key must not begin with {_COMMENT!r}")
    return (value,)


def api_key_file(name: str, path: str) -> tuple[str, ...]:
    """The keys in a file, one a line; empty lines are skipped.

    Raises:
        InvalidValue: it cannot be read, a line is no key, or there is none, which would leave the server open.
    """
    raw = read_bytes(name, path, MAX_BYTES)
    keys: list[str] = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        # Any byte becomes some character, and those beyond ASCII are refused.
        if text := line.decode("latin-1").removesuffix("\r"):
            keys += api_key(f"{name} {path}: line {number}", text)
    if not keys:
        raise InvalidValue(f"{name} {path}: holds no key; allowed is one key a line")
    return tuple(keys)


def as_file_content(keys: Sequence[str]) -> str:
    """What a file must hold for ``api_key_file`` to give these keys."""
    return "".join(f"{key}\n" for key in keys)


API_KEYS = Group(
    "API keys",
    (
        Value(
            ("--api-key",),
            "KEY",
            "api_keys",
            api_key,
            "demand this key of clients, as `Authorization: Bearer KEY` or `X-Api-Key: KEY`, in gRPC as metadata; may "
            "repeat, all are valid. Other users of this machine can read it here; a file or a variable hides it",
            default_note="none, everybody is served",
            repeat=True,
        ),
        Value(
            ("--api-key-file",),
            "FNAME",
            "api_keys",
            api_key_file,
            "the same with the keys in a file, one a line and no comments; may repeat, also along with --api-key",
            repeat=True,
        ),
    ),
)


def api_keys_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """All keys that clients may present, each once."""
    return tuple(dict.fromkeys(key for keys in settings.get("api_keys", ()) for key in keys))


def report(keys: Sequence[str]) -> None:
    """Log that keys are demanded, if they are."""
    if keys:
        logger.info("API keys are demanded", extra={"api_keys": masked(keys)})


def masked(keys: Sequence[str]) -> str:
    """Keys as logs and the screen show them: the last characters of a single key, otherwise their number."""
    if len(keys) == 1 and len(keys[0]) > _SHOWN_IF_LONGER_THAN:
        return f"****{keys[0][-_SHOWN:]}"
    return f"{len(keys)} key{'s' if len(keys) != 1 else ''}"
