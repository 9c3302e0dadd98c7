"""API keys of clients: ``Authorization: Bearer KEY``."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable

from flask import request

from rest_adapter.errors import Unauthorized

logger = logging.getLogger(__name__)

_SCHEME = b"Bearer "


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
        # All of them every time: how long it takes must not tell which one it was.
        return sum([hmac.compare_digest(presented, key) for key in self._keys]) > 0

    def tenant(self) -> str:
        """Whose request the current one is, as the core is told: the same for the same key; "" without keys.

        The request must have passed ``check``.
        """
        presented = _presented_key() if self._keys else None
        return "" if presented is None else name_of_key(presented)

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
            "this server"
        )


def name_of_key(key: bytes) -> str:
    """The tenant that a key is. The core makes the same of it, so that a client is one over REST and over gRPC."""
    return hashlib.sha256(b"slotline tenant " + key).hexdigest()


def _presented_key() -> bytes | None:
    """The key that the current request presents, right or wrong; None without one."""
    # WSGI decodes headers as Latin-1, so this gives the bytes that were sent.
    presented = request.headers.get("Authorization", "").encode("latin-1", errors="replace")
    return presented.removeprefix(_SCHEME) if presented.startswith(_SCHEME) else None
