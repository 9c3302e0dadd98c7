"""Which local file stands in for which of those that the tests of llama.cpp's server download.

It is imported whenever a test starts a server, so it imports nothing that takes long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: File names by what the tests ask for: repository and file, or the name in an address.
_FILES = {
    ("ggml-org/test-model-stories260K", None): "stories.gguf",
    ("ggml-org/models", "tinyllamas/stories260K.gguf"): "stories.gguf",
    ("ggml-org/models", "tinyllamas/split/stories15M-q8_0-00001-of-00003.gguf"): "split-00001-of-00003.gguf",
    ("ggml-org/test-model-stories260K-infill", None): "infill.gguf",
    ("ggml-org/stories15M_MOE", "stories15M_MOE-F16.gguf"): "one-word.gguf",
    ("ggml-org/models", "bert-bge-small/ggml-model-f16.gguf"): "encoder.gguf",
    ("ggml-org/models", "jina-reranker-v1-tiny-en/ggml-model-f16.gguf"): "ranker.gguf",
    ("ggml-org/tinygemma3-GGUF:Q8_0", None): "gemma.gguf",
}
_DOWNLOADS = {
    "moe_shakespeare15M.gguf": "adapter.gguf",
    "stories15M-q4_0.gguf": "one-word.gguf",
    "11_truck.png": "truck.png",
    "91_cat.png": "cat.png",
}
_PROJECTORS = {"gemma.gguf": "bidirectional-gemma-6x16.gguf"}


def model_for(folder: Path, repository: str, file: str | None) -> Path:
    """The model in place of one of a repository.

    Raises:
        KeyError: there is none.
    """
    return folder / _FILES[repository, file]


def download_for(folder: Path, address: str) -> Path | None:
    """The file in place of one that is downloaded by its address, or None if there is none."""
    name = _DOWNLOADS.get(address.rpartition("/")[2])
    return None if name is None else folder / name


def projector_for(model: Path) -> Path | None:
    """The projector that belongs to a model, or None."""
    name = _PROJECTORS.get(model.name)
    return None if name is None else model.with_name(name)
