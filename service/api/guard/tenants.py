"""Whose call it is. Tenants share no caches and see nothing of each other's prompts.

Without API keys there is one tenant; with keys, each key is a tenant of its own. A caller that serves others with its
own key, as an adapter does, may name the one it calls for in the metadata ``slotline-tenant``. That divides the tenant
of its own key: naming another key's tenant gives no access to it. Only the adapter that started a core has a key with
which it may name any tenant, so that a client is the same tenant over REST and over gRPC.
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
    """Finds out whose call it is.

    Args:
        keys: the API keys of this server; without any, presented keys are ignored.
        adapter_key: presented by the adapter that started this core; None if there is none.
    """

    def __init__(self, keys: Iterable[str] = (), adapter_key: str | None = None) -> None:
        self._has_keys = bool(tuple(keys))
        self._adapter = None if adapter_key is None else tenant_of_key(adapter_key.encode())

    def tenant_of(self, metadata: Metadata | None) -> str:
        """The tenant of a call that has passed the check of its key: a word without blanks, or "" without keys.

        Raises:
            InvalidArgument: the metadata name several tenants, or one in a form that is not allowed.
        """
        named = _named(metadata)
        key = presented_key(metadata) if self._has_keys else None
        own = "" if key is None else tenant_of_key(key)
        # Hashes are compared here, so the time that it takes tells nothing about a key.
        if own and own == self._adapter:
            return named
        return own if named in ("", own) else f"{own}:{named}"


def salted(tenant: str, cache_salt: str) -> str:
    """The cache salt for requests of a tenant; differs for any two different pairs."""
    return f"{tenant}\n{cache_salt}"


def cache_salt_of(salt: str) -> str:
    """The ``cache_salt`` in what ``salted`` gave; no tenant has a line feed."""
    return salt.partition("\n")[2]


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
