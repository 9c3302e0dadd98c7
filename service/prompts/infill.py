"""Infill prompts: a prefix and a suffix, framed by the model's tokens for filling in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import NotSupported
from service.prompts.prompt import Part, tokenize_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.prompts.vocabulary import Vocabulary


def tokenize_infill(
    prefix: Sequence[Part], suffix: Sequence[Part], vocabulary: Vocabulary, *, parse_special: bool = True
) -> list[int]:
    """Token ids of an infill prompt: the model's BOS, then the prefix and the suffix behind their marks.

    The BOS is added whether or not other prompts of this model begin with one: models are trained on infill prompts
    with it.

    Args:
        prefix: what stands before the gap; may be empty.
        suffix: what stands after it; may be empty.
        vocabulary: the model's.
        parse_special: recognise special tokens in texts.

    Raises:
        NotSupported: the model has no tokens for it.
    """
    marks = vocabulary.fim_tokens
    if marks is None:
        raise NotSupported("the model has no fill-in-the-middle tokens, without which infill prompts are not possible")
    return [
        *([] if vocabulary.bos_token is None else [vocabulary.bos_token]),
        marks.prefix,
        *tokenize_text(prefix, vocabulary, add_special=False, parse_special=parse_special),
        marks.suffix,
        *_tokenize_suffix(suffix, vocabulary, parse_special),
        marks.middle,
    ]


def _tokenize_suffix(parts: Sequence[Part], vocabulary: Vocabulary, parse_special: bool) -> list[int]:
    """The suffix without the blank that tokenising adds before a text: a suffix continues a line."""
    tokens = tokenize_text(parts, vocabulary, add_special=False, parse_special=parse_special)
    begins_with_text = bool(parts) and isinstance(parts[0], str) and parts[0] != ""
    return tokens[1:] if begins_with_text and tokens[:1] == _artificial_blank(vocabulary) else tokens


def _artificial_blank(vocabulary: Vocabulary) -> list[int]:
    """The token of the blank that the vocabulary adds before texts, as SentencePiece does; else nothing.

    It shows as a token of its own before a newline, which merges with nothing.
    """
    match vocabulary.tokenize("\n", parse_special=False):
        case [first, _, *_] if vocabulary.token_bytes(first) == b" ":
            return [first]
    return []
