"""Pictures of questions: files of theirs as data URLs, which is how requests and saved conversations have them."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slotline.cli.chat.screen import printable
from slotline.cli.options.files import read_file
from slotline.cli.options.values import InvalidValue
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The server says how large a picture may be. This only bounds what is read: a device never ends.
MAX_BYTES = 256 * 1024 * 1024
#: What files begin with, by their kind; a dot stands for any byte.
_BEGINNINGS: Mapping[str, re.Pattern[bytes]] = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "gif": re.compile(rb"GIF8[79]a"),
    "bmp": re.compile(rb"BM"),
}
_DATA_URL = re.compile(r"data:image/(png|jpeg|webp|gif|bmp);base64,[A-Za-z0-9+/=]*")
#: How servers name the field of a picture.
_FIELD = re.compile(r"messages\[(\d+)\]\.content\[(\d+)\][\w.]*: ")
_SHOWN_NAME = 24
_QUOTES = ("'", '"')


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that waits for the next question.

    Attributes:
        name: of its file, as it is shown.
        address: a data URL.
    """

    name: str
    address: str


def picture_file(name: str, path: str) -> Picture:
    """The picture in a file, told by its content.

    Args:
        name: the option or command that named the file, for messages.
        path: the file. Terminals put quotes around what is dropped on them.

    Raises:
        InvalidValue: the file cannot be read, is too large, or is no picture of a known kind.
    """
    if len(path) > 1 and path[0] == path[-1] and path[0] in _QUOTES:
        path = path[1:-1]
    path = os.path.expanduser(path)
    data = read_file(name, path, MAX_BYTES)
    kind = next((kind for kind, beginning in _BEGINNINGS.items() if beginning.match(data)), None)
    if kind is None:
        what = "is empty" if not data else "is no picture"
        raise InvalidValue(f"{name} {path}: {what}; allowed are files of PNG, JPEG, WebP, GIF and BMP")
    shown = excerpt(printable(os.path.basename(path)), _SHOWN_NAME)
    return Picture(shown, f"data:image/{kind};base64,{base64.b64encode(data).decode()}")


def by_name(problem: str, messages: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    """What a server says, with the name of a picture in the place of its field if it is about one.

    Args:
        problem: the words of the server.
        messages: those of the request.
        names: of pictures, by their data URLs.
    """
    found = _FIELD.match(problem)
    try:
        address = found and messages[int(found[1])]["content"][int(found[2])]["image_url"]["url"]
    except (LookupError, TypeError):
        address = None
    return f"{names.get(address, 'a picture')}: {problem[found.end() :]}" if found and address else problem


def is_picture(value: object) -> bool:
    """Whether this is a data URL of a picture."""
    return isinstance(value, str) and _DATA_URL.fullmatch(value) is not None


def count_of(pictures: Sequence[object]) -> str:
    """How many they are, in words."""
    return f"{len(pictures)} picture{'s' if len(pictures) != 1 else ''}"
