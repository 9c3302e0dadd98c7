"""API keys of clients: ``Authorization: Bearer KEY`` or ``X-Api-Key: KEY``."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

# The scheme may be written in any case, and followed by any number of blanks.
_BEARER = re.compile(rb"bearer +(.*)", re.IGNORECASE | re.DOTALL)


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
            "this server, or X-Api-Key: KEY without it"
        )


def name_of_key(key: bytes) -> str:
    """The tenant that a key is. The core makes the same of it, so that a client is one over REST and over gRPC."""
    return hashlib.sha256(b"slotline tenant " + key).hexdigest()


def key_in(authorization: bytes | None, api_key: bytes | None) -> bytes | None:
    """The key in the values of ``Authorization`` and ``X-Api-Key``, right or wrong; None if there is none.

    The second counts if the first is missing or of another scheme, such as a proxy's own.
    """
    found = None if authorization is None else _BEARER.fullmatch(authorization.strip(b" "))
    if found is not None:
        return found[1]
    return None if api_key is None else api_key.strip(b" ")


def _presented_key() -> bytes | None:
    """The key that the current request presents, right or wrong; None without one."""
    # WSGI decodes headers as Latin-1, so this gives the bytes that were sent.
    values = (request.headers.get(name) for name in ("Authorization", "X-Api-Key"))
    return key_in(*(None if value is None else value.encode("latin-1", errors="replace") for value in values))
