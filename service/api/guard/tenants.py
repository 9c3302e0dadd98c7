"""Whose call it is. Tenants share no caches, and see nothing of each other's prompts.

Without API keys everybody is the same tenant; with keys, each key is one. Callers that serve others with a key of their
own, as an adapter does, may say in the metadata ``slotline-tenant`` for whom they call. That divides the tenant of
their key and can name no other one: nobody gets at what belongs to another key by naming it. Only the adapter that
started a core has a key with which it may name any tenant; so a client is the same one over REST and over gRPC.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.api.guard.auth import Metadata, presented_key
from service.errors import InvalidArgument
from slotline.protocol.api_keys import tenant_of_key
from slotline.protocol.metadata import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TENANT_BYTES = 128

_ALLOWED = re.compile(rf"[!-~]{{1,{MAX_TENANT_BYTES}}}")


class Tenants:
    """Tells the tenants of calls.

    Args:
        keys: the API keys of this server; without any, keys that calls present mean nothing.
        adapter_key: presented by the adapter that started this core; None if there is none.
    """

    def __init__(self, keys: Iterable[str] = (), adapter_key: str | None = None) -> None:
        self._has_keys = bool(tuple(keys))
        self._adapter = None if adapter_key is None else tenant_of_key(adapter_key.encode())

    def tenant_of(self, metadata: Metadata | None) -> str:
        """The tenant of a call that is allowed: equal for equal ones, without blanks, and "" without keys.

        Raises:
            InvalidArgument: the metadata name a tenant in a form that is not allowed, or several.
        """
        named = _named(metadata)
        key = presented_key(metadata) if self._has_keys else None
        own = "" if key is None else tenant_of_key(key)
        # Names of keys are compared, which are hashes: how long that takes tells nothing about a key.
        if own and own == self._adapter:
            return named
        return own if named in ("", own) else f"{own}:{named}"


def salted(tenant: str, cache_salt: str) -> str:
    """The salt of caches for requests of a tenant; different for different pairs."""
    return f"{tenant}\n{cache_salt}"


def _named(metadata: Metadata | None) -> str:
    values = [value for name, value in metadata or () if name == TENANT]
    if not values:
        return ""
    text = values[0] if isinstance(values[0], str) else values[0].decode(errors="replace")
    if len(values) == 1 and _ALLOWED.fullmatch(text):
        return text
    found = "is no such word" if len(values) == 1 else f"is there {len(values)} times"
    raise InvalidArgument(
        f"metadata {TENANT}",
        f"{found}; allowed is one word of at most {MAX_TENANT_BYTES} printable ASCII characters",
    )
