"""Counts calls of Python and C functions, by the interpreter's own hook for profilers.

Comprehensions are frames of their own up to Python 3.11 only and are not counted. C functions are those that the
interpreter calls by themselves; numpy's universal functions and operators are none of them.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType, TracebackType

#: The repository.
ROOT = Path(__file__).parents[2]

_TESTS = str(ROOT / "tests")
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})


class CallCounter:
    """Counts what a function calls in this thread, without functions of tests.

    Args:
        model: folder of a model that stands for a real one, inside the repository: calls into it are counted by name,
            and what they call is not; none if it is empty.

    Attributes:
        n_python: calls of Python functions.
        n_c: calls of C functions.
        of_model: calls of the model, by name.
    """

    def __init__(self, model: str = "") -> None:
        self.n_python = 0
        self.n_c = 0
        self.of_model: Counter[str] = Counter()
        self._model = str(ROOT / model) if model else None
        self._inside: FrameType | None = None

    def run(self, action: Callable[[], object], times: int) -> None:
        """Call ``action`` so many times, and count what it calls."""
        sys.setprofile(self._note)
        try:
            for _ in range(times):
                action()
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._inside is not None:
            if event == "return" and frame is self._inside:
                self._inside = None
        elif event == "c_call":
            if argument is not sys.setprofile:
                self.n_c += 1
        elif event == "call":
            self._note_call(frame)

    def _note_call(self, frame: FrameType) -> None:
        code = frame.f_code
        if self._model is not None and code.co_filename.startswith(self._model):
            self.of_model[code.co_qualname] += 1
            self._inside = frame
        elif code.co_name not in _COMPREHENSIONS and not code.co_filename.startswith(_TESTS):
            self.n_python += 1


class ThreadCalls:
    """Counts calls of Python functions of some folders, in all threads that are started in the block.

    Args:
        folders: inside the repository, or anywhere if they are absolute.
    """

    def __init__(self, *folders: str) -> None:
        self._folders = tuple(str(ROOT / folder) for folder in folders)
        self._is_counted: dict[CodeType, bool] = {}
        # One for each thread: to add to a common one takes two operations, between which another thread may run.
        self._counts: dict[int, int] = {}

    def __enter__(self) -> ThreadCalls:
        threading.setprofile(self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        threading.setprofile(None)

    @property
    def total(self) -> int:
        """Calls so far."""
        return sum(tuple(self._counts.values()))

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            is_counted = self._is_counted.get(code)
            if is_counted is None:
                is_counted = code.co_filename.startswith(self._folders) and code.co_name not in _COMPREHENSIONS
                self._is_counted[code] = is_counted
            if is_counted:
                thread = threading.get_ident()
                self._counts[thread] = self._counts.get(thread, 0) + 1
