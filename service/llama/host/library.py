"""llama.cpp's shared library, bound once per process.

``ctypes.CDLL`` releases the GIL for the time of a call and has to wait for it afterwards. That is right for calls that
compute, but a short call then waits up to a whole switch interval for a busy Python thread (measured: 5.6 ms for a call
of 0.2 ms). So short calls are bound a second time, with ``ctypes.PyDLL`` on the same handle, which keeps the GIL.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.llama.host.logs import LogBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: An opaque pointer of the library.
Pointer = int


@dataclass(frozen=True, slots=True, eq=False)
class ShortCalls:
    """Calls that keep the GIL; pointers are addresses, None is NULL."""

    get_logits_ith: Callable[[Pointer, int], Pointer | None]
    get_embeddings_ith: Callable[[Pointer, int], Pointer | None]
    set_embeddings: Callable[[Pointer, bool], None]
    set_causal_attn: Callable[[Pointer, bool], None]
    set_abort_callback: Callable[[Pointer, Pointer | None, Pointer | None], None]
    memory_clear: Callable[[Pointer, bool], None]
    memory_seq_rm: Callable[[Pointer, int, int, int], bool]
    memory_seq_cp: Callable[[Pointer, int, int, int, int], None]
    memory_seq_add: Callable[[Pointer, int, int, int, int], None]
    memory_seq_pos_min: Callable[[Pointer, int], int]
    memory_seq_pos_max: Callable[[Pointer, int], int]
    sampler_accept: Callable[[Pointer, int], None]
    sampler_apply: Callable[[Pointer, Pointer], None]
    token_to_piece: Callable[[Pointer, int, Any, int, int, bool], int]
    vocab_is_eog: Callable[[Pointer, int], bool]
    vocab_get_attr: Callable[[Pointer, int], int]
    vocab_get_text: Callable[[Pointer, int], bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """The library.

    Attributes:
        api: the module ``llama_cpp.llama_cpp``: structures, constants, and calls that release the GIL.
        short: calls that keep the GIL.
        log: where its log lines go.
        log_callback: what the library calls to log; must live as long as it may.
    """

    api: Any
    short: ShortCalls
    log: LogBridge
    log_callback: object

    @property
    def folder(self) -> str:
        """Where the files of the library are."""
        return str(self.api._base_path)

    @property
    def system_info(self) -> str:
        """The instruction sets and features that it was built with, for example ``CPU : AVX2 = 1 | ...``."""
        return str(self.api.llama_print_system_info().decode())

    def function(self, name: str) -> Callable[..., Any] | None:
        """A function of the library, or of one that it is linked to; None if there is none of that name."""
        found: Callable[..., Any] | None = getattr(self.api._lib, name, None)
        return found


@functools.cache
def load_library() -> Library:
    """Load and initialise the library, the first time only.

    Raises:
        ImportError: llama-cpp-python is not installed, or its library does not load.
    """
    # An abort inside the library would start a debugger for a page of backtrace, 0.6 s in which clients wait.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    api = importlib.import_module("llama_cpp.llama_cpp")
    log = LogBridge()
    # Replaces the callback of the import, which prints. It must not be called once the interpreter is gone.
    callback = api.llama_log_callback(lambda level, text, _: log.write(level, text))
    api.llama_log_set(callback, None)
    atexit.register(api.llama_log_set, api.llama_log_callback(), None)
    api.llama_backend_init()
    return Library(api=api, short=_bind_short_calls(api), log=log, log_callback=callback)


def _bind_short_calls(api: Any) -> ShortCalls:
    library = ctypes.PyDLL(api._lib._name, handle=api._lib._handle)
    pointer, i32, flag = ctypes.c_void_p, ctypes.c_int32, ctypes.c_bool

    def bind(name: str, arguments: Sequence[type], result: type | None) -> Any:
        function = library[f"llama_{name}"]  # By item, not by attribute: that one is cached and shared.
        function.argtypes = list(arguments)
        function.restype = result
        return function

    return ShortCalls(
        get_logits_ith=bind("get_logits_ith", [pointer, i32], pointer),
        get_embeddings_ith=bind("get_embeddings_ith", [pointer, i32], pointer),
        set_embeddings=bind("set_embeddings", [pointer, flag], None),
        set_causal_attn=bind("set_causal_attn", [pointer, flag], None),
        set_abort_callback=bind("set_abort_callback", [pointer, pointer, pointer], None),
        memory_clear=bind("memory_clear", [pointer, flag], None),
        memory_seq_rm=bind("memory_seq_rm", [pointer, i32, i32, i32], flag),
        memory_seq_cp=bind("memory_seq_cp", [pointer, i32, i32, i32, i32], None),
        memory_seq_add=bind("memory_seq_add", [pointer, i32, i32, i32, i32], None),
        memory_seq_pos_min=bind("memory_seq_pos_min", [pointer, i32], i32),
        memory_seq_pos_max=bind("memory_seq_pos_max", [pointer, i32], i32),
        sampler_accept=bind("sampler_accept", [pointer, i32], None),
        sampler_apply=bind("sampler_apply", [pointer, pointer], None),
        token_to_piece=bind("token_to_piece", [pointer, i32, ctypes.c_char_p, i32, i32, flag], i32),
        vocab_is_eog=bind("vocab_is_eog", [pointer, i32], flag),
        vocab_get_attr=bind("vocab_get_attr", [pointer, i32], i32),
        vocab_get_text=bind("vocab_get_text", [pointer, i32], ctypes.c_char_p),
    )
