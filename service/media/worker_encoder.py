"""Encodes pictures in a process of its own, which is replaced when it is lost.

One thread holds the process: it starts it, gives it one picture after the other, and ends it. Callers wait beside it,
each with the ``Work`` that it belongs to. docs/adr/0053 says why.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGPROF, SIGSEGV, SIGSYS
from typing import TYPE_CHECKING, Any

from service.engine.request.media import MediaChunk
from service.errors import Draining, ImageWorkerLost, InvalidArgument, ProjectorFailed
from service.media.cache import EmbeddingCache
from service.media.encoder import MediaCounts, ProjectorFacts, UnusablePicture, WorkerState
from service.media.jobs import BadJob, Jobs, PictureKey
from service.media.process import ProcessEnded, StallWatch, WorkerProcess, describe_end
from service.media.wire import Control, Setup, empty_chunk, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.config import MediaOptions, ModelConfig
    from service.media.encoder import EncodedPicture
    from service.media.jobs import Job
    from service.prompts.work import Work

logger = logging.getLogger(__name__)

#: Memory for the pixels of a picture of 40 million, decoded, turned and resized. What the projector computes with comes
#: on top, and grows with the projector.
PICTURE_BYTES = 600 << 20
_COMPUTE_PER_WEIGHT = 3
#: What a process has to end a job in, before it is ended with it.
STOP_GRACE_S = 0.2
#: A process that computes nothing for so long is taken for stopped, or hung.
STALL_S = 10.0
START_STALL_S = 60.0
#: Between two looks at that, and at whether the model computes while the process encodes.
_LOOK_S = 1.0
_MODEL_LOOK_S = 0.02
#: Between attempts to start a process that does not start: the first time, and the longest.
_BACK_OFF_S, _MAX_BACK_OFF_S = 0.3, 10.0
#: Signals by which a picture ends its process; all others come from outside.
_OWN_DEATHS = frozenset((-SIGABRT, -SIGBUS, -SIGFPE, -SIGILL, -SIGPROF, -SIGSEGV, -SIGSYS))
_IDENTITY_BYTES = 1 << 20


class WorkerEncoder:
    """A ``PictureEncoder`` whose process is ``service.llama.media.worker``.

    Args:
        options: how to encode, with a projector.
        model: the text model.
        n_whole: most rows that it evaluates in one call, if their chunk is not causal.
        is_computing: tells whether the model computes; any thread.
        stall_s: seconds without any progress after which a process that should encode is replaced.
        picture_bytes: memory that the pixels of a picture may take.

    Raises:
        InvalidArgument: the limits on the tokens of a picture contradict each other.
    """

    def __init__(
        self,
        options: MediaOptions,
        model: ModelConfig,
        n_whole: int,
        is_computing: Callable[[], bool],
        *,
        stall_s: float = STALL_S,
        picture_bytes: int = PICTURE_BYTES,
    ) -> None:
        self._is_computing = is_computing
        self._stall_s = stall_s
        self._setup = _make_setup(options, model, n_whole, picture_bytes)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._jobs = Jobs(EmbeddingCache(options.media_cache_mib << 20), options.max_waiting_images, self._notify)
        self._state = WorkerState.STARTING
        self._process: WorkerProcess | None = None
        self._identity = b""
        self._facts: ProjectorFacts | None = None
        self._failure: Exception | None = None
        self._is_settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Start the process, and wait until it has loaded the projector and tried it out. Only once.

        Raises:
            ProjectorFailed: the projector cannot be used.
            Draining: the encoder was closed meanwhile.
        """
        self._thread.start()
        self._is_settled.wait()
        if self._failure is not None:
            raise self._failure

    @property
    def facts(self) -> ProjectorFacts:
        """What the projector makes of pictures; after ``start``."""
        assert self._facts is not None
        return self._facts

    @property
    def state(self) -> WorkerState:
        """What the process does now."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def counts(self) -> MediaCounts:
        """What was done since start."""
        return self._jobs.counts()

    def encode(self, files: Sequence[bytes], work: Work, salt: str = "") -> list[EncodedPicture]:
        """See ``PictureEncoder``."""
        keys = [PictureKey(self._content(data), salt) for data in files]
        claim, found = self._jobs.claim(keys, dict(zip(keys, files, strict=True)))
        try:
            if claim.jobs:
                with work.waiting(claim.wake):
                    claim.wait(lambda: work.is_abandoned)
        finally:
            self._jobs.leave(claim)
        for key, job in claim.jobs.items():
            if isinstance(job.outcome, BadJob):
                raise UnusablePicture(keys.index(key), str(job.outcome))
            if isinstance(job.outcome, Exception):
                raise job.outcome
            assert job.outcome is not None
            found[key] = job.outcome
        return [found[key] for key in keys]

    def close(self) -> None:
        """End the process, also while it encodes. May be called again."""
        self._jobs.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _content(self, data: bytes) -> bytes:
        """What a picture's rows depend on."""
        return hashlib.sha256(self._identity + hashlib.sha256(data).digest()).digest()

    def _notify(self) -> None:
        try:
            os.eventfd_write(self._wake, 1)
        except OSError:  # closed, or at its limit, which wakes as well
            return

    # What follows runs in the encoder's thread.

    def _run(self) -> None:
        back_off_s = _BACK_OFF_S
        try:
            while not self._jobs.is_closed:
                failure = self._start_process()
                if failure is None:
                    back_off_s = _BACK_OFF_S
                    self._is_settled.set()
                    self._serve()
                    continue
                if self._facts is None or self._jobs.is_closed:
                    self._failure = failure
                    return
                logger.error("the process that encodes pictures does not start", extra={"reason": str(failure)})
                self._state = WorkerState.FAILED
                self._jobs.fail_all(ImageWorkerLost(f"the process that encodes pictures does not start: {failure}"))
                self._jobs.wait_until_closed(back_off_s)
                back_off_s = min(2 * back_off_s, _MAX_BACK_OFF_S)
        finally:
            if self._facts is None and self._failure is None:
                self._failure = Draining()
            self._state = WorkerState.FAILED
            self._jobs.close()
            self._is_settled.set()

    def _start_process(self) -> Exception | None:
        """Start a process; why that failed, None if it did not."""
        self._state = WorkerState.STARTING
        try:
            identity = _identity(self._setup)
            process = WorkerProcess(self._setup, self._wake)
        except OSError as error:
            return ProjectorFailed(f"projector file {self._setup.mmproj} cannot be used: {error}")
        self._process = process
        watch = StallWatch(process, max(START_STALL_S, self._stall_s))

        def attend() -> float | None:
            if self._jobs.is_closed or watch.is_stalled():
                process.kill()
            return _LOOK_S

        try:
            message = process.greet(attend)
        except ProcessEnded:
            status, words = self._end_process(process)
            if self._jobs.is_closed:
                return Draining()
            return ProjectorFailed(
                f"projector file {self._setup.mmproj} is damaged, or not what this version of llama.cpp expects: it "
                f"ends the process that loads it ({describe_end(status)}){f': {words}' if words else ''}"
            )
        if "failed" in message:
            self._end_process(process)
            return ProjectorFailed(message["failed"])
        facts = facts_of(message)
        if self._facts not in (None, facts):
            self._end_process(process)
            return ProjectorFailed(f"projector file {self._setup.mmproj} was replaced by another one; restart the core")
        self._facts, self._identity = facts, identity
        return None

    def _serve(self) -> None:
        """Do jobs until the process has ended."""
        process = self._process
        assert process is not None
        while True:
            self._state = WorkerState.IDLE
            job = self._jobs.take()
            try:
                if job is None:
                    process.wait_until_ended(self._attend_idle)
                else:
                    self._state = WorkerState.BUSY
                    self._do(process, job)
            except _SomethingToDo:
                continue
            except ProcessEnded:
                status, words = self._end_process(process)
                if not self._jobs.is_closed:
                    self._lose(job, status, words)
                return

    def _attend_idle(self) -> float | None:
        if self._jobs.is_closed:
            raise ProcessEnded
        if self._jobs.counts().n_waiting:
            raise _SomethingToDo
        return None

    def _do(self, process: WorkerProcess, job: Job) -> None:
        """Let the process do a job.

        Raises:
            ProcessEnded: it has ended.
        """
        started_s = time.monotonic()
        is_computing = self._is_computing if self._setup.gives_way else None
        attention = _Attention(process, job, self._jobs, self._stall_s, is_computing)
        process.send({"job": job.number, "n_bytes": len(job.data)}, job.data, attention)
        message = process.message(attention)
        if "chunks" in message:
            chunks: list[tuple[int, ...] | MediaChunk] = []
            for number, description in enumerate(message["chunks"]):
                if isinstance(description, list):
                    chunks.append(tuple(description))
                else:
                    chunks.append(self._receive(process, job, number, description, attention))
            self._jobs.finish(job, tuple(chunks), time.monotonic() - started_s)
        elif "stopped" not in message:
            is_offence = "costly" in message
            problem = message["costly"] if is_offence else message["bad"]
            self._jobs.fail(job, BadJob(problem), is_offence=is_offence)

    def _receive(
        self, process: WorkerProcess, job: Job, number: int, description: dict[str, Any], attention: _Attention
    ) -> MediaChunk:
        chunk = empty_chunk(description)
        for part in chunk.raw:
            process.fill(part, attention)
        chunk.rows.flags.writeable = False
        # Chunks of one picture differ by their numbers alone.
        key = hashlib.sha256(job.key.content + number.to_bytes(4, "little")).digest()
        return MediaChunk(key, chunk.rows, chunk.grid, chunk.n_positions, chunk.is_causal)

    def _lose(self, job: Job | None, status: int, words: str) -> None:
        """The process has ended, over a job or without one."""
        self._jobs.count_restart()
        how = f"the process that encodes pictures has ended ({describe_end(status)})"
        if job is None or not job.claims:
            logger.warning("%s; starting another one", how, extra={"last_words": words})
            return
        logger.error("%s over a picture of %d bytes", how, len(job.data), extra={"last_words": words})
        if status == -SIGPROF:
            problem = f"takes more than {self._setup.cpu_s:g} s of processor time"
            self._jobs.fail(job, BadJob(problem), is_offence=True)
        elif status in _OWN_DEATHS or status >= 0:
            problem = f"cannot be encoded: it ends the process that encodes pictures ({describe_end(status)})"
            self._jobs.fail(job, BadJob(problem), is_offence=True)
        elif job.n_losses:
            self._jobs.fail(job, ImageWorkerLost(f"{how}, twice"))
        else:
            job.n_losses += 1
            self._jobs.put_back(job)

    def _end_process(self, process: WorkerProcess) -> tuple[int, str]:
        """How it has ended, and what it has said about that."""
        self._process = None
        status = process.end()
        words = process.last_words()
        # Who is killed says nothing any more; what was said before is about something else.
        return status, words if status == -SIGABRT or status > 0 else ""


