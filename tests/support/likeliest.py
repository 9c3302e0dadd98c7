"""Comparing what a real model says of its next token: last digits of logits depend on what is evaluated in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

Token = TypeVar("Token", int, str)

#: Between kernels, 0.25 was seen; another prompt's differ by several units.
_TOLERANCE = 0.7
#: The last ones of several candidates may be others.
_N_SHARED = 3


def are_alike(one: Mapping[Token, float], other: Mapping[Token, float]) -> bool:
    """Whether the likeliest tokens, with their log-probabilities in nats, are those behind the same prompt."""
    shared = one.keys() & other.keys()
    return len(shared) >= _N_SHARED and all(abs(one[token] - other[token]) < _TOLERANCE for token in shared)
