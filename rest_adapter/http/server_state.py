"""What the connections of one HTTP server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rest_adapter.http.places import Places


@dataclass(slots=True)
class ServerState:
    """Limits of a server, and whether it is about to stop.

    Attributes:
        places: where its connections run.
        header_timeout_s: seconds from the first byte of a request to the end of its headers.
        io_timeout_s: seconds that one read or write may take, and a request until all of it has come.
        is_draining: it takes no new connections, and every answer is the last of its connection.
    """

    places: Places
    header_timeout_s: float
    io_timeout_s: float
    is_draining: bool = False
