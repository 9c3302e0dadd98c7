"""Salts, which divide caches: what was evaluated with other scales of LoRA adapters is no beginning of a prompt.

Requests with the scales that are in force for everybody have the salt that they came with. That of others says their
scales, too. So whoever looks for beginnings by their salt finds only what was evaluated with the same scales.
"""

from __future__ import annotations

#: Stands around scales; no salt of a request begins with it.
_MARK = "\0"


def salt_with_adapters(salt: str, scales: tuple[float, ...] | None) -> str:
    """The salt of a request that has scales of its own; None for those in force for everybody.

    Args:
        salt: of the request. Must not begin with a null character, as none of a tenant does.
        scales: one for each adapter. Equal ones give equal salts, and others different ones.
    """
    return salt if scales is None else f"{_MARK}{','.join(map(repr, scales))}{_MARK}{salt}"


def has_own_adapters(salt: str) -> bool:
    """Whether a salt is of requests that have scales of their own."""
    return salt[:1] == _MARK


def scales_in(salt: str) -> tuple[float, ...] | None:
    """The scales that a salt says; None for those in force for everybody."""
    return tuple(map(float, salt.split(_MARK, 2)[1].split(","))) if has_own_adapters(salt) else None


def salt_without_adapters(salt: str) -> str:
    """The salt that a request came with."""
    return salt.split(_MARK, 2)[2] if has_own_adapters(salt) else salt
