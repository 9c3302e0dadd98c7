"""What tells one model from another: enough that cells of the one are never taken for cells of the other."""

from __future__ import annotations

import hashlib
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from service.config import ModelConfig

#: Bytes that are read of a file's beginning, where metadata and vocabulary are, ...
_HEAD_BYTES = 1 << 20
#: ... and in so many places all over it, where weights are. Models that differ in training differ everywhere.
_N_SAMPLES, _SAMPLE_BYTES = 64, 4096
_DIGITS = 16


def sequence_format(config: ModelConfig, files: Sequence[Path]) -> str:
    """See ``ModelInfo.sequence_format``.

    Args:
        config: how the model is loaded.
        files: of the model, in order.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(file_digest(path))
    # They change what the model computes for a token at a position.
    changes = (
        config.kv_overrides,
        config.rope_scaling,
        config.rope_freq_base,
        config.rope_freq_scale,
        config.yarn_ext_factor,
        config.yarn_attn_factor,
        config.yarn_beta_slow,
        config.yarn_beta_fast,
        config.yarn_orig_ctx,
    )
    digest.update(repr(changes).encode())
    return (
        f"model {digest.hexdigest()[:_DIGITS]}, cache of {config.cache_type_k} and {config.cache_type_v}, "
        f"llama.cpp of llama-cpp-python {metadata.version('llama-cpp-python')}"
    )


def file_digest(path: Path) -> bytes:
    """A digest of a file's size, its beginning, and samples of all the rest.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest.update(size.to_bytes(8, "little"))
        file.seek(0)
        digest.update(file.read(_HEAD_BYTES))
        for number in range(1, _N_SAMPLES + 1):
            file.seek(max(0, size * number // _N_SAMPLES - _SAMPLE_BYTES))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.digest()