class _SomethingToDo(Exception):
    """A job waits."""


class _Attention:
    """Looks after a process that does a job: ends the job when nobody wants it, and the process if that does not do.

    It also tells the process whether the model computes, if there is somebody to ask.
    """

    def __init__(
        self, process: WorkerProcess, job: Job, jobs: Jobs, stall_s: float, is_computing: Callable[[], bool] | None
    ) -> None:
        self._process = process
        self._job = job
        self._jobs = jobs
        self._watch = StallWatch(process, stall_s)
        self._is_computing = is_computing
        self._was_computing: bool | None = None
        self._kill_s: float | None = None

    def __call__(self) -> float | None:
        if self._jobs.is_closed or self._watch.is_stalled():
            self._process.kill()
        if self._job.claims and not self._jobs.is_closed:
            return _LOOK_S if self._is_computing is None else self._look_at_model(self._is_computing())
        if self._kill_s is None:
            self._kill_s = time.monotonic() + STOP_GRACE_S
            self._process.control(Control(self._job.number, bool(self._was_computing)))
        left_s = self._kill_s - time.monotonic()
        if left_s <= 0:
            self._process.kill()
        return max(0.0, left_s)

    def _look_at_model(self, is_computing: bool) -> float:
        if is_computing is not self._was_computing:
            self._was_computing = is_computing
            self._process.control(Control(0, is_computing))
        return _MODEL_LOOK_S


