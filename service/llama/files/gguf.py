"""Reads the header of a GGUF file without trusting it: metadata, tensor list, and where the tensors' data ends.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. No length or count in the file is believed beyond
what the file can hold, so a damaged header costs neither memory nor time.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from slotline.protocol.excerpt import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Scalar = int | float | bool | str

MAGIC = b"GGUF"
VERSIONS = (2, 3)

#: Id of a metadata value's type.
FLOAT32 = 6

#: Storage of each tensor type by its id in ``ggml``: name, elements of a block, bytes of a block.
TENSOR_TYPES: Mapping[int, tuple[str, int, int]] = {
    0: ("f32", 1, 4),
    1: ("f16", 1, 2),
    2: ("q4_0", 32, 18),
    3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24),
    8: ("q8_0", 32, 34),
    9: ("q8_1", 32, 36),
    10: ("q2_K", 256, 84),
    11: ("q3_K", 256, 110),
    12: ("q4_K", 256, 144),
    13: ("q5_K", 256, 176),
    14: ("q6_K", 256, 210),
    15: ("q8_K", 256, 292),
    16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74),
    18: ("iq3_xxs", 256, 98),
    19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18),
    21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136),
    24: ("i8", 1, 1),
    25: ("i16", 1, 2),
    26: ("i32", 1, 4),
    27: ("i64", 1, 8),
    28: ("f64", 1, 8),
    29: ("iq1_m", 256, 56),
    30: ("bf16", 1, 2),
    34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66),
    39: ("mxfp4", 32, 17),
    40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18),
    42: ("q2_0", 64, 18),
}

#: Scalar types of metadata values: struct format by type id.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# Limits far above any real model; they bound the work on a header of nonsense.
_MAX_ENTRIES = 65_536
_MAX_TENSORS = 1_048_576
_MAX_STRINGS = 16_777_216
_MAX_NAME_BYTES = 65_535
_MAX_DIMENSIONS = 4
_MAX_SHOWN = 64
#: The default of the format, and what the library's buffers need.
_MIN_ALIGNMENT = 32
_MAX_HEADER_BYTES = 1 << 29
_MAX_KEPT_NUMBERS = 65_536

#: The only array of strings whose elements are kept: the library aborts if two of them are equal.
_TOKENS = "tokenizer.ggml.tokens"


class GgufError(Exception):
    """The file is not a readable GGUF file. The message is a predicate of the file: "is empty", "is truncated: ..."."""


@dataclass(frozen=True, slots=True)
class GgufArray:
    """An array in the metadata.

    Attributes:
        is_text: whether the elements are strings.
        length: number of elements.
        values: the elements, if they are numbers and not too many.
        texts: the elements, if this is the vocabulary.
    """

    is_text: bool
    length: int
    values: tuple[int | float | bool, ...] = ()
    texts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """A tensor as the header describes it.

    Attributes:
        name: its name.
        type_name: its type, one of the names in ``TENSOR_TYPES``.
        shape: elements in each dimension, the innermost one first.
        offset: of its data in the data section.
        n_bytes: of its data.
    """

    name: str
    type_name: str
    shape: tuple[int, ...]
    offset: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says about itself.

    Attributes:
        version: of the format.
        metadata: values by key.
        value_types: ids of the values' types by key.
        tensors: tensors in this file, in the order of the file.
        tensor_bytes: bytes of all tensors.
        data_end: offset in the file behind the last byte of tensor data.
        file_bytes: size of the file.
    """

    version: int
    metadata: Mapping[str, Scalar | GgufArray]
    value_types: Mapping[str, int]
    tensors: tuple[GgufTensor, ...]
    tensor_bytes: int
    data_end: int
    file_bytes: int

    @property
    def n_tensors(self) -> int:
        """Tensors in this file."""
        return len(self.tensors)


