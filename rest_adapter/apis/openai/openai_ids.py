"""Ids of answers in the OpenAI form."""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 32


def new_id(kind: str) -> str:
    """An id that no other answer has: the kind, and random letters and digits."""
    return f"{kind}-" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
