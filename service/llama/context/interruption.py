"""Ends a call of llama.cpp between two nodes of its graph."""

from __future__ import annotations

import ctypes
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.llama.host.library import Library, Pointer

#: What ``llama_decode`` returns if it was ended.
ABORTED = 2


class ContextInterruption:
    """An ``Interruption`` of a context that computes on processors alone: other devices ask nobody.

    The library asks a function of C after each node, several hundred times a call, whether to end it. One of Python's
    would wait for the GIL each time; the C library's ``strlen`` does not. Of a text of one byte, or none, it gives what
    the question wants to know.

    Args:
        library: the library.
        context: the context.
    """

    def __init__(self, library: Library, context: Pointer) -> None:
        self._short = library.short
        self._log = library.log
        self._context = context
        self._text = ctypes.create_string_buffer(2)
        self._strlen = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        self.is_allowed = False

    def request(self) -> None:
        """End calls that may be ended."""
        self._text[0] = b"\x01"

    def clear(self) -> None:
        """End no more calls."""
        self._text[0] = b"\x00"

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let the library ask."""
        self.is_allowed = True
        try:
            yield
        finally:
            self.is_allowed = False

    @contextmanager
    def asked(self) -> Iterator[None]:
        """A call in which the library asks."""
        self._short.set_abort_callback(self._context, self._strlen, ctypes.addressof(self._text))
        try:
            # The library takes it for a failure.
            with self._log.mute(logging.WARNING, logging.ERROR):
                yield
        finally:
            self._short.set_abort_callback(self._context, None, None)
