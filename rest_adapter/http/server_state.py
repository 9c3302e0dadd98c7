"""What the connections of HTTP servers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rest_adapter.http.places import Places


@dataclass(slots=True)
class ServerState:
    """Limits of the servers of one application, and whether they are about to stop.

    Attributes:
        places: where their connections run.
        header_timeout_s: seconds from the first byte of a request to the end of its headers.
        io_timeout_s: seconds that one read or write may take, and a request until all of it has come.
        is_draining: they take no new connections, and every answer is the last of its connection.
    """

    places: Places
    header_timeout_s: float
    io_timeout_s: float
    is_draining: bool = False
