"""Multiplies two small matrices with the library's AMX kernels; run as a program in a process that may crash.

Usage: ``python amx_probe.py FOLDER`` with the folder of the ``libggml`` libraries. Exit code 0: the product is right,
or the library does not use AMX on this machine. Anything else: keep away from those kernels.
"""

from __future__ import annotations

import ctypes
import resource
import struct
import sys
from pathlib import Path
from typing import Any

#: The matrices: weights of 64 x 64 ones, and 16 columns of which column i consists of i + 1.
_SIZE, _COLUMNS = 64, 16
_F32, _Q8_0, _CPU = 0, 8, 0
_ARENA_BYTES = 1 << 20


class _InitParams(ctypes.Structure):
    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


class _Ggml:
    """The few functions needed, with pointers as results unless said otherwise."""

    def __init__(self, folder: Path) -> None:
        self._libraries = [
            ctypes.CDLL(str(folder / f"lib{name}.so"), mode=ctypes.RTLD_GLOBAL)
            for name in ("ggml-base", "ggml-cpu", "ggml")
        ]

    def call(self, name: str, *arguments: Any, result: Any = ctypes.c_void_p) -> Any:
        """Call a function; integers are passed as 64 bits, which suits pointers and small numbers alike."""
        function = next(getattr(library, name) for library in self._libraries if hasattr(library, name))
        function.restype = result
        return function(*[ctypes.c_int64(a) if isinstance(a, int) else a for a in arguments])

    def arena(self) -> int:
        """Memory for the descriptions of tensors."""
        address: int = self.call("ggml_init", _InitParams(_ARENA_BYTES, None, True))
        return address


def amx_buffer_type(ggml: _Ggml) -> int | None:
    """The kind of buffer whose tensors are multiplied with AMX, None if the library offers none."""
    device = ggml.call("ggml_backend_dev_by_type", _CPU)
    registry = ggml.call("ggml_backend_dev_backend_reg", device)
    address = ggml.call("ggml_backend_reg_get_proc_address", registry, b"ggml_backend_dev_get_extra_bufts")
    if not address:
        return None
    list_types = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(address)
    types = list_types(device)
    for index in range(16):
        kind: int | None = types[index] if types else None
        if kind is None:
            return None
        if ggml.call("ggml_backend_buft_name", kind, result=ctypes.c_char_p) == b"AMX":
            return kind
    return None


def product_is_right(ggml: _Ggml, buffer_type: int) -> bool:
    """Whether weights in that kind of buffer are multiplied correctly."""
    backend = ggml.call("ggml_backend_init_by_type", _CPU, None)
    weights_arena, arena = ggml.arena(), ggml.arena()
    weights = ggml.call("ggml_new_tensor_2d", weights_arena, _Q8_0, _SIZE, _SIZE)
    ggml.call("ggml_backend_alloc_ctx_tensors_from_buft", weights_arena, buffer_type)
    # A block is its scale, 1.0 as a half, and 32 signed bytes.
    ones = (struct.pack("<e", 1.0) + b"\x01" * 32) * (_SIZE * _SIZE // 32)
    ggml.call("ggml_backend_tensor_set", weights, ones, 0, len(ones), result=None)

    inputs = ggml.call("ggml_new_tensor_2d", arena, _F32, _SIZE, _COLUMNS)
    product = ggml.call("ggml_mul_mat", arena, weights, inputs)
    graph = ggml.call("ggml_new_graph", arena)
    ggml.call("ggml_build_forward_expand", graph, product, result=None)
    device = ggml.call("ggml_backend_dev_by_type", _CPU)
    ggml.call("ggml_backend_alloc_ctx_tensors_from_buft", arena, ggml.call("ggml_backend_dev_buffer_type", device))
    values = struct.pack(f"{_SIZE * _COLUMNS}f", *(c + 1.0 for c in range(_COLUMNS) for _ in range(_SIZE)))
    ggml.call("ggml_backend_tensor_set", inputs, values, 0, len(values), result=None)
    if ggml.call("ggml_backend_graph_compute", backend, graph, result=ctypes.c_int) != 0:
        return False
    raw = ctypes.create_string_buffer(4 * _SIZE * _COLUMNS)
    ggml.call("ggml_backend_tensor_get", product, raw, 0, len(raw), result=None)
    results = struct.unpack(f"{_SIZE * _COLUMNS}f", raw.raw)
    expected = [_SIZE * (c + 1.0) for c in range(_COLUMNS) for _ in range(_SIZE)]
    return all(abs(got - want) <= 0.02 * want for got, want in zip(results, expected, strict=True))


def main(folder: str) -> int:
    """Run the probe."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A crash is an expected answer, not worth a core file.
    ggml = _Ggml(Path(folder))
    ggml.call("ggml_backend_load_all", result=None)
    buffer_type = amx_buffer_type(ggml)
    return 0 if buffer_type is None or product_is_right(ggml, buffer_type) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
