"""API keys of clients: ``Authorization: Bearer KEY``."""

from __future__ import annotations

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
        # WSGI decodes headers as Latin-1, so this gives the bytes that were sent.
        presented = request.headers.get("Authorization", "").encode("latin-1", errors="replace")
        if not presented.startswith(_SCHEME):
            return False
        # All of them every time: how long it takes must not tell which one it was.
        return sum([hmac.compare_digest(presented.removeprefix(_SCHEME), key) for key in self._keys]) > 0

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
