"""Ids of answers in the OpenAI form."""

from __future__ import annotations

from rest_adapter.http.random_ids import random_letters

_LENGTH = 32


def new_id(kind: str) -> str:
    """An id that no other answer has: the kind, and random letters and digits."""
    return f"{kind}-{random_letters(_LENGTH)}"
