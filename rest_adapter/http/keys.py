"""API keys of clients: ``Authorization: Bearer KEY`` or ``X-Api-Key: KEY``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.errors import Unauthorized
from slotline.protocol.api_keys import is_one_of, key_in, tenant_of_key

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)


class ApiKeys:
    """The keys that clients may present.

    Args:
        keys: each of them is valid; without any, nobody needs one.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    def are_satisfied(self) -> bool:
        """Whether the current request presents a valid key, or needs none. Reads nothing of its body."""
        if not self._keys:
            return True
        presented = _presented_key()
        if presented is None:
            return False
        return is_one_of(presented, self._keys)

    def tenant(self) -> str:
        """The tenant of the current request for the core: the same for the same key, "" if the server has no keys.

        The request must have passed ``check``.
        """
        presented = _presented_key() if self._keys else None
        return "" if presented is None else tenant_of_key(presented)

    def check(self) -> None:
        """Refuse the current request unless it presents a valid key or needs none.

        Raises:
            Unauthorized: it does not.
        """
        if self.are_satisfied():
            return
        logger.warning(
            "Unauthorized: Invalid API Key",
            extra={"remote_addr": request.remote_addr, "method": request.method, "path": request.path},
        )
        raise Unauthorized(
            'Authorization: this header is missing or holds no valid API key; allowed is "Bearer KEY" with a key of '
            "this server, or X-Api-Key: KEY without it"
        )


def _presented_key() -> bytes | None:
    """The key that the current request presents, right or wrong; None without one."""
    # WSGI decodes headers as Latin-1, so this gives the bytes that were sent.
    values = (request.headers.get(name) for name in ("Authorization", "X-Api-Key"))
    return key_in(*(None if value is None else value.encode("latin-1", errors="replace") for value in values))
