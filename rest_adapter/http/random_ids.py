"""Random letters and digits, of which ids are made."""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_letters + string.digits


def random_letters(length: int) -> str:
    """So many letters and digits, as nobody can guess them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
