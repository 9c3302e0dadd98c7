"""Writes the tokenizer of a GGUF file the way Hugging Face's libraries read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gguf import GGUFReader

if TYPE_CHECKING:
    from pathlib import Path

#: ``tokenizer.ggml.token_type`` of control tokens.
_CONTROL = 3


def write_tokenizer(model: Path, folder: Path) -> Path:
    """The folder with the byte-level BPE tokenizer of a model that splits numbers into digits, as SmolLM2 does."""
    fields = GGUFReader(model).fields
    tokens, merges, kinds = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "token_type"))
    names = [tokens[index] for index, kind in enumerate(kinds) if kind == _CONTROL]
    bytes_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": index,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, name in enumerate(tokens)
            if name in names
        ],
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_level],
        },
        "decoder": bytes_level,
        "model": {
            "type": "BPE",
            "vocab": {name: index for index, name in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in merges],
        },
    }
    end = tokens[fields["tokenizer.ggml.eos_token_id"].contents()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end, "pad_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
