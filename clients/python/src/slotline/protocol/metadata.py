"""The metadata of calls."""

from __future__ import annotations

#: The API key, as ``Bearer KEY``, ...
AUTHORIZATION = "authorization"
#: ... or without a scheme.
API_KEY = "x-api-key"
#: An integer: requests with a higher one start first.
PRIORITY = "slotline-priority"
#: For whom a call is made: tenants share no caches.
TENANT = "slotline-tenant"
#: Equal for prompts that begin alike: balancers send them to the same core, which ignores it.
PREFIX_KEY = "slotline-prefix-key"


def call_metadata(
    api_key: str | None = None, *, priority: int = 0, tenant: str | None = None, prefix_key: str = ""
) -> tuple[tuple[str, str], ...]:
    """The metadata of a call; what has its default is left out."""
    metadata = []
    if api_key:
        metadata.append((AUTHORIZATION, f"Bearer {api_key}"))
    if priority:
        metadata.append((PRIORITY, str(priority)))
    if tenant:
        metadata.append((TENANT, tenant))
    if prefix_key:
        metadata.append((PREFIX_KEY, prefix_key))
    return tuple(metadata)
