"""The layout of slot files: what was written comes back, and what was not written so is refused."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.slot_files.layout import Head, SlotFileError, media_of, read, write
from tests.support.pictures import picture

if TYPE_CHECKING:
    from pathlib import Path

HEAD = Head("a model", "an owner", "a salt", 3, 1, 10)
ITEMS = (7, 0, 2**31 - 1)
PACKED = (memoryview(b"01234"), memoryview(b""), memoryview(b"56789"))


def accept(_: Head) -> None:
    """All heads are welcome."""


def written(path: Path, head: Head = HEAD) -> bytes:
    with path.open("wb") as file:
        assert write(file, head, ITEMS, PACKED)
    return path.read_bytes()


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    written(tmp_path / "a")
    with (tmp_path / "a").open("rb") as file:
        head, items, packed = read(file, accept)
    assert (head, items, packed.tobytes()) == (HEAD, list(ITEMS), b"0123456789")


def test_rows_of_pictures_come_back(tmp_path: Path) -> None:
    items = [1, *picture("cat", 3), 2, *picture("dog", 4, n_positions=2)]
    head = replace(HEAD, n_items=len(items), media=media_of(items))
    with (tmp_path / "a").open("wb") as file:
        write(file, head, items, PACKED)
    with (tmp_path / "a").open("rb") as file:
        assert read(file, accept)[1] == items


def test_whoever_checks_the_head_ends_the_reading(tmp_path: Path) -> None:
    def refuse(head: Head) -> None:
        raise LookupError(head.owner)

    written(tmp_path / "a")
    with (tmp_path / "a").open("rb") as file, pytest.raises(LookupError, match="an owner"):
        read(file, refuse)


def test_nobody_writes_or_reads_for_who_is_gone(tmp_path: Path) -> None:
    assert not write(io.BytesIO(), HEAD, ITEMS, PACKED, lambda: False)
    written(tmp_path / "a")
    with (tmp_path / "a").open("rb") as file, pytest.raises(SlotFileError, match="not needed"):
        read(file, accept, lambda: False)


@given(st.data())
def test_no_other_byte_is_taken(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("slots") / "a"
    contents = bytearray(written(path))
    place = data.draw(st.integers(0, len(contents) - 1))
    contents[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(contents)
    with path.open("rb") as file, pytest.raises(SlotFileError):
        read(file, accept)


@given(st.data())
def test_no_cut_file_is_taken(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("slots") / "a"
    contents = written(path)
    path.write_bytes(contents[: data.draw(st.integers(0, len(contents) - 1))])
    with path.open("rb") as file, pytest.raises(SlotFileError):
        read(file, accept)


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (b"", "is no slot file"),
        (b"GGUF" * 10, "is no slot file"),
        (struct.pack("<8sII", b"SLOTFILE", 2, 2) + b"{}", "version 2"),
        (struct.pack("<8sII", b"SLOTFILE", 1, 2**31) + b"{}", "longer than it can be"),
        (struct.pack("<8sII", b"SLOTFILE", 1, 2) + b"{}", "head cannot be read"),
        (struct.pack("<8sII", b"SLOTFILE", 1, 3) + b"[1]", "head cannot be read"),
        (struct.pack("<8sII", b"SLOTFILE", 1, 2) + b"\xff\xff", "head cannot be read"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, contents: bytes, problem: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(contents)
    with path.open("rb") as file, pytest.raises(SlotFileError, match=problem):
        read(file, accept)


@pytest.mark.parametrize(
    "head",
    [
        replace(HEAD, n_items=-1),
        replace(HEAD, n_packed=11),
        replace(HEAD, n_items=4),
        replace(HEAD, n_system=1.5),  # type: ignore[arg-type]
        replace(HEAD, media=[("zz", 0, 0, 1)]),
        replace(HEAD, media=[("00", 0, 0)]),  # type: ignore[list-item]
        replace(HEAD, owner=5),  # type: ignore[arg-type]
    ],
)
def test_a_head_of_nonsense_is_refused(tmp_path: Path, head: Head) -> None:
    written(tmp_path / "a", head)
    with (tmp_path / "a").open("rb") as file, pytest.raises(SlotFileError, match="is damaged"):
        read(file, accept)
