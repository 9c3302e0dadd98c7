"""The directory of slot files: plain names, whole files or none."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from service.errors import InvalidArgument, StorageFailure
from service.slot_files import layout
from service.slot_files.directory import SlotDirectory
from service.slot_files.layout import Head
from tests.support.open_files import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = Head("a model", "an owner", "", 2, 0, 4)
ITEMS = (1, 2)
PACKED = (memoryview(b"abcd"),)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SlotDirectory]:
    made = SlotDirectory(str(tmp_path))
    yield made
    made.close()


def save(directory: SlotDirectory, name: str = "a.bin") -> int:
    return asyncio.run(directory.write(name, HEAD, ITEMS, PACKED))


def load(directory: SlotDirectory, name: str = "a.bin") -> tuple[Head, list[object], bytes, int]:
    head, items, packed, n_bytes = asyncio.run(directory.read(name, lambda _: None))
    return head, list(items), packed.tobytes(), n_bytes


def test_a_file_comes_back(directory: SlotDirectory, tmp_path: Path) -> None:
    n_bytes = save(directory)
    assert n_bytes == (tmp_path / "a.bin").stat().st_size
    assert load(directory) == (HEAD, list(ITEMS), b"abcd", n_bytes)


def test_only_its_owner_may_read_a_file(directory: SlotDirectory, tmp_path: Path) -> None:
    save(directory)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "../a", "/a", "a\\b", "a\0", "a b", "ä", "a\n", "x" * 129]
)
def test_names_are_plain(directory: SlotDirectory, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgument, match="allowed: 1 to 128 letters"):
        save(directory, name)
    with pytest.raises(InvalidArgument, match="allowed: 1 to 128 letters"):
        load(directory, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "-", "A.B-c_9", "x" * 128])
def test_plain_names_are_taken(directory: SlotDirectory, name: str) -> None:
    save(directory, name)
    assert load(directory, name)[1] == list(ITEMS)


def test_a_missing_file_is_named(directory: SlotDirectory) -> None:
    with pytest.raises(InvalidArgument, match=r"'b\.bin' names no file"):
        load(directory, "b.bin")


def test_a_damaged_file_is_named(directory: SlotDirectory, tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"something else")
    with pytest.raises(InvalidArgument, match=r"'b\.bin' is no slot file"):
        load(directory, "b.bin")


def test_nobody_waits_for_a_pipe(directory: SlotDirectory, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArgument, match="'pipe' is no slot file"):
        load(directory, "pipe")
    # One that somebody writes to, and says nothing.
    number = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        with pytest.raises(InvalidArgument, match="'pipe' is no slot file"):
            load(directory, "pipe")
    finally:
        os.close(number)


def test_a_directory_is_no_file_and_nothing_of_it_stays_open(directory: SlotDirectory, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(InvalidArgument, match="'sub' is no slot file"):
        load(directory, "sub")
    assert open_files(tmp_path) == []


def test_a_full_disk_is_named_and_leaves_what_was_there(
    directory: SlotDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(directory)
    before = (tmp_path / "a.bin").read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageFailure, match=r"'a\.bin' cannot be written: No space left on device"):
        save(directory)
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == before


def test_a_directory_that_has_gone_is_named(directory: SlotDirectory, tmp_path: Path) -> None:
    tmp_path.rmdir()
    with pytest.raises(StorageFailure, match=r"'a\.bin' cannot be written: No such file or directory"):
        save(directory)
    tmp_path.mkdir()


def test_what_nobody_waits_for_is_not_written(
    directory: SlotDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def abandon() -> None:
        begun, loop = asyncio.Event(), asyncio.get_running_loop()

        def write_until_told(*arguments: object) -> bool:
            loop.call_soon_threadsafe(begun.set)
            go_on = arguments[-1]
            assert callable(go_on)
            while go_on():
                pass
            return False

        monkeypatch.setattr(layout, "write", write_until_told)
        writing = asyncio.create_task(directory.write("a.bin", HEAD, ITEMS, PACKED))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        monkeypatch.undo()
        # Two threads: once both have done something else, the one has ended.
        await asyncio.gather(*(directory.write(name, HEAD, ITEMS, PACKED) for name in ("b", "c", "d", "e")))

    asyncio.run(abandon())
    assert {path.name for path in tmp_path.iterdir()} == {"b", "c", "d", "e"}
