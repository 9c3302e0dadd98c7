"""On which devices the library may compute."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def may_compute_on_gpu(n_gpu_layers: int) -> bool:
    """Whether layers may be on another device than the processors.

    Judged by the files of the installed library, without loading it.

    Args:
        n_gpu_layers: layers that are wanted there, -1 for the library's default.
    """
    return n_gpu_layers != 0 and _has_other_backends()


def _has_other_backends() -> bool:
    folder = os.environ.get("LLAMA_CPP_LIB_PATH")
    if folder is None:
        package = importlib.util.find_spec("llama_cpp")
        if package is None or package.origin is None:
            return False
        folder = str(Path(package.origin).with_name("lib"))
    backends = {library.name.split(".")[0] for library in Path(folder).glob("libggml-*")}
    return any(not backend.startswith(("libggml-base", "libggml-cpu", "libggml-blas")) for backend in backends)
