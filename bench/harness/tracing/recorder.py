"""Notes when functions of the product are called: no file is touched, and nothing is left to collect."""

from __future__ import annotations

import ctypes
import functools
import importlib
import inspect
import json
import os
import threading
import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bench.harness.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

#: Numbers that the record keeps of each mark: the point's number, and the other fields of ``Mark``.
_FIELDS = 5

#: Three numbers of up to 20 digits.
_SCHEDSTAT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the product.

    Attributes:
        mark: name of the marks that are made there.
        module: where the function is looked up when it is called, which need not be where it is defined.
        name: of the function there, as ``function`` or ``Class.method``.
        when: at each call, at each return, or at each item of a generator.
        only: tells of a call's last argument, or of an item, whether it is marked; None to mark all of them.
    """

    mark: str
    module: str
    name: str
    when: Literal["call", "return", "item"] = "call"
    only: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which a thread passed a point.

    Attributes:
        ns: ``time.perf_counter_ns()``, which on Linux is one clock for all processes.
        thread: the kernel's number of the thread.
        cpu_ns: processor time that the thread has used.
        ready_ns: how long the thread has been ready to run while no processor was free for it.
    """

    ns: int
    thread: int
    cpu_ns: int
    ready_ns: int


class _Threads(threading.local):
    """What the kernel says about the thread that asks."""

    def __init__(self) -> None:
        self.id = threading.get_native_id()
        self._file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        self._buffer = ctypes.create_string_buffer(_SCHEDSTAT_BYTES)
        # Unlike os.pread it keeps the GIL: to give it up at every mark would change what is measured.
        self._read = ctypes.PyDLL(None).pread

    def ready_ns(self) -> int:
        """How long it has been ready to run without a processor."""
        self._read(self._file, self._buffer, _SCHEDSTAT_BYTES, 0)
        return int(self._buffer.value.split()[1])


class Recorder:
    """Wraps functions and keeps what the wrappers note, for any number of threads."""

    def __init__(self) -> None:
        self._points: list[str] = []
        # One flat array: objects would set off garbage collections that the product does not have.
        self._numbers = array("q")
        self._threads = _Threads()

    def wrap(self, point: Point) -> None:
        """Mark a point from now on.

        Raises:
            BenchError: it does not exist, or cannot be marked.
        """
        owner, name, function = _find(point)
        number = len(self._points)
        self._points.append(point.mark)
        wrappers = {"call": self._at_call, "return": self._at_return, "item": self._at_item}
        try:
            setattr(owner, name, wrappers[point.when](number, function, point.only))
        except TypeError as error:
            raise BenchError(f"{point.module}: {point.name} is compiled and cannot be traced: {error}") from error

    def write(self, file: Path) -> None:
        """Write all marks to a file for ``read_marks``."""
        file.write_text(json.dumps({"points": self._points, "numbers": self._numbers.tolist()}))

    def _note(self, number: int) -> None:
        now_ns, thread = time.perf_counter_ns(), self._threads
        # One call, so that no other thread comes in between.
        self._numbers.extend((number, now_ns, thread.id, time.thread_time_ns(), thread.ready_ns()))

    def _at_call(
        self, number: int, function: Callable[..., Any], only: Callable[[Any], bool] | None
    ) -> Callable[..., Any]:
        @functools.wraps(function)
        def marked(*args: Any, **kwargs: Any) -> Any:
            if only is None or only(args[-1]):
                self._note(number)
            return function(*args, **kwargs)

        return marked

    def _at_return(
        self, number: int, function: Callable[..., Any], only: Callable[[Any], bool] | None
    ) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise BenchError(f"{function.__qualname__} returns before it is done; mark its call, or its items")

        @functools.wraps(function)
        def marked(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if only is None or only(args[-1]):
                self._note(number)
            return result

        return marked

    def _at_item(
        self, number: int, function: Callable[..., Any], only: Callable[[Any], bool] | None
    ) -> Callable[..., Any]:
        @functools.wraps(function)
        def marked(*args: Any, **kwargs: Any) -> Iterator[Any]:
            for item in function(*args, **kwargs):
                if only is None or only(item):
                    self._note(number)
                yield item

        return marked


def read_marks(files: Sequence[Path]) -> dict[str, list[Mark]]:
    """The marks of all processes by name, in the order of time.

    Raises:
        BenchError: a file is missing, because its process was killed.
    """
    found: dict[str, list[Mark]] = {}
    for file in files:
        try:
            document = json.loads(file.read_text())
        except FileNotFoundError:
            raise BenchError(f"the traced {file.stem} ended without its marks; it was killed") from None
        names, numbers = document["points"], document["numbers"]
        for name in names:
            found.setdefault(name, [])
        for start in range(0, len(numbers), _FIELDS):
            number, *fields = numbers[start : start + _FIELDS]
            found[names[number]].append(Mark(*fields))
    for marks in found.values():
        marks.sort(key=lambda mark: mark.ns)
    return found


def _find(point: Point) -> tuple[Any, str, Callable[..., Any]]:
    """The object that holds a function, the function's name in it, and the function.

    Raises:
        BenchError: there is no such module or function.
    """
    *path, name = point.name.split(".")
    try:
        owner: Any = importlib.import_module(point.module)
        for part in path:
            owner = getattr(owner, part)
        return owner, name, getattr(owner, name)
    except (ImportError, AttributeError) as error:
        raise BenchError(
            f"{point.module}: {point.name} cannot be traced: {error}; if it has moved, so must its line in "
            "bench/harness/tracing/points.py"
        ) from error
