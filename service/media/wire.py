"""What the core and the process that encodes say to each other, over pipes.

A message is a line of JSON, then as many raw bytes as it announces. The core sends ``Setup`` first and gets ``facts``
or ``failed``. Then each picture is a line ``{"job", "n_bytes"}`` and the file, answered by one of

    {"job", "chunks": [...]}    then the rows and the grid of each chunk of media, in the machine's order of bytes
    {"job", "bad": TEXT}        the picture cannot be used; a predicate of it
    {"job", "costly": TEXT}     the same, because it takes too much
    {"job", "stopped": true}    the core has asked for that

On a pipe of its own the core sends ``Control``: that a job shall end, and what the model does.
"""

from __future__ import annotations

import dataclasses
import json
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from service.media.encoder import ProjectorFacts

if TYPE_CHECKING:
    from service.engine.language_model import Rows
    from service.engine.request.media import Grid

#: Written and read whole: a pipe parts nothing that is so short.
_CONTROL = struct.Struct("=Q?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the process is to load, and its bounds.

    Attributes:
        mmproj: the projector's file.
        model: the text model's file.
        kv_overrides: changes of the text model's metadata: keys and values.
        use_gpu: whether the projector may use a GPU.
        min_tokens, max_tokens: tokens of a picture, None for those of the file.
        n_whole: most rows of media that the text model evaluates in one call.
        n_threads: threads that encode; None for as many as there are cores.
        gives_way: whether only one of them does while the model computes.
        nice: how much it yields to others.
        max_pixels: most pixels of a picture.
        cpu_s: seconds of processor time for one picture.
        memory_bytes: address space that a picture may take beside what the process has when it is ready.
        core_pid: the core, with which the process ends.
    """

    mmproj: str
    model: str
    kv_overrides: tuple[tuple[str, int | float | bool], ...] = ()
    use_gpu: bool
    min_tokens: int | None
    max_tokens: int | None
    n_whole: int
    n_threads: int | None
    gives_way: bool
    nice: int
    max_pixels: int
    cpu_s: float
    memory_bytes: int
    core_pid: int

    def to_line(self) -> bytes:
        """As the first message."""
        return line(dataclasses.asdict(self))

    @staticmethod
    def from_message(message: dict[str, Any]) -> Setup:
        """From the first message."""
        overrides = tuple((key, value) for key, value in message.pop("kv_overrides"))
        return Setup(**message, kv_overrides=overrides)


@dataclass(frozen=True, slots=True)
class Control:
    """What the core says while the process encodes.

    Attributes:
        ended_job: number of a job that shall end; 0 for none.
        is_computing: whether the model computes.
    """

    ended_job: int
    is_computing: bool

    def to_bytes(self) -> bytes:
        """For the pipe."""
        return _CONTROL.pack(self.ended_job, self.is_computing)

    @staticmethod
    def read(descriptor: int) -> Control | None:
        """The next one of the pipe; None behind the last."""
        data = os.read(descriptor, _CONTROL.size)
        return Control(*_CONTROL.unpack(data)) if data else None


@dataclass(frozen=True, slots=True, eq=False)
class RawChunk:
    """A chunk of media as it was encoded; see ``MediaChunk``."""

    rows: Rows
    grid: Grid | None
    n_positions: int
    is_causal: bool

    def describe(self) -> dict[str, Any]:
        """For the line that announces it."""
        return {
            "rows": self.rows.shape,
            "has_grid": self.grid is not None,
            "n_positions": self.n_positions,
            "is_causal": self.is_causal,
        }

    @property
    def raw(self) -> list[memoryview]:
        """The bytes that follow that line."""
        arrays = [self.rows] if self.grid is None else [self.rows, self.grid]
        return [np.ascontiguousarray(array).data.cast("B") for array in arrays]


def empty_chunk(description: dict[str, Any]) -> RawChunk:
    """A chunk as it was announced, whose rows and grid are to be filled through ``raw``."""
    n_rows, n_embd = description["rows"]
    return RawChunk(
        rows=np.empty((n_rows, n_embd), np.float32),
        grid=np.empty((n_rows, 3), np.int32) if description["has_grid"] else None,
        n_positions=description["n_positions"],
        is_causal=description["is_causal"],
    )


def facts_message(facts: ProjectorFacts) -> dict[str, Any]:
    """The message of a process that is ready."""
    return {"facts": dataclasses.asdict(facts)}


def facts_of(message: dict[str, Any]) -> ProjectorFacts:
    """The facts that it tells."""
    return ProjectorFacts(**message["facts"])


def line(message: dict[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message).encode() + b"\n"


def send(stream: BinaryIO, message: dict[str, Any], *raw: memoryview) -> None:
    """Write a message, and the bytes that follow it."""
    stream.write(line(message))
    for part in raw:
        stream.write(part)
    stream.flush()
