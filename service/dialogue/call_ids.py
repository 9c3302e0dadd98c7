"""Ids of calls as a template accepts them, the same for a call and for its result."""

from __future__ import annotations

import hashlib
import re

from service.dialogue.chat_format import CallIds

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_N_LETTERS = 9


class CallIdMap:
    """Maps the ids of one conversation, in the order of its turns.

    Args:
        kind: what the template accepts.
    """

    def __init__(self, kind: CallIds) -> None:
        self._kind = kind
        self._n_calls = 0
        self._known: dict[str, str] = {}

    def of_call(self, given: str, name: str) -> str:
        """The id of the next call.

        Args:
            given: the conversation's id of it; "" if it has none.
            name: the tool that it calls.
        """
        mapped = self._mapped(given or f"call_{self._n_calls}", name)
        self._n_calls += 1
        if given:
            self._known[given] = mapped
        return mapped

    def of_result(self, given: str) -> str:
        """The id of the call that a result belongs to: the last one with this id."""
        return self._known.get(given) or self._mapped(given, "")

    def _mapped(self, given: str, name: str) -> str:
        match self._kind:
            case CallIds.ANY:
                return given
            case CallIds.NINE:
                return given if re.fullmatch(rf"[0-9a-zA-Z]{{{_N_LETTERS}}}", given) else _nine_letters(given)
            case CallIds.NUMBERED:
                return f"functions.{name}:{self._n_calls}" if name else given


def _nine_letters(given: str) -> str:
    number = int.from_bytes(hashlib.sha256(given.encode()).digest(), "big")
    letters = []
    for _ in range(_N_LETTERS):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "".join(letters)
