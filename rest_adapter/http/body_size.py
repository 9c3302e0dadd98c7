"""Bodies that are larger than allowed, as an exception of Werkzeug that knows the limit."""

from __future__ import annotations

from werkzeug.exceptions import RequestEntityTooLarge


class BodyTooLarge(RequestEntityTooLarge):
    """The body is larger than allowed.

    Args:
        limit: bytes that are.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
