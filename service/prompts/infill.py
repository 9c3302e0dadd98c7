"""Infill prompts: a prefix and a suffix, framed by the model's tokens for filling in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.errors import NotSupported
from service.prompts.prompt import Part, bos, tokenize_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.prompts.vocabulary import FimTokens, Vocabulary

#: What stands before each file where the model has no mark for that.
_SNIPPET = "\n\n--- snippet ---\n\n"


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A text beside the one with the gap."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Repository:
    """The files around the one with the gap.

    Attributes:
        name: of the repository.
        files: in order.
        current_file: name of the one with the gap.
    """

    name: str
    files: tuple[RepositoryFile, ...]
    current_file: str


def tokenize_repository(
    repository: Repository,
    prefix: Sequence[Part],
    suffix: Sequence[Part],
    vocabulary: Vocabulary,
    *,
    n_room: int,
    file_vocabulary: Vocabulary | None = None,
    parse_special: bool = True,
) -> list[int]:
    """Token ids of an infill prompt behind other files, in the order of llama.cpp's server.

    The files stand before the BOS, which is there only if the model wants one in front of prompts. Each is named behind
    the model's mark for files, or set apart by a line if it has none. Names and texts of files name no special tokens.

    Args:
        repository: the files.
        prefix, suffix, vocabulary, parse_special: as in ``tokenize_infill``.
        n_room: tokens of the whole prompt; the beginning of the files is left out if they do not fit, and files that
            are left out whole are not tokenised.
        file_vocabulary: tokenises the files, if the other one is bounded.

    Raises:
        NotSupported: the model has no tokens for it.
    """
    marks = _marks(vocabulary)
    gap = [
        *bos(vocabulary),
        marks.prefix,
        *tokenize_text(prefix, vocabulary, add_special=False, parse_special=parse_special),
        marks.suffix,
        *tokenize_text(suffix, vocabulary, add_special=False, parse_special=parse_special),
        marks.middle,
    ]
    n_kept = max(0, n_room - len(gap))
    return [*_repository_end(repository, marks, file_vocabulary or vocabulary, n_kept), *gap]


def _repository_end(repository: Repository, marks: FimTokens, vocabulary: Vocabulary, n_kept: int) -> list[int]:
    """The last tokens of a repository, at most ``n_kept``."""
    kept: list[list[int]] = []
    n_missing = n_kept
    pieces = _repository_from_its_end(repository, marks, vocabulary)
    # Asked for only if it is needed: the next piece may be a long file.
    while n_missing and (tokens := next(pieces, None)) is not None:
        kept.append(tokens[-n_missing:])
        n_missing -= len(kept[-1])
    return [token for tokens in reversed(kept) for token in tokens]


def _repository_from_its_end(repository: Repository, marks: FimTokens, vocabulary: Vocabulary) -> Iterator[list[int]]:
    def plain(text: str) -> list[int]:
        return vocabulary.tokenize(text, parse_special=False)

    if marks.file is not None:
        yield [marks.file, *plain(f"{repository.current_file}\n")]
    for file in reversed(repository.files):
        yield plain(file.text)
        yield plain(_SNIPPET) if marks.file is None else [marks.file, *plain(f"{file.name}\n")]
    if marks.repository is not None:
        yield [marks.repository, *plain(f"{repository.name}\n")]


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
    marks = _marks(vocabulary)
    return [
        *([] if vocabulary.bos_token is None else [vocabulary.bos_token]),
        marks.prefix,
        *tokenize_text(prefix, vocabulary, add_special=False, parse_special=parse_special),
        marks.suffix,
        *_tokenize_suffix(suffix, vocabulary, parse_special),
        marks.middle,
    ]


def _marks(vocabulary: Vocabulary) -> FimTokens:
    if vocabulary.fim_tokens is None:
        raise NotSupported("the model has no fill-in-the-middle tokens, without which infill prompts are not possible")
    return vocabulary.fim_tokens


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
