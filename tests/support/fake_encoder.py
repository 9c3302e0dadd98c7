"""An encoder of pictures without a process, which a test can hold."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from service.engine.request.media import MediaChunk
from service.errors import Draining
from service.media.encoder import MediaCounts, ProjectorFacts, UnusablePicture, WorkerState
from service.testing.scripted_model import N_EMBD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.media.encoder import EncodedPicture
    from service.prompts.work import Work

#: Tokens that the fake projector puts around a picture.
OPEN, CLOSE = 91, 93
N_ROWS = 4
#: All that a picture takes.
N_TOKENS = N_ROWS + 2
#: A file that the encoder takes for no picture.
BAD = b"no picture"
PATIENCE_S = 20.0


@dataclass
class FakeEncoder:
    """A ``PictureEncoder``: a picture is the tokens ``OPEN`` and ``CLOSE`` with four rows between them.

    Attributes:
        files: what it was asked to encode, call by call.
        salts: of these calls.
        waiting: set while a call waits; between ``hold`` and ``release`` all do.
        n_stopped: calls that ended because nobody waited for them.
        is_started, is_closed: whether it was.
        fail, fail_start: called first by ``encode`` and by ``start``; may raise.
    """

    facts: ProjectorFacts = field(
        default_factory=lambda: ProjectorFacts(
            projector_type="fake",
            min_tokens=N_TOKENS,
            max_tokens=N_TOKENS,
            n_embd=N_EMBD,
            has_grid=False,
            max_whole=0,
        )
    )
    state: WorkerState = WorkerState.IDLE
    files: list[list[bytes]] = field(default_factory=list)
    salts: list[str] = field(default_factory=list)
    waiting: threading.Event = field(default_factory=threading.Event)
    n_stopped: int = 0
    is_started: bool = False
    is_closed: bool = False
    fail: Callable[[], None] = lambda: None
    fail_start: Callable[[], None] = lambda: None
    media_counts: MediaCounts = field(default_factory=MediaCounts)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held = False

    def start(self) -> None:
        """Note it."""
        self.fail_start()
        self.is_started = True

    def counts(self) -> MediaCounts:
        """What a test has set."""
        return self.media_counts

    def hold(self) -> None:
        """Let calls wait from now on."""
        self._is_held = True

    def release(self) -> None:
        """Let them go on."""
        with self._changed:
            self._is_held = False
            self._changed.notify_all()

    def encode(self, files: Sequence[bytes], work: Work, salt: str = "") -> list[EncodedPicture]:
        """Rows that differ by the file."""
        self.files.append(list(files))
        self.salts.append(salt)
        self.fail()
        self._wait(work)
        if BAD in files:
            raise UnusablePicture(list(files).index(BAD), "is no picture; allowed are pictures")
        return [encoded(data, self.facts.n_embd) for data in files]

    def close(self) -> None:
        """Note it, and end all calls."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def wait_until_closed(self) -> None:
        """Wait until it was closed."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.is_closed, PATIENCE_S), "the encoder was never closed"

    def _wait(self, work: Work) -> None:
        def stop() -> None:
            with self._changed:
                self.n_stopped += 1
                self._changed.notify_all()

        with work.waiting(stop), self._changed:
            self.waiting.set()
            assert self._changed.wait_for(
                lambda: not self._is_held or self.is_closed or work.is_abandoned, PATIENCE_S
            ), "the encoder was never released"
            self.waiting.clear()
            if self.is_closed:
                raise Draining


def encoded(data: bytes, n_embd: int = N_EMBD) -> EncodedPicture:
    """What the encoder makes of a file."""
    return ((OPEN,), chunk_of(data, n_embd), (CLOSE,))


def chunk_of(data: bytes, n_embd: int = N_EMBD) -> MediaChunk:
    """The chunk of a file."""
    key = hashlib.sha256(data).digest()
    rows = np.full((N_ROWS, n_embd), key[0], np.float32)
    return MediaChunk(key, rows, None, N_ROWS, True)
