"""How texts, tokens and numbers are written in transcripts."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING

from service.engine.request.items import tokens_of
from service.engine.request.media import MediaRow
from service.testing.scripted_model import BOS, EOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.request.items import PromptItem

#: Characters in a row from which on they are shown as one, times their number.
_LONG_RUN = 6
_SPECIAL = {BOS: "<bos>", EOS: "<eos>"}


def show(text: str) -> str:
    """A text in the way in which commands write it, with long runs of one character as repetitions."""
    parts: list[str] = []
    plain = ""
    for run in re.finditer(r"(.)\1*", text, re.DOTALL):
        if len(run[0]) < _LONG_RUN:
            plain += run[0]
            continue
        if plain:
            parts.append(json.dumps(plain, ensure_ascii=False))
            plain = ""
        parts.append(f"{json.dumps(run[1], ensure_ascii=False)}*{len(run[0])}")
    if plain or not parts:
        parts.append(json.dumps(plain, ensure_ascii=False))
    return "+".join(parts)


def text_of(tokens: Sequence[int]) -> str:
    """Tokens as text; what is no character as ``<e2>``."""
    known = [_SPECIAL[token].encode() if token in _SPECIAL else bytes([token]) for token in tokens]
    text = b"".join(known).decode(errors="surrogateescape")
    return re.sub(r"[\udc80-\udcff]", lambda byte: f"<{ord(byte[0]) - 0xDC00:02x}>", text)


def show_items(items: Sequence[PromptItem]) -> str:
    """Items in the way in which commands write prompts; of a picture that is not all there, what there is of it."""
    parts: list[str] = []
    for key, run in itertools.groupby(items, key=lambda item: item.key if isinstance(item, MediaRow) else None):
        if key is None:
            parts.append(show(text_of(tokens_of(run))))
        else:
            parts.append(f"{picture_name(key)}*{len(list(run))}")
    return "+".join(parts) or show("")


def picture_name(key: bytes) -> str:
    """A picture by its content, which is in its key."""
    return f"<{key.decode().split()[0]}>"


def span(first: int, last: int) -> str:
    """Numbers from the first to the last one."""
    return str(first) if first == last else f"{first}-{last}"


def positions(first: int, last: int) -> str:
    """The same for positions, with their name."""
    return f"position{'s' * (first < last)} {span(first, last)}"
