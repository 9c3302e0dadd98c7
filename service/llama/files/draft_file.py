"""Checks that a draft model has the vocabulary of the model for which it guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.llama.files.gguf import GgufArray
from service.llama.load_errors import ModelLoadError
from slotline.protocol.excerpt import quoted

if TYPE_CHECKING:
    from pathlib import Path

    from service.llama.files.metadata import Metadata

#: Tokens that one of the two may have at the end, and the other one not: models of one family are padded differently.
MAX_PADDING = 128
_TOKENIZER, _TOKENS = "tokenizer.ggml.model", "tokenizer.ggml.tokens"
#: Tokens that must be the same in both.
_SPECIALS = ("tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id")
_MAX_SHOWN = 32


def check_draft_vocabulary(path: Path, draft: Metadata, model: Metadata) -> None:
    """Check that the first tokens of both are the same, all but some padding.

    Args:
        path: the file of the draft model.
        draft, model: metadata of both.

    Raises:
        ModelLoadError: they are not.
    """
    problem = _difference(draft, model)
    if problem:
        raise ModelLoadError(
            f"draft model file {path} has another vocabulary than the model: {problem}; `draft_path` must name a model "
            "of the same family"
        )


def _difference(draft: Metadata, model: Metadata) -> str:
    """What differs, in words; empty if nothing does."""
    if draft.get(_TOKENIZER) != model.get(_TOKENIZER):
        return f"its {_TOKENIZER} is {draft.get(_TOKENIZER)!r}, not {model.get(_TOKENIZER)!r}"
    drafts, models = _texts(draft), _texts(model)
    if abs(len(drafts) - len(models)) > MAX_PADDING:
        return f"it has {len(drafts)} tokens, not {len(models)}"
    for token, (text, expected) in enumerate(zip(drafts, models, strict=False)):
        if text != expected:
            return f"its token {token} is {_show(text)}, not {_show(expected)}"
    for key in _SPECIALS:
        if draft.get(key) != model.get(key):
            return f"its {key} is {draft.get(key)}, not {model.get(key)}"
    return ""


def _texts(metadata: Metadata) -> tuple[bytes, ...]:
    tokens = metadata.get(_TOKENS)
    return tokens.texts if isinstance(tokens, GgufArray) else ()


def _show(text: bytes) -> str:
    return quoted(text.decode("utf-8", "backslashreplace"), _MAX_SHOWN)
