"""The input of a custom tool, out of the arguments of the function as which the model calls it."""

from __future__ import annotations

import json
import re

from rest_adapter.apis.openai.responses.conversation import CUSTOM_INPUT

_OPENING = re.compile(rf'\s*\{{\s*"{CUSTOM_INPUT}"\s*:\s*"')
_HEX = "[0-9a-fA-F]"
_HIGH, _LOW = rf"\\u[dD][89abAB]{_HEX}{{2}}", rf"\\u[dD][c-fC-F]{_HEX}{{2}}"
#: What can be decoded by itself: characters, and escapes that are whole. What may be the first half of a pair of
#: surrogates waits for the second.
_WHOLE = re.compile(
    rf'(?:[^"\\]|\\[^u]|{_HIGH}{_LOW}|{_HIGH}(?=[^\\]|\\[^u]|\\u(?![dD][c-fC-F]){_HEX}{{4}})|(?!{_HIGH})\\u{_HEX}{{4}})*'
)


class CustomInput:
    """Decodes the arguments ``{"input": TEXT}`` while they come."""

    def __init__(self) -> None:
        self._waiting = ""
        self._is_open = False

    def feed(self, arguments: str) -> str:
        """Take more of the arguments, and return what that adds to the text."""
        self._waiting += arguments
        if not self._is_open:
            opening = _OPENING.match(self._waiting)
            if opening is None:
                return ""
            self._is_open = True
            self._waiting = self._waiting[opening.end() :]
        found = _WHOLE.match(self._waiting)
        assert found is not None
        self._waiting = self._waiting[found.end() :]
        text: str = json.loads(f'"{found[0]}"', strict=False)
        # A half of a pair is no character.
        return text.encode(errors="replace").decode()
