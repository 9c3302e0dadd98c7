"""What the scripted model answers, so that a case can say it: see README.md."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from service.testing.scripted_model import EOS, next_letter

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Behind the text that is to be answered.
_END = ord("|")
#: What the template of chats puts behind that text.
_OPENING = b"<assistant>"
#: A prompt that begins so is answered at a pace that a client can follow.
_SLOW = b"slow"
_PAUSE_S = 0.02


def script(tokens: Sequence[int]) -> int:
    """The next token: of the text in front of ``|`` if the prompt has one, else a letter without end."""
    if bytes(token for token in tokens[: len(_SLOW)] if token < 256) == _SLOW:
        threading.Event().wait(_PAUSE_S)
    if _END not in tokens:
        return next_letter(tokens)
    end = list(tokens).index(_END)
    before, behind = bytes(tokens[:end]), list(tokens[end + 1 :])
    if behind[: len(_OPENING)] == list(_OPENING):
        behind = behind[len(_OPENING) :]
    text = before[before.rfind(b">") + 1 :]
    return text[len(behind)] if len(behind) < len(text) else EOS
