"""The state of a core, as a value."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.request.snapshots import EngineSnapshot
    from service.media.encoder import MediaCounts, WorkerState


class CoreState(enum.Enum):
    """Where a core is in its life."""

    LOADING = "loading"
    READY = "ready"
    STALLED = "stalled"
    FAILED = "failed"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class CoreStatus:
    """A core at one moment.

    Attributes:
        message: why loading failed, what has stalled, or empty.
        load_progress: part of the model that is loaded, 0 to 1.
        start_time_s: seconds since 1970.
        uptime_s: seconds since start.
        queue_limit: requests that may wait.
        snapshot: the engine after its last step.
        image_worker: what the process that encodes pictures does; None if there is none.
        media: what was done of pictures since start; None if they are not taken.
    """

    state: CoreState
    instance_id: str
    message: str
    load_progress: float
    start_time_s: float
    uptime_s: float
    queue_limit: int
    snapshot: EngineSnapshot
    image_worker: WorkerState | None = None
    media: MediaCounts | None = None
