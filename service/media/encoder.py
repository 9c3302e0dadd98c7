"""What the API asks of whoever encodes pictures."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.request.media import MediaChunk
    from service.prompts.work import Work

#: A picture as a part of a prompt: chunks of media, and ids of the tokens that the projector wants around them.
EncodedPicture = tuple["tuple[int, ...] | MediaChunk", ...]


class UnusablePicture(Exception):
    """A picture cannot be used.

    Args:
        index: its number among the pictures of the call.
        problem: why, and what is allowed; goes on behind the name of its field: "is no picture; allowed are ...".
    """

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(problem)
        self.index = index
        self.problem = problem


class WorkerState(enum.Enum):
    """What the process that encodes does."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ProjectorFacts:
    """What a projector makes of pictures.

    Attributes:
        projector_type: from the file.
        min_tokens, max_tokens: cells that a picture takes in a prompt, those of the tokens around it included. Where
            the size follows the picture, ones that are more than 16 times as long as wide may take more.
        n_embd: length of a row.
        has_grid: whether rows have positions in time, y and x.
        max_whole: most rows of a chunk that is evaluated at once; 0 if all chunks may be evaluated in parts.
    """

    projector_type: str
    min_tokens: int
    max_tokens: int
    n_embd: int
    has_grid: bool
    max_whole: int


@dataclass(frozen=True, slots=True)
class MediaCounts:
    """What was done since start.

    Attributes:
        n_hits: pictures that needed no encoding, for their rows were kept or were just being made.
        n_encoded: pictures that were encoded.
        encode_s: how long that took, in seconds.
        n_failed: pictures that could not be.
        n_restarts: processes that were lost and replaced.
        n_waiting: pictures that wait for the process now.
        kept_bytes: memory that kept rows take now.
    """

    n_hits: int = 0
    n_encoded: int = 0
    encode_s: float = 0.0
    n_failed: int = 0
    n_restarts: int = 0
    n_waiting: int = 0
    kept_bytes: int = 0


class PictureEncoder(Protocol):
    """Encodes pictures, for all threads."""

    def start(self) -> None:
        """Start, and find out whether pictures can be encoded; blocks. Only once, and before all else.

        Raises:
            ProjectorFailed: the projector cannot be used; the message says why in one line.
            Draining: the encoder was closed meanwhile.
        """

    @property
    def facts(self) -> ProjectorFacts:
        """What the projector makes of pictures."""

    @property
    def state(self) -> WorkerState:
        """What the process does now."""

    def counts(self) -> MediaCounts:
        """What was done since start."""

    def encode(self, files: Sequence[bytes], work: Work, salt: str = "") -> list[EncodedPicture]:
        """Encode the pictures of a prompt; blocks, also for seconds. Those that are equal are encoded once.

        Args:
            files: as they were received, at least one; numbers and sizes are within the limits on a request.
            work: the preparation that they belong to, with which this ends at once.
            salt: what was encoded is shared only between requests of equal salt, so that nobody can tell from the time
                what others have sent.

        Raises:
            UnusablePicture: one of them is no picture, is too large, or ends the process.
            QueueFull: too many pictures wait.
            ImageWorkerLost: the process was lost, or is not running, for reasons that are not the picture's.
            Draining: the encoder was closed.
            Abandoned: nobody waits for them any more.
        """

    def close(self) -> None:
        """End the process, also while it encodes. May be called again."""
