"""Turns what was sent as a prompt, texts, token ids and pictures, into token ids and places of pictures.

BOS comes first if the model wants one and the prompt begins with text or a picture. Ids from the caller are never
changed, and a prompt that begins with them gets no BOS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.errors import InvalidArgument

if TYPE_CHECKING:
    from service.prompts.vocabulary import Vocabulary

#: A text, ids, or the place of a picture (``service.prompts.pictures``) alone.
Part = str | Sequence[int]

#: An empty prompt is treated as this: there must be something to continue.
BLANK = " "


def tokenize_prompt(text: str, vocabulary: Vocabulary, *, parse_special: bool = True) -> list[int]:
    """Token ids of a text prompt: BOS if the model wants one; an empty prompt is treated as one blank.

    Args:
        text: the prompt.
        vocabulary: the model's.
        parse_special: recognise special tokens in the text.
    """
    return tokenize_parts([text or BLANK], vocabulary, parse_special=parse_special)


def tokenize_parts(parts: Sequence[Part], vocabulary: Vocabulary, *, parse_special: bool = True) -> list[int]:
    """Token ids of parts in order; only ids that come first get no BOS. The result may be empty."""
    tokens: list[int] = bos(vocabulary) if parts and not is_ids(parts[0]) else []
    for part in parts:
        tokens += vocabulary.tokenize(part, parse_special=parse_special) if isinstance(part, str) else part
    return tokens


def is_ids(part: Part) -> bool:
    """Whether a part is token ids, which are taken as they are; an empty part may be."""
    return not isinstance(part, str) and not (len(part) == 1 and part[0] < 0)


def with_bos(tokens: list[int], vocabulary: Vocabulary) -> list[int]:
    """The tokens of a rendered conversation behind a BOS, if the model wants one and the template wrote none."""
    head = bos(vocabulary)
    return tokens if tokens[:1] == head else head + tokens


def tokenize_embedding_input(parts: Sequence[Part], vocabulary: Vocabulary) -> list[int]:
    """Token ids of an input to embed, with the model's own tokens around it where it does not begin or end with ids.

    These are BOS and EOS for models that want them, CLS and SEP for BERT. Special tokens are recognised, an input of
    nothing but empty texts is treated as one blank, and ids are taken as they are. The result may be empty.
    """
    is_empty = bool(parts) and all(part == "" for part in parts)
    return tokenize_text([BLANK] if is_empty else parts, vocabulary, add_special=True, parse_special=True)


def tokenize_text(
    parts: Sequence[Part], vocabulary: Vocabulary, *, add_special: bool, parse_special: bool
) -> list[int]:
    """Token ids of parts in order, outside of a prompt.

    Args:
        parts: in order; ids are copied.
        vocabulary: the model's.
        add_special: put the model's BOS in front unless the first part is ids, and its EOS or SEP at the end unless the
            last one is.
        parse_special: recognise special tokens in text.
    """
    tokens: list[int] = []
    for part in parts:
        tokens += vocabulary.tokenize(part, parse_special=parse_special) if isinstance(part, str) else part
    if add_special and parts:
        if not is_ids(parts[0]):
            tokens = bos(vocabulary) + tokens
        if not is_ids(parts[-1]):
            tokens += closing(vocabulary)
    return tokens


def detokenize(ids: Sequence[int], vocabulary: Vocabulary, *, skip_special: bool) -> bytes:
    """The bytes of tokens; control tokens by name unless they are skipped."""
    return b"".join(vocabulary.token_bytes(token, special=not skip_special) for token in ids)


def check_ids(ids: Sequence[int], n_vocab: int, field: str) -> tuple[int, ...]:
    """The ids, all of them inside the vocabulary.

    Raises:
        InvalidArgument: names the first offender as ``field[position]``.
    """
    checked = tuple(ids)
    if checked and not (min(checked) >= 0 and max(checked) < n_vocab):
        position = next(index for index, token in enumerate(checked) if not 0 <= token < n_vocab)
        raise InvalidArgument(
            f"{field}[{position}]",
            f"{checked[position]} is not a token of this model; allowed are 0 to {n_vocab - 1}",
        )
    return checked


def bos(vocabulary: Vocabulary) -> list[int]:
    """The tokens in front of a text prompt: BOS, or nothing."""
    return [vocabulary.bos_token] if vocabulary.adds_bos and vocabulary.bos_token is not None else []


def closing(vocabulary: Vocabulary) -> list[int]:
    """The tokens that close a text: SEP, EOS, or nothing."""
    if vocabulary.adds_sep and vocabulary.sep_token is not None:
        return [vocabulary.sep_token]
    return [vocabulary.eos_token] if vocabulary.adds_eos and vocabulary.eos_token is not None else []
