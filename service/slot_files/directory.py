"""A directory of slot files: plain names, whole files or none, and nothing outside of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from service.errors import InvalidArgument, StorageFailure
from service.slot_files import layout
from service.slot_files.layout import Head, SlotFileError
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from io import BufferedReader

    from service.engine.request.items import PromptItem

T = TypeVar("T")

MAX_NAME = 128
#: Files that are written or read at a time. They share two disks' worth of bandwidth at best, and processors with the
#: model.
N_THREADS = 2

_NAME = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")


class SlotDirectory:
    """Writes and reads slot files, in threads of its own.

    Args:
        path: the directory, which must exist.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._threads = ThreadPoolExecutor(N_THREADS, "slot-files")

    def close(self) -> None:
        """Take no more work. What was begun ends when its caller goes."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def check_name(self, name: str) -> None:
        """Refuse a name that is not plain, or longer than file systems take.

        Raises:
            InvalidArgument: the name is not allowed.
        """
        if not _NAME.fullmatch(name):
            raise InvalidArgument(
                "filename",
                f"is {excerpt(repr(name), 80)}; allowed: 1 to {MAX_NAME} letters, digits, dots, hyphens and "
                "underscores of ASCII, the first of them no dot",
            )

    async def write(self, name: str, head: Head, items: Sequence[PromptItem], packed: Sequence[memoryview]) -> int:
        """Write a file, in place of one that there may be; return its size in bytes.

        If the caller does not wait to the end, the file is not written.

        Raises:
            InvalidArgument: the name is not allowed.
            StorageFailure: the file cannot be written; one that was there is unchanged.
        """
        path = self._path_of(name)

        def write(go_on: Callable[[], bool]) -> int:
            with _naming(name, "written"), _replacing(path) as file:
                if not layout.write(file, head, items, packed, go_on):
                    raise _Unwanted
                file.flush()
                os.fsync(file.fileno())
                if not go_on():
                    raise _Unwanted
                return file.tell()

        return await self._run(write)

    async def read(self, name: str, check: Callable[[Head], None]) -> tuple[Head, list[PromptItem], memoryview, int]:
        """Read a file: its head, its items, what is packed, and its size in bytes.

        Raises:
            InvalidArgument: the name is not allowed, there is no such file, or it cannot be used.
            StorageFailure: it cannot be read.
            ServiceError: what ``check`` raises.
        """
        path = self._path_of(name)

        def read(go_on: Callable[[], bool]) -> tuple[Head, list[PromptItem], memoryview, int]:
            with _naming(name, "read"), _opened(path) as file:
                try:
                    head, items, packed = layout.read(file, check, go_on)
                except SlotFileError as error:
                    raise InvalidArgument("filename", f"{name!r} {error}") from error
                return head, items, packed, file.tell()

        return await self._run(read)

    def _path_of(self, name: str) -> Path:
        self.check_name(name)
        return self._path / name

    async def _run(self, work: Callable[[Callable[[], bool]], T]) -> T:
        """Do work in a thread; it is told when nobody waits for it any more."""
        is_unwanted = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, work, lambda: not is_unwanted.is_set()
            )
        finally:
            is_unwanted.set()


class _Unwanted(Exception):
    """Nobody waits for the file any more."""


@contextlib.contextmanager
def _naming(name: str, done: str) -> Iterator[None]:
    """Let errors of the system name the file, and what could not be done with it."""
    try:
        yield
    except OSError as error:
        raise StorageFailure(f"filename: {name!r} cannot be {done}: {error.strerror}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """A file of the directory. Without waiting: somebody may have put a pipe there."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        problem = f"{path.name!r} names no file; allowed are names that slots were saved under"
        raise InvalidArgument("filename", problem) from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise InvalidArgument("filename", f"{path.name!r} is no slot file")
    with open(number, "rb") as file:
        yield file


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file, for its owner's eyes only, that takes the place of ``path`` at the end of the block.

    Its name begins with a dot, which no slot file's does. If the block fails, nothing is left of it.
    """
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".part")
    try:
        with open(number, "wb") as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
