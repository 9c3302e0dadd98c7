"""The header of a GGUF file is read as the format says, and never believed."""

from __future__ import annotations

import ctypes
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.llama.files.gguf import FLOAT32, TENSOR_TYPES, GgufArray, GgufError, GgufTensor, read_header
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from service.llama.host.library import Library


def test_a_written_file_is_read_back(tmp_path: Path) -> None:
    model = TinyModel(n_layers=2, has_fim=True, metadata={"a.float": 0.5, "a.text": "b\u00e4", "a.flag": True})
    path = write_tiny_gguf(tmp_path / "model.gguf", model)
    header = read_header(path)
    reader = gguf.GGUFReader(path)
    assert header.version == 3
    assert header.n_tensors == len(reader.tensors) == 21
    assert header.tensor_bytes == sum(tensor.n_bytes for tensor in reader.tensors)
    assert header.data_end == max(tensor.data_offset + tensor.n_bytes for tensor in reader.tensors)
    assert header.data_end <= header.file_bytes == path.stat().st_size
    assert header.metadata["llama.block_count"] == 2
    assert (header.metadata["a.float"], header.metadata["a.text"], header.metadata["a.flag"]) == (0.5, "b\u00e4", True)
    assert (header.value_types["a.float"], header.value_types["a.flag"]) == (FLOAT32, gguf.GGUFValueType.BOOL)
    assert header.tensors == tuple(
        GgufTensor(
            name=tensor.name,
            type_name="f32",
            shape=tuple(int(length) for length in tensor.shape),
            offset=tensor.data_offset - reader.data_offset,
            n_bytes=tensor.n_bytes,
        )
        for tensor in reader.tensors
    )
    tokens = header.metadata["tokenizer.ggml.tokens"]
    assert tokens == GgufArray(is_text=True, length=264, texts=tuple(token.encode() for token in model.tokens))
    types = header.metadata["tokenizer.ggml.token_type"]
    assert isinstance(types, GgufArray)
    assert (types.length, types.values[256]) == (264, int(gguf.TokenType.CONTROL))


def test_tensor_types_are_those_of_the_library(library: Library) -> None:
    base = ctypes.CDLL(str(Path(library.folder) / "libggml-base.so"))
    base.ggml_type_name.restype = ctypes.c_char_p
    base.ggml_blck_size.restype = ctypes.c_int64
    base.ggml_type_size.restype = ctypes.c_size_t
    known = {
        kind: (base.ggml_type_name(kind).decode(), base.ggml_blck_size(kind), base.ggml_type_size(kind))
        for kind in range(library.api.GGML_TYPE_COUNT)
        if base.ggml_type_size(kind)
    }
    assert dict(TENSOR_TYPES) == known


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"GG", "is not a GGUF file: it has 2 bytes", id="shorter than the magic"),
        pytest.param(b"PK\x03\x04" + bytes(99), "it begins with b'PK\\x03\\x04', not with b'GGUF'", id="a zip file"),
        pytest.param(b"GGUF" + struct.pack("<I", 1) + bytes(99), "of version 1; versions 2 and 3", id="version 1"),
        pytest.param(b"GGUF" + struct.pack("<I", 4) + bytes(99), "of version 4; versions 2 and 3", id="version 4"),
        pytest.param(b"GGUF" + struct.pack(">I", 3) + bytes(99), "big-endian", id="big-endian"),
        pytest.param(b"GGUF" + struct.pack("<I", 3), "is truncated or damaged", id="only the version"),
        pytest.param(
            b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1), "claims 1152921504606846976 tensors", id="too many tensors"
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQ", 3, 1, 2**40), "claims 1099511627776 metadata entries", id="too many entries"
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**63) + bytes(99), "is 9223372036854775808 bytes long", id="name"
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99), "'k' has the unknown type 99", id="unknown type"
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 8, 2**40),
            "'k' claims 1099511627776 strings",
            id="too many strings",
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 12, 2**61), "is truncated or damaged", id="numbers"
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sIQ", 3, 0, 1, 1, b"k", 8, 2**62), "is truncated or damaged", id="long text"
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sIQIQ", 3, 1, 0, 1, b"t", 1, 33, 2, 0),
            "tensor 't' of type q4_0 has the impossible shape (33,)",
            id="row that is no whole number of blocks",
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sIQIQ", 3, 1, 0, 1, b"t", 1, 32, 77, 0),
            "tensor 't' of type 77, which this version of llama.cpp does not know",
            id="unknown tensor type",
        ),
        pytest.param(
            b"GGUF" + struct.pack("<IQQQ1sI", 3, 1, 0, 1, b"t", 9), "tensor 't' has 9 dimensions", id="dimensions"
        ),
    ],
)
def test_damage_is_described(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(GgufError) as caught:
        read_header(path)
    assert told in str(caught.value)


@pytest.mark.parametrize("alignment", [0, 1, 16, 33, "32"])
def test_an_alignment_that_the_library_cannot_use_is_refused(tmp_path: Path, alignment: int | str) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(metadata={"general.alignment": alignment}))
    with pytest.raises(GgufError, match=r"general\.alignment is .*32"):
        read_header(path)


def test_a_header_that_was_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = write_tiny_gguf(tmp_path / "whole.gguf")
    content = whole.read_bytes()
    header_bytes = read_header(whole).data_end - read_header(whole).tensor_bytes
    path = tmp_path / "cut.gguf"
    # Padding ends the header, so the last few cuts hurt nothing but the tensors.
    for length in range(4, header_bytes - 32, 7):
        path.write_bytes(content[:length])
        with pytest.raises(GgufError):
            read_header(path)


def test_a_name_of_nonsense_is_shown_short_and_printable(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1000) + b"\x00\n" * 500 + struct.pack("<I", 99))
    with pytest.raises(GgufError) as caught:
        read_header(path)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, 10_000),
)
def test_random_damage_raises_nothing_else(changes: list[tuple[int, int]], length: int) -> None:
    content = bytearray(_tiny_content())
    for place, value in changes:
        content[place % len(content)] = value
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(content[: len(content) - length])
        file.flush()
        try:
            header = read_header(Path(file.name))
        except GgufError as error:
            assert str(error)
        else:
            assert header.file_bytes == len(content) - length


def _tiny_content() -> bytes:
    if not _CONTENT:
        with tempfile.TemporaryDirectory() as folder:
            _CONTENT.append(write_tiny_gguf(Path(folder) / "model.gguf").read_bytes())
    return _CONTENT[0]


_CONTENT: list[bytes] = []
