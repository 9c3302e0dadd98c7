"""The layout of a slot file, written and checked.

    8 bytes   "SLOTFILE"
    4 bytes   version of the layout
    4 bytes   length of the head
    ...       the head: a JSON object with the fields of ``Head``
    4 bytes   for each item: a token, or -1 - i for entry i of ``Head.media``
    ...       what the model's memory held for the items (``Memory.pack``)
    32 bytes  SHA-256 of everything before

Integers are little-endian. What is packed goes to the library as it is, so a file is used only if it is whole and was
written for just this model; the hash finds damage, not malice: whoever can write into the directory is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from service.engine.request.media import MediaRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from io import BufferedReader

    from service.engine.request.items import PromptItem

MAGIC, VERSION = b"SLOTFILE", 1
#: Written and read at a time, so that a call that nobody waits for ends soon.
STEP_BYTES = 1 << 20
#: Pictures of a full context need less.
MAX_HEAD_BYTES = 1 << 26

_BEGINNING = struct.Struct("<8sII")
_ITEM = np.dtype("<i4")
_HASH_BYTES = 32


class SlotFileError(Exception):
    """The file cannot be used. The message is a predicate of the file: "is damaged: ..."."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file says about itself.

    Attributes:
        format: ``ModelInfo.sequence_format`` of the model that it is for.
        owner: stands for the tenant whose it is; tells nothing about an API key.
        cache_salt: of the requests that may use it.
        n_items: how many items there are.
        n_system: how many of them are the system prompt.
        n_packed: bytes of what is packed.
        media: of each row of media its chunk's key in hexadecimal and the other fields of ``MediaRow``.
    """

    format: str
    owner: str
    cache_salt: str
    n_items: int
    n_system: int
    n_packed: int
    media: Sequence[tuple[str, int, int, int]] = ()


def media_of(items: Iterable[PromptItem]) -> list[tuple[str, int, int, int]]:
    """The field ``media`` of a head for these items."""
    return [(item.key.hex(), *item[1:]) for item in items if isinstance(item, MediaRow)]


def write(
    file: BinaryIO,
    head: Head,
    items: Sequence[PromptItem],
    packed: Sequence[memoryview],
    go_on: Callable[[], bool] = lambda: True,
) -> bool:
    """Write all of a file; False if ``go_on`` has returned False before the end.

    Raises:
        OSError: it cannot be written.
    """
    encoded = json.dumps(asdict(head)).encode()
    buffers = [
        memoryview(_BEGINNING.pack(MAGIC, VERSION, len(encoded)) + encoded),
        memoryview(_numbers(items).tobytes()),
        *packed,
    ]
    digest = hashlib.sha256()
    for buffer in buffers:
        for start in range(0, len(buffer), STEP_BYTES):
            if not go_on():
                return False
            piece = buffer[start : start + STEP_BYTES]
            digest.update(piece)
            file.write(piece)
    file.write(digest.digest())
    return True


def read(
    file: BufferedReader, check: Callable[[Head], None], go_on: Callable[[], bool] = lambda: True
) -> tuple[Head, list[PromptItem], memoryview]:
    """Read all of a file.

    Args:
        file: at its beginning.
        check: raises what it likes if the file is of no use, before most of it is read.
        go_on: whether somebody still waits for it.

    Returns:
        The head, the items, and what was packed.

    Raises:
        SlotFileError: it is no such file, of another version, or damaged; or nobody waits for it any more.
        OSError: it cannot be read.
    """
    beginning = file.read(_BEGINNING.size)
    if len(beginning) < _BEGINNING.size or not beginning.startswith(MAGIC):
        raise SlotFileError("is no slot file")
    _, version, n_head = _BEGINNING.unpack(beginning)
    if version != VERSION:
        raise SlotFileError(f"has version {version} of the layout; this server reads version {VERSION}")
    n_bytes = os.fstat(file.fileno()).st_size
    if n_head > min(MAX_HEAD_BYTES, n_bytes):
        raise SlotFileError("is damaged: its head is longer than it can be")
    encoded = file.read(n_head)
    head = _parsed(encoded)
    check(head)
    n_rest = head.n_items * _ITEM.itemsize + head.n_packed
    expected = _BEGINNING.size + n_head + n_rest + _HASH_BYTES
    if n_bytes != expected:
        raise SlotFileError(f"is damaged: it has {n_bytes} bytes and should have {expected}")
    digest = hashlib.sha256(beginning + encoded)
    rest = np.empty(n_rest, np.uint8).data
    for start in range(0, n_rest, STEP_BYTES):
        piece = rest[start : start + STEP_BYTES]
        if not go_on():
            raise SlotFileError("is not needed any more")
        if file.readinto(piece) != len(piece):
            raise SlotFileError("is damaged: it became shorter while it was read")
        digest.update(piece)
    if file.read(_HASH_BYTES) != digest.digest():
        raise SlotFileError("is damaged: its contents are not those that were written")
    n_numbers = head.n_items * _ITEM.itemsize
    return head, _items(np.frombuffer(rest[:n_numbers], _ITEM).tolist(), head), rest[n_numbers:]


def _numbers(items: Sequence[PromptItem]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    rows = iter(range(-1, -len(items) - 1, -1))
    return np.fromiter((item if isinstance(item, int) else next(rows) for item in items), _ITEM, len(items))


def _items(numbers: Sequence[int], head: Head) -> list[PromptItem]:
    rows = [MediaRow(bytes.fromhex(key), *numbers) for key, *numbers in head.media]
    if min(numbers, default=0) < -len(rows):
        raise SlotFileError("is damaged: it has rows of pictures that it does not describe")
    return [number if number >= 0 else rows[-1 - number] for number in numbers]


def _parsed(encoded: bytes) -> Head:
    try:
        head = Head(**json.loads(encoded))
        head = replace(head, media=tuple((key, number, n_before, step) for key, number, n_before, step in head.media))
        texts = (head.format, head.owner, head.cache_salt, *(row[0] for row in head.media))
        counts = (head.n_items, head.n_system, head.n_packed, *chain.from_iterable(row[1:] for row in head.media))
        bytes.fromhex("".join(row[0] for row in head.media))
        is_sound = all(isinstance(text, str) for text in texts) and all(type(count) is int for count in counts)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        is_sound = False
    if not is_sound or min(counts) < 0:
        raise SlotFileError("is damaged: its head cannot be read")
    return head
