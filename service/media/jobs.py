"""The pictures that wait to be encoded: one job for each different picture, however many requests want it."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from service.errors import Draining, QueueFull
from service.media.encoder import MediaCounts, UnusablePicture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.media.cache import EmbeddingCache
    from service.media.encoder import EncodedPicture

#: A picture that has ended so many processes, or taken too much so often, is not tried again.
MAX_OFFENCES = 2
_MAX_OFFENDERS = 4096
#: Guessed for how long a picture takes while none has been encoded.
_FIRST_GUESS_S = 1.0


class PictureKey(NamedTuple):
    """What tells a picture, as one caller may know it, from others.

    Attributes:
        content: digest of the file, and of what else its rows depend on.
        salt: it is shared only between callers of equal salt.
    """

    content: bytes
    salt: str = ""


class BadJob(Exception):
    """A picture cannot be used; the text is a predicate of it."""


class Job:
    """A picture to encode.

    Attributes:
        number: its own.
        key: of the picture.
        data: the file.
        n_losses: processes that were lost over it, for reasons of their own.
        outcome: what it was encoded to, or why it was not; None until it is known.
    """

    __slots__ = ("claims", "data", "key", "n_losses", "number", "outcome")

    def __init__(self, number: int, key: PictureKey, data: bytes) -> None:
        self.number = number
        self.key = key
        self.data = data
        self.n_losses = 0
        self.outcome: EncodedPicture | Exception | None = None
        #: Who waits for it; nobody wants it if it is empty.
        self.claims: set[Claim] = set()


class Claim:
    """What one caller waits for."""

    def __init__(self) -> None:
        #: In the order of the caller's pictures.
        self.jobs: dict[PictureKey, Job] = {}
        self._news = threading.Event()

    def wake(self) -> None:
        """Let ``wait`` look again, or for the last time; any thread."""
        self._news.set()

    def wait(self, is_abandoned: Callable[[], bool]) -> None:
        """Wait until all jobs are done, or one has failed, or nobody waits any more."""
        while not is_abandoned():
            outcomes = [job.outcome for job in self.jobs.values()]
            if all(outcome is not None for outcome in outcomes) or any(isinstance(one, Exception) for one in outcomes):
                return
            self._news.wait()
            self._news.clear()


class Jobs:
    """Jobs that wait or run, the pictures that are kept, and what was counted; for all threads.

    Args:
        cache: the pictures that are kept.
        max_waiting: pictures that may wait.
        wake: called when there is something new for the thread that does the jobs.
    """

    def __init__(self, cache: EmbeddingCache, max_waiting: int, wake: Callable[[], None]) -> None:
        self._cache = cache
        self._max_waiting = max_waiting
        self._wake = wake
        self._lock = threading.Lock()
        self._by_key: dict[PictureKey, Job] = {}
        self._waiting: deque[Job] = deque()
        self._offences: OrderedDict[bytes, int] = OrderedDict()
        self._n_jobs = 0
        self._closed = threading.Event()
        self._n_hits = self._n_encoded = self._n_failed = self._n_restarts = 0
        self._encode_s = 0.0

    def counts(self) -> MediaCounts:
        """What was done since start."""
        with self._lock:
            return MediaCounts(
                n_hits=self._n_hits,
                n_encoded=self._n_encoded,
                encode_s=self._encode_s,
                n_failed=self._n_failed,
                n_restarts=self._n_restarts,
                n_waiting=len(self._waiting),
                kept_bytes=self._cache.n_bytes,
            )

    def claim(
        self, keys: Sequence[PictureKey], files: Mapping[PictureKey, bytes]
    ) -> tuple[Claim, dict[PictureKey, EncodedPicture]]:
        """Ask for pictures; ``leave`` must follow.

        A request is always taken while none waits, however many pictures it has.

        Args:
            keys: of the pictures, in order; some may be equal.
            files: their files by their keys.

        Returns:
            What is still to be waited for, and what is there.

        Raises:
            UnusablePicture: one of them has ended too many processes, or taken too much too often.
            QueueFull: too many pictures wait.
            Draining: this was closed.
        """
        with self._lock:
            if self.is_closed:
                raise Draining
            for index, key in enumerate(keys):
                if self._offences.get(key.content, 0) >= MAX_OFFENCES:
                    self._n_failed += 1
                    raise UnusablePicture(
                        index,
                        f"has ended the process that encodes pictures, or taken too much, {MAX_OFFENCES} times; "
                        "it is not tried again",
                    )
            found = {key: picture for key in files if (picture := self._cache.get(key)) is not None}
            new = [key for key in files if key not in found and key not in self._by_key]
            if new and self._waiting and len(self._waiting) + len(new) > self._max_waiting:
                raise QueueFull(self._max_waiting, self._seconds_to_wait(), what="pictures")
            self._n_hits += len(keys) - len(new)
            claim = Claim()
            for key in files:
                if key not in found:
                    job = self._by_key.get(key) or self._new_job(key, files[key])
                    job.claims.add(claim)
                    claim.jobs[key] = job
        if new:
            self._wake()
        return claim, found

    def leave(self, claim: Claim) -> None:
        """Want no more of what was claimed: jobs that nobody else wants are given up."""
        with self._lock:
            for job in claim.jobs.values():
                job.claims.discard(claim)
                if not job.claims and job.outcome is None:
                    self._forget(job)
        self._wake()

    def take(self) -> Job | None:
        """The next job, None if none waits."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def put_back(self, job: Job) -> None:
        """Let a job be the next one, after its process was lost."""
        with self._lock:
            if job.claims:
                self._waiting.appendleft(job)

    def finish(self, job: Job, picture: EncodedPicture, encode_s: float) -> None:
        """A picture was encoded, in so many seconds."""
        with self._lock:
            self._n_encoded += 1
            self._encode_s += encode_s
            self._offences.pop(job.key.content, None)
            self._cache.put(job.key, picture)
            self._settle(job, picture)

    def fail(self, job: Job, error: Exception, *, is_offence: bool = False) -> None:
        """A picture cannot be encoded.

        Args:
            job: its job.
            error: why.
            is_offence: whether it has ended a process, or taken too much.
        """
        with self._lock:
            self._n_failed += 1
            if is_offence:
                self._offences[job.key.content] = self._offences.get(job.key.content, 0) + 1
                self._offences.move_to_end(job.key.content)
                if len(self._offences) > _MAX_OFFENDERS:
                    self._offences.popitem(last=False)
            self._settle(job, error)

    def fail_all(self, error: Exception) -> None:
        """All that waits fails."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            self._n_failed += len(waiting)
            for job in waiting:
                self._settle(job, error)

    def count_restart(self) -> None:
        """A process was lost and is replaced."""
        with self._lock:
            self._n_restarts += 1

    def close(self) -> None:
        """Take no more; all that waits or runs fails. May be called again."""
        with self._lock:
            self._closed.set()
            self._waiting.clear()
            for job in list(self._by_key.values()):
                self._settle(job, Draining())
            self._cache.clear()
        self._wake()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    def wait_until_closed(self, timeout_s: float) -> None:
        """Wait until it is closed, but no longer than so many seconds."""
        self._closed.wait(timeout_s)

    def _new_job(self, key: PictureKey, data: bytes) -> Job:
        self._n_jobs += 1
        job = Job(self._n_jobs, key, data)
        self._by_key[key] = job
        self._waiting.append(job)
        return job

    def _settle(self, job: Job, outcome: EncodedPicture | Exception) -> None:
        if job.outcome is None:
            job.outcome = outcome
        self._forget(job)
        for claim in job.claims:
            claim.wake()

    def _forget(self, job: Job) -> None:
        """Whoever asks for its picture from now on gets another job."""
        if self._by_key.get(job.key) is job:
            del self._by_key[job.key]
        if job in self._waiting:
            self._waiting.remove(job)

    def _seconds_to_wait(self) -> float:
        each_s = self._encode_s / self._n_encoded if self._n_encoded else _FIRST_GUESS_S
        return max(1.0, each_s * len(self._waiting))
