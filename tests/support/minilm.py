"""The sentence encoder all-MiniLM-L6-v2 as its package holds it: 22 million weights, and a WordPiece vocabulary."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Tensors = Mapping[str, npt.NDArray[np.float32]]

_PACKAGE = "all_minilm_l6_v2"
_DTYPES = {"F32": np.float32, "I64": np.int64}


@dataclass(frozen=True, slots=True)
class MiniLM:
    """The published model.

    Attributes:
        config: ``config.json``.
        pooling: ``1_Pooling/config.json``.
        tokens: the vocabulary by id, as WordPiece writes it: "##ing" continues a word, "[CLS]" is special.
        special_tokens: those of them that no text spells.
        tensors: the weights by the names of the published file.
    """

    config: Mapping[str, int | float | str]
    pooling: Mapping[str, int | bool]
    tokens: list[str]
    special_tokens: frozenset[str]
    tensors: Tensors


def read_minilm() -> MiniLM:
    """Read the installed package. It is not imported: that prints, and what runs it needs is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None, f"{_PACKAGE} is not installed"
    assert spec.origin is not None
    with zipfile.ZipFile(Path(spec.origin).with_name("model.zip")) as archive:
        tokenizer = json.loads(archive.read("tokenizer.json"))
        vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
        return MiniLM(
            config=json.loads(archive.read("config.json")),
            pooling=json.loads(archive.read("1_Pooling/config.json")),
            tokens=sorted(vocabulary, key=vocabulary.__getitem__),
            special_tokens=frozenset(token["content"] for token in tokenizer["added_tokens"]),
            tensors=_read_safetensors(archive.read("model.safetensors")),
        )


def _read_safetensors(data: bytes) -> Tensors:
    """Arrays of a file in the format https://github.com/huggingface/safetensors#format."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        raw = np.frombuffer(data[start + first : start + end], _DTYPES[entry["dtype"]])
        tensors[name] = raw.reshape(entry["shape"])
    return tensors
