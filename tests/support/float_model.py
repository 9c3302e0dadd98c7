"""Writes models with weights that are not quantised any more, and so nearly without noise.

The kernels for quantised weights round what they multiply with. How many terms are summed in which order depends on the
batch, and on where in the cache a sequence lies, and a last digit that differs can change what is rounded: equal
prompts then have log-probabilities that differ by 0.3. With weights in single precision it is 0.0001, whatever runs
beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np
from gguf.quants import dequantize

from tests.support.changed_gguf import write_changed

if TYPE_CHECKING:
    from pathlib import Path


def write_float_model(source: Path, path: Path) -> Path:
    """Copy a model with all weights in single precision, which are worth what the quantised ones are; returns the path.

    That of the default model has 513 MiB.
    """
    tensors = {
        tensor.name: dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for tensor in gguf.GGUFReader(source).tensors
    }
    return write_changed(source, path, entries={"general.file_type": None}, tensors=tensors)
