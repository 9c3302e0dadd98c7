"""Counts the arrays that numpy allocates, temporary ones included.

Only numpy itself sees all of them, so its own allocator is replaced by one that counts and then asks the former
(https://numpy.org/neps/nep-0049.html). What is copied into an array that exists already is not seen.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where numpy has its table of C functions ...
_TABLE_MODULE = "numpy._core._multiarray_umath"
#: ... and where the table has these two; the order is a part of numpy's ABI.
_SET_HANDLER, _GET_HANDLER = 304, 305
#: What numpy calls the capsule of a handler.
_CAPSULE = b"mem_handler"

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_MALLOC = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _SIZE)
_CALLOC = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _SIZE, _SIZE)


class _Handler(ctypes.Structure):
    """``PyDataMem_Handler`` of numpy/ndarraytypes.h."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("ctx", _POINTER),
        ("malloc", _MALLOC),
        ("calloc", _CALLOC),
        ("realloc", _POINTER),
        ("free", _POINTER),
    )


@dataclass(slots=True)
class ArrayCount:
    """Arrays that were allocated, and their bytes."""

    n_arrays: int = 0
    n_bytes: int = 0


class _CountingHandler:
    """A handler that counts. Arrays keep the handler that made them, so it must live as long as they may."""

    def __init__(self) -> None:
        self.count = ArrayCount()
        self.min_bytes = 0
        get_pointer, new_capsule = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_New
        get_pointer.argtypes, get_pointer.restype = [ctypes.py_object, ctypes.c_char_p], _POINTER
        new_capsule.argtypes, new_capsule.restype = [_POINTER, ctypes.c_char_p, _POINTER], ctypes.py_object
        table = ctypes.cast(
            get_pointer(vars(importlib.import_module(_TABLE_MODULE))["_ARRAY_API"], None), ctypes.POINTER(_POINTER)
        )
        self.set = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[_SET_HANDLER] or 0)
        self._default: Any = ctypes.PYFUNCTYPE(ctypes.py_object)(table[_GET_HANDLER] or 0)()
        default = _Handler.from_address(get_pointer(self._default, _CAPSULE))
        # Memory is given back by numpy's own function: that happens even after the interpreter's end.
        self._handler = _Handler.from_buffer_copy(default)
        self._handler.name = b"counting"
        self._context, self._malloc, self._calloc = default.ctx, default.malloc, default.calloc
        self._handler.malloc = _MALLOC(self._count_malloc)
        self._handler.calloc = _CALLOC(self._count_calloc)
        self.capsule: object = new_capsule(ctypes.addressof(self._handler), _CAPSULE, None)

    def _count_malloc(self, _: int | None, size: int) -> int | None:
        self._note(size)
        address: int | None = self._malloc(self._context, size)
        return address

    def _count_calloc(self, _: int | None, n: int, size: int) -> int | None:
        self._note(n * size)
        address: int | None = self._calloc(self._context, n, size)
        return address

    def _note(self, n_bytes: int) -> None:
        if n_bytes >= self.min_bytes:
            self.count.n_arrays += 1
            self.count.n_bytes += n_bytes


#: Made when it is used first.
_handlers: list[_CountingHandler] = []


@contextlib.contextmanager
def counted_arrays(min_bytes: int) -> Iterator[ArrayCount]:
    """Count the arrays of at least ``min_bytes`` that this thread allocates in the block."""
    if not _handlers:
        _handlers.append(_CountingHandler())
    handler = _handlers[0]
    handler.count, handler.min_bytes = ArrayCount(), min_bytes
    former = handler.set(handler.capsule)
    try:
        yield handler.count
    finally:
        handler.set(former)
