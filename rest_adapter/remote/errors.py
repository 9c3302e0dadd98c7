"""Why a file of another server cannot be had.

Unfetchable
└── TooBusy         as many requests as allowed fetch files
"""

from __future__ import annotations


class Unfetchable(Exception):
    """A file cannot be had; the text says why, to be read after its URL."""


class TooBusy(Unfetchable):
    """As many requests as allowed fetch files.

    Args:
        limit: how many that are.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"has to wait for {limit} requests that fetch files")
        self.limit = limit
