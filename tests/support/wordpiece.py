"""WordPiece as uncased BERT's tokenizer.json asks for it, to check tokens with.

The steps are those of https://github.com/huggingface/tokenizers: BertNormalizer (clean_text, handle_chinese_chars,
strip_accents, lowercase), BertPreTokenizer, WordPiece.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Words with more characters become the unknown token.
MAX_WORD = 100
_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPiece:
    """Text to ids of a vocabulary in which "##" marks what continues a word."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._ids = {token: number for number, token in enumerate(tokens)}

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text between those of [CLS] and [SEP]; names of special tokens in the text are just text."""
        ids = [self._ids["[CLS]"]]
        for word in _words(_normalize(text)):
            ids += self._pieces(word)
        return [*ids, self._ids["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """The longest tokens from the left; the unknown token if they do not reach the end."""
        ids: list[int] = []
        start = 0
        while start < len(word) <= MAX_WORD:
            prefix = "##" if start else ""
            end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in self._ids), None)
            if end is None:
                break
            ids.append(self._ids[prefix + word[start:end]])
            start = end
        return ids if ids and start == len(word) else [self._ids["[UNK]"]]


def _normalize(text: str) -> str:
    characters = []
    for character in text:
        if character in "\0\ufffd" or (_is_control(character) and character not in "\t\n\r"):
            continue
        if _is_space(character):
            characters.append(" ")
        elif any(first <= ord(character) <= last for first, last in _CHINESE):
            characters.append(f" {character} ")
        else:
            characters.append(character)
    decomposed = unicodedata.normalize("NFD", "".join(characters))
    return "".join(character for character in decomposed if unicodedata.category(character) != "Mn").lower()


def _words(text: str) -> list[str]:
    """Split at spaces, and around each punctuation character."""
    spaced = "".join(f" {character} " if _is_punctuation(character) else character for character in text)
    return spaced.split()


def _is_space(character: str) -> bool:
    return character in "\t\n\r" or unicodedata.category(character) == "Zs"


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co")


def _is_punctuation(character: str) -> bool:
    is_ascii_symbol = character.isascii() and character.isprintable() and not (character.isalnum() or character == " ")
    return is_ascii_symbol or unicodedata.category(character).startswith("P")