def _make_setup(options: MediaOptions, model: ModelConfig, n_whole: int, picture_bytes: int) -> Setup:
    assert options.mmproj is not None, "there is a projector"
    least, most = options.image_min_tokens, options.image_max_tokens
    if least is not None and most is not None and least > most:
        raise InvalidArgument("image_min_tokens", f"{least} is above `image_max_tokens` {most}")
    try:
        weights = Path(options.mmproj).stat().st_size
    except OSError:  # the process will say so
        weights = 0
    return Setup(
        mmproj=options.mmproj,
        model=model.path,
        kv_overrides=tuple((override.key, override.value) for override in model.kv_overrides),
        use_gpu=options.mmproj_offload,
        min_tokens=options.image_min_tokens,
        max_tokens=options.image_max_tokens,
        n_whole=n_whole,
        n_threads=options.media_threads or model.n_threads_batch or model.n_threads,
        gives_way=options.media_threads is None,
        nice=options.media_nice,
        max_pixels=options.max_image_pixels,
        cpu_s=options.image_cpu_s,
        memory_bytes=picture_bytes + _COMPUTE_PER_WEIGHT * weights,
        core_pid=os.getpid(),
    )


def _identity(setup: Setup) -> bytes:
    """What tells this projector, with these options, from others: its size, its beginning and its end.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(setup.mmproj).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(f"{size} {setup.min_tokens} {setup.max_tokens} ".encode())
        digest.update(file.read(_IDENTITY_BYTES))
        file.seek(max(0, size - _IDENTITY_BYTES))
        digest.update(file.read())
    return digest.digest()