def read_header(path: Path) -> GgufHeader:
    """Read a file's header.

    Raises:
        OSError: the file cannot be read.
        GgufError: the file is not a GGUF file, or its header is damaged or incomplete.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < len(MAGIC):
            raise GgufError("is empty" if size == 0 else f"is not a GGUF file: it has {size} bytes")
        source = _Source(file, size)
        version = _read_version(source)
        n_tensors = source.count("tensors", _MAX_TENSORS)
        n_entries = source.count("metadata entries", _MAX_ENTRIES)
        entries = [_read_entry(source) for _ in range(n_entries)]
        metadata = {key: value for key, _, value in entries}
        alignment = metadata.get("general.alignment", _MIN_ALIGNMENT)
        if not isinstance(alignment, int) or alignment < _MIN_ALIGNMENT or alignment & (alignment - 1):
            raise GgufError(
                f"is damaged: general.alignment is {alignment!r}, allowed: powers of 2 from {_MIN_ALIGNMENT} on"
            )
        tensors = tuple(_read_tensor(source) for _ in range(n_tensors))
        data_start = -(-source.offset // alignment) * alignment
        return GgufHeader(
            version=version,
            metadata=metadata,
            value_types={key: kind for key, kind, _ in entries},
            tensors=tensors,
            tensor_bytes=sum(tensor.n_bytes for tensor in tensors),
            data_end=max((data_start + tensor.offset + tensor.n_bytes for tensor in tensors), default=source.offset),
            file_bytes=size,
        )


class _Source:
    """A file read from front to back, never beyond its end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._end = min(size, _MAX_HEADER_BYTES)
        self.offset = 0

    def take(self, n_bytes: int) -> bytes:
        """The next bytes."""
        self._claim(n_bytes)
        return self._file.read(n_bytes)

    def skip(self, n_bytes: int) -> None:
        """Step over the next bytes."""
        self._claim(n_bytes)
        self._file.seek(n_bytes, os.SEEK_CUR)

    def u32(self) -> int:
        """The next 32-bit number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """The next 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def count(self, what: str, limit: int) -> int:
        """The next 64-bit number, which counts something in the header."""
        value = self.u64()
        if value > limit:
            raise GgufError(f"is damaged: it claims {value} {what}, at most {limit} are believed")
        return value

    def name(self) -> str:
        """The next string, which names something."""
        length = self.u64()
        if not 0 < length <= _MAX_NAME_BYTES:
            raise GgufError(f"is damaged: a name at byte {self.offset} is {length} bytes long")
        return self.take(length).decode("utf-8", "backslashreplace")

    def _claim(self, n_bytes: int) -> None:
        end = self.offset + n_bytes
        if end > self._end:
            raise GgufError(
                f"is truncated or damaged: its header claims to reach byte {end} at least, the file has {self._size}"
            )
        self.offset = end


def _read_version(source: _Source) -> int:
    magic = source.take(len(MAGIC))
    if magic != MAGIC:
        raise GgufError(f"is not a GGUF file: it begins with {magic!r}, not with {MAGIC!r}")
    version = source.u32()
    if version not in VERSIONS:
        if version & 0xFFFF == 0:
            raise GgufError("is a GGUF file for big-endian machines; convert it for this one")
        known = " and ".join(map(str, VERSIONS))
        raise GgufError(f"is a GGUF file of version {version}; versions {known} can be read; convert it again")
    return version


def _read_entry(source: _Source) -> tuple[str, int, Scalar | GgufArray]:
    """Key, id of the value's type, value."""
    key = source.name()
    kind = source.u32()
    if kind == _ARRAY:
        return key, kind, _read_array(source, key)
    if kind == _STRING:
        return key, kind, source.take(source.u64()).decode("utf-8", "replace")
    return key, kind, _read_numbers(source, key, kind, 1)[0]


def _read_array(source: _Source, key: str) -> GgufArray:
    kind = source.u32()
    length = source.u64()
    if kind == _STRING:
        if length > _MAX_STRINGS:
            raise GgufError(f"is damaged: {_show(key)} claims {length} strings, at most {_MAX_STRINGS} are believed")
        if key == _TOKENS:
            texts = tuple(source.take(source.u64()) for _ in range(length))
            return GgufArray(is_text=True, length=length, texts=texts)
        for _ in range(length):
            source.skip(source.u64())
        return GgufArray(is_text=True, length=length)
    if length <= _MAX_KEPT_NUMBERS:
        return GgufArray(is_text=False, length=length, values=_read_numbers(source, key, kind, length))
    source.skip(_element_size(key, kind) * length)
    return GgufArray(is_text=False, length=length)


def _read_numbers(source: _Source, key: str, kind: int, length: int) -> tuple[int | float | bool, ...]:
    raw = source.take(_element_size(key, kind) * length)
    return struct.unpack(f"<{length}{_SCALARS[kind]}", raw)


def _element_size(key: str, kind: int) -> int:
    if kind not in _SCALARS:
        raise GgufError(f"is damaged: {_show(key)} has the unknown type {kind}")
    return struct.calcsize("<" + _SCALARS[kind])


def _read_tensor(source: _Source) -> GgufTensor:
    name = source.name()
    n_dimensions = source.u32()
    if n_dimensions > _MAX_DIMENSIONS:
        raise GgufError(
            f"is damaged: tensor {_show(name)} has {n_dimensions} dimensions, at most {_MAX_DIMENSIONS} exist"
        )
    shape = struct.unpack(f"<{n_dimensions}Q", source.take(8 * n_dimensions))
    kind = source.u32()
    offset = source.u64()
    if kind not in TENSOR_TYPES:
        raise GgufError(f"has tensor {_show(name)} of type {kind}, which this version of llama.cpp does not know")
    type_name, block, block_bytes = TENSOR_TYPES[kind]
    n_elements = math.prod(shape)
    if n_elements >= 2**63 or (shape and shape[0] % block):
        raise GgufError(f"is damaged: tensor {_show(name)} of type {type_name} has the impossible shape {shape}")
    return GgufTensor(name, type_name, shape, offset, n_elements // block * block_bytes)


def _show(name: str) -> str:
    """A name that may be nonsense, fit for a message."""
    return quoted(name, _MAX_SHOWN)
