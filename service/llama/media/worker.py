"""The program that encodes pictures: ``service.media.process`` starts it, ``service.media.wire`` is what it speaks.

Its limits are the kernel's: address space, and processor time for each picture. It ends with the core.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from service.config import KvOverride, ModelConfig
from service.errors import ServiceError
from service.llama.context.weights import Weights
from service.llama.files.open_files import read_gguf
from service.llama.host.library import load_library
from service.llama.host.openmp import TeamSwitch
from service.llama.host.threads import physical_cores
from service.llama.host.time_slices import set_time_slice
from service.llama.load_errors import ModelLoadError
from service.llama.media.projector import ChunkShape, EncodeFailed, EncodeStopped, Projector
from service.media.encoder import ProjectorFacts
from service.media.pictures import BadPicture, Bitmap, decode
from service.media.wire import Control, RawChunk, Setup, facts_message, send

if TYPE_CHECKING:
    from service.llama.files.gguf import GgufHeader

#: Kinds whose rows depend on where in the prompt a picture stands, or on how many stand before it.
_BOUND_TO_PLACE = ("deepseek4v", "hunyuanvl")
#: Sizes of pictures by which the program finds out what the projector makes of pictures: each of these shapes with each
#: length of its longer side, as far as the limit on pixels allows. Longer ones may become more rows: nobody sends them.
_SHAPES = ((1, 1), (2, 1), (3, 1), (4, 1), (3, 2), (16, 1))
_SIDES = (1, 64, 256, 512, 1024, 2048, 4096, 16384)
_GREY = 128
#: Of a convolution over pictures: x, y, channels in, channels out.
_KERNEL_DIMENSIONS = 4
#: By which the kernel's limit on processor time is above the one that the program keeps itself.
_KERNEL_CPU_FACTOR, _KERNEL_CPU_S = 1.1, 0.5
_PR_SET_PDEATHSIG = 1
_STDERR = 2


@dataclass(frozen=True, slots=True)
class _Size:
    """What pictures of one size become.

    Attributes:
        is_square: whether they are as high as wide.
        n_tokens: tokens around the media.
        media: the chunks of media.
    """

    is_square: bool
    n_tokens: int
    media: list[ChunkShape]

    @property
    def n_rows(self) -> int:
        """Rows of all chunks."""
        return sum(shape.n_rows for shape in self.media)


class Encoder:
    """Answers jobs with a loaded projector.

    Args:
        setup: what to load, and its bounds.
        controls: where ``Control`` arrives.

    Raises:
        ModelLoadError: the projector cannot be used; the message says why.
    """

    def __init__(self, setup: Setup, controls: int) -> None:
        self._controls = controls
        self._poll = select.poll()
        self._poll.register(controls, select.POLLIN)
        self._job = 0
        self._cpu_end_s = math.inf
        header = read_gguf(Path(setup.mmproj), f"projector file {setup.mmproj}", "mmproj")
        kind = _projector_type(header, setup.mmproj)
        overrides = tuple(KvOverride(key, value) for key, value in setup.kv_overrides)
        library = load_library()
        self._team = TeamSwitch(library)
        self._setup = setup = replace(setup, n_threads=self._n_threads(setup))
        self._weights = Weights(
            library,
            ModelConfig(setup.model, n_gpu_layers=0, kv_overrides=overrides),
            lambda _: True,
            use_extra_buffers=False,  # would copy the weights, of which none are used
        )
        self._projector = Projector(self._weights, setup, self._may_go_on)
        self.facts = self._find_facts(kind)
        self._try_out()

    def answer(self, job: int, data: bytes) -> tuple[dict[str, Any], list[memoryview]]:
        """The reply to one job: a message, and the bytes that follow it."""
        self._job = job
        self._cpu_end_s = time.process_time() + self._setup.cpu_s
        try:
            bitmap = decode(data, self._setup.max_pixels)
            chunks = self._projector.encode(bitmap)
            self._check_whole([chunk for chunk in chunks if isinstance(chunk, RawChunk)])
        except (BadPicture, EncodeFailed) as error:
            return {"job": job, "bad": str(error)}, []
        except MemoryError:
            limit = self._setup.memory_bytes >> 20
            return {"job": job, "costly": f"takes more than the {limit} MiB of memory that a picture may take"}, []
        except EncodeStopped:
            if time.process_time() >= self._cpu_end_s:
                return {"job": job, "costly": f"takes more than {self._setup.cpu_s:g} s of processor time"}, []
            return {"job": job, "stopped": True}, []
        described = [chunk.describe() if isinstance(chunk, RawChunk) else chunk for chunk in chunks]
        raw = [part for chunk in chunks if isinstance(chunk, RawChunk) for part in chunk.raw]
        return {"job": job, "chunks": described}, raw

    def _n_threads(self, setup: Setup) -> int:
        if setup.gives_way and not self._team.works:
            return 1
        return setup.n_threads or physical_cores()

    def _may_go_on(self) -> bool:
        while self._poll.poll(0):
            control = Control.read(self._controls)
            if control is None or control.ended_job == self._job:
                return False
            self._team.compute_alone(control.is_computing and self._setup.gives_way)
        return time.process_time() < self._cpu_end_s

    def _check_whole(self, chunks: list[RawChunk]) -> None:
        largest = max((len(chunk.rows) for chunk in chunks if not chunk.is_causal), default=0)
        if largest > self._setup.n_whole:
            raise EncodeFailed(
                f"becomes {largest} rows that are evaluated in one call, but that takes {self._setup.n_whole} at most"
            )

    def _find_facts(self, kind: str) -> ProjectorFacts:
        """What pictures of many sizes become, without encoding any."""
        sizes = self._measure(kind)
        if not sizes:
            raise ModelLoadError(f"projector file {self._setup.mmproj} ({kind}) takes pictures of no size")
        media = [shape for size in sizes for shape in size.media]
        self._check_limits(kind, [size.n_rows for size in sizes if size.is_square])
        return ProjectorFacts(
            projector_type=kind,
            min_tokens=min(size.n_tokens + size.n_rows for size in sizes),
            max_tokens=max(size.n_tokens + size.n_rows for size in sizes),
            n_embd=self._projector.n_embd,
            has_grid=self._projector.has_grid,
            max_whole=max((shape.n_rows for shape in media if not shape.is_causal), default=0),
        )

    def _measure(self, kind: str) -> list[_Size]:
        sizes = []
        for width, height in _sizes(self._setup.max_pixels):
            try:
                chunks = self._projector.shape(width, height)
            except EncodeFailed:  # whoever sends such a picture is told
                continue
            tokens = [token for chunk in chunks if not isinstance(chunk, ChunkShape) for token in chunk]
            if min(tokens, default=0) < 0:
                raise ModelLoadError(
                    f"projector file {self._setup.mmproj} ({kind}) puts tokens around pictures that the vocabulary of "
                    f"{self._setup.model} lacks; the two do not belong together"
                )
            media = [chunk for chunk in chunks if isinstance(chunk, ChunkShape)]
            sizes.append(_Size(width == height, len(tokens), media))
        return sizes

    def _check_limits(self, kind: str, n_rows: list[int]) -> None:
        """Refuse limits on the tokens of a picture that the projector does not keep; it rounds sides to whole rows."""
        least, most = self._setup.min_tokens, self._setup.max_tokens
        smallest, largest = min(n_rows), max(n_rows)
        rounds = smallest != largest
        if least is not None and smallest < (math.isqrt(least) ** 2 if rounds else least):
            field, limit, found = "image_min_tokens", least, smallest
        elif most is not None and largest > ((math.isqrt(most) + 1) ** 2 if rounds else most):
            field, limit, found = "image_max_tokens", most, largest
        else:
            return
        raise ModelLoadError(
            f"projector file {self._setup.mmproj} ({kind}) does not keep `{field}` {limit}: it makes {found} tokens of "
            "some pictures whatever is asked for; leave the limit out"
        )

    def _try_out(self) -> None:
        """Encode a grey picture: what is wrong inside of the file shows only then."""
        if self.facts.max_whole > self._setup.n_whole:
            raise ModelLoadError(
                f"projector file {self._setup.mmproj} makes up to {self.facts.max_whole} rows of a picture that must "
                f"be evaluated in one call, but that takes {self._setup.n_whole}; set `n_batch` to "
                f"{self.facts.max_whole} at least"
            )
        side = 64
        try:
            self._projector.encode(Bitmap(side, side, bytes([_GREY]) * (3 * side * side)))
        except EncodeFailed as error:
            raise ModelLoadError(f"projector file {self._setup.mmproj} is damaged: a grey picture {error}") from error


def main() -> None:
    """Answer until stdin ends. The first argument is the file descriptor of the controls."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the core, which ends this process
    requests, replies = sys.stdin.buffer, _private_stdout()
    setup = Setup.from_message(json.loads(requests.readline()))
    _be_modest(setup)
    try:
        encoder = Encoder(setup, int(sys.argv[1]))
    except ServiceError as error:
        send(replies, {"failed": error.message})
        return
    send(replies, facts_message(encoder.facts))
    _limit_memory(setup.memory_bytes)
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["n_bytes"])
        # SIGPROF's default action ends the process, also inside of a decoder. It comes a little late, so that an encode
        # can end by itself.
        signal.setitimer(signal.ITIMER_PROF, _KERNEL_CPU_FACTOR * setup.cpu_s + _KERNEL_CPU_S)
        message, raw = encoder.answer(request["job"], data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        send(replies, message, *raw)


def _private_stdout() -> BinaryIO:
    """Stdout for the replies alone: whatever else is printed goes to stderr."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(_STDERR, sys.stdout.fileno())
    return replies


def _be_modest(setup: Setup) -> None:
    """Yield to the core, which computes for many, and end with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != setup.core_pid:
        sys.exit("the core has ended")
    os.nice(setup.nice)
    # The thread that has started this process may be bound to one CPU, and have a slice of its own.
    os.sched_setaffinity(0, os.sched_getaffinity(setup.core_pid))
    set_time_slice(None)


def _limit_memory(n_bytes: int) -> None:
    """Allow so much beside what is in use now."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = in_use + n_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _projector_type(header: GgufHeader, path: str) -> str:
    """The kind of projector, as its file names it.

    Raises:
        ModelLoadError: it is no projector, or one that cannot be used here.
    """
    metadata = header.metadata
    kind = metadata.get("clip.vision.projector_type", metadata.get("clip.projector_type"))
    if not isinstance(kind, str):
        raise ModelLoadError(
            f"projector file {path} is no projector: it has no clip.projector_type; `mmproj` must name the file that "
            "belongs to the model, often called mmproj-*.gguf"
        )
    if kind in _BOUND_TO_PLACE:
        raise ModelLoadError(
            f"projector file {path} is of type {kind}, which is not supported: what it makes of a picture depends on "
            "the picture's place in the prompt"
        )
    _check_kernel(header, path)
    return kind


def _check_kernel(header: GgufHeader, path: str) -> None:
    """Refuse patches of another size than the kernel that reads them: the library would compute with what lies behind.

    Raises:
        ModelLoadError: they are.
    """
    size = header.metadata.get("clip.vision.patch_size")
    kernel = next((tensor.shape for tensor in header.tensors if tensor.name == "v.patch_embd.weight"), ())
    if isinstance(size, int) and len(kernel) == _KERNEL_DIMENSIONS and kernel[:2] != (size, size):
        raise ModelLoadError(
            f"projector file {path} is damaged: its patches have {size} x {size} pixels, but v.patch_embd.weight is "
            f"made for {kernel[0]} x {kernel[1]}"
        )


def _sizes(max_pixels: int) -> list[tuple[int, int]]:
    """Widths and heights of pictures of all shapes, lying and standing, the largest that are allowed included."""
    sizes = set()
    for long, short in _SHAPES:
        for side in (*_SIDES, math.isqrt(max_pixels * long // short)):
            other = max(1, side * short // long)
            if side * other <= max_pixels:
                sizes |= {(side, other), (other, side)}
    return sorted(sizes)


if __name__ == "__main__":
    main()
