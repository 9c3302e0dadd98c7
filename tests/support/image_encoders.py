"""Encoders of pictures for tests, with processes that end in the end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from bench.harness.random_projector import RandomProjector, write_random_projector
from service.config import MediaOptions, ModelConfig
from service.media.encoder import WorkerState
from service.media.worker_encoder import WorkerEncoder
from service.prompts.work import Work
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from service.engine.request.media import MediaChunk
    from service.media.encoder import EncodedPicture

#: Takes about a second for a picture, in some thousand short steps.
SLOW = RandomProjector(576, image_size=512, width=64, n_layers=120, n_heads=1, n_hidden=64)
#: Rows that are evaluated at once by the contexts that tests have.
N_WHOLE = 512


class Encoders:
    """Starts encoders, and closes them.

    Args:
        text_model: the text model of those that name none.
    """

    def __init__(self, text_model: Path) -> None:
        self._text_model = text_model
        self._made: list[WorkerEncoder] = []

    def make(
        self,
        projector: Path,
        *,
        text_model: Path | None = None,
        n_whole: int = N_WHOLE,
        is_computing: Callable[[], bool] = lambda: False,
        n_threads: int = 1,
        stall_s: float = 60.0,
        picture_bytes: int = 600 << 20,
        **options: Any,
    ) -> WorkerEncoder:
        """A new one that is not started yet; ``options`` are those of ``MediaOptions``."""
        made = WorkerEncoder(
            MediaOptions(mmproj=str(projector), **options),
            ModelConfig(str(text_model or self._text_model), n_threads=n_threads),
            n_whole,
            is_computing,
            stall_s=stall_s,
            picture_bytes=picture_bytes,
        )
        self._made.append(made)
        return made

    def start(self, projector: Path, **options: Any) -> WorkerEncoder:
        """A new one, ready."""
        made = self.make(projector, **options)
        made.start()
        return made

    def close(self) -> None:
        """End all processes."""
        for made in self._made:
            made.close()


class Encoding:
    """An ``encode`` in a thread of its own.

    Args:
        encoder: who encodes.
        files: the pictures.
    """

    def __init__(self, encoder: WorkerEncoder, files: Sequence[bytes]) -> None:
        self.work = Work()
        self._encoder = encoder
        self._files = files
        self._pictures: list[EncodedPicture] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def result(self) -> list[EncodedPicture]:
        """The pictures; raises what ``encode`` raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._pictures

    def _run(self) -> None:
        try:
            self._pictures = self._encoder.encode(self._files, self.work)
        except Exception as error:
            self._error = error


def write_slow_projector(folder: Path) -> Path:
    """A projector whose encodes can be interrupted in the middle."""
    return write_random_projector(folder / "slow.gguf", SLOW)


def wait_until_busy(encoder: WorkerEncoder) -> None:
    """Until the process has a picture."""
    wait_until("an encode", lambda: encoder.state is WorkerState.BUSY)


def wait_until_idle(encoder: WorkerEncoder) -> None:
    """Until the process has nothing to do."""
    wait_until("an idle process", lambda: encoder.state is WorkerState.IDLE)


def wait_for_other_process(encoder: WorkerEncoder, pid: int | None) -> None:
    """Until the process is another one, and ready."""
    wait_until("another process", lambda: encoder.pid not in (None, pid) and encoder.state is WorkerState.IDLE)


def pid_of(encoder: WorkerEncoder) -> int:
    """The number of the process."""
    pid = encoder.pid
    assert pid is not None, "there is no process"
    return pid


def media_of(picture: EncodedPicture) -> list[MediaChunk]:
    """The chunks of media."""
    return [chunk for chunk in picture if not isinstance(chunk, tuple)]


def tokens_of(picture: EncodedPicture) -> list[tuple[int, ...]]:
    """The tokens around them."""
    return [chunk for chunk in picture if isinstance(chunk, tuple)]
