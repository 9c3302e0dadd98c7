"""API keys: how a call or an HTTP request presents one, and what follows from it."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The scheme may be written in any case, and followed by any number of blanks.
_BEARER = re.compile(rb"bearer +(.*)", re.IGNORECASE | re.DOTALL)


def key_in(authorization: bytes | None, api_key: bytes | None) -> bytes | None:
    """The key in the values of ``Authorization`` and ``X-Api-Key``, right or wrong; None if there is none.

    The second counts if the first is missing or of another scheme, such as a proxy's own.
    """
    found = None if authorization is None else _BEARER.fullmatch(authorization.strip(b" "))
    if found is not None:
        return found[1]
    return None if api_key is None else api_key.strip(b" ")


def is_one_of(presented: bytes, keys: Iterable[bytes]) -> bool:
    """Whether the key is valid. How long it takes does not tell which of the valid keys it was."""
    return sum([hmac.compare_digest(presented, key) for key in keys]) > 0


def tenant_of_key(key: bytes) -> str:
    """The tenant that stands for a key: the same over REST and over gRPC."""
    return hashlib.sha256(b"slotline tenant " + key).hexdigest()
