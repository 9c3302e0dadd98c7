"""Places of pictures in prompts that are tokenised before their pictures are encoded.

Encoding takes seconds, so all else about a request is found out first. Until then each picture of a prompt is a single
number among the token ids, its place, which is below 0 and so equals no token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import InvalidArgument
from service.prompts.paced import WrappedVocabulary
from service.prompts.templates import secret_digits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.prompts.vocabulary import Vocabulary

#: What stands for a picture where a conversation is shown as text.
PLACEHOLDER = "<__image__>"
_N_NUMBER_DIGITS = 4


def place_of(number: int) -> int:
    """The place of a prompt's picture among its tokens; pictures are numbered from 0."""
    return -1 - number


def number_at(place: int) -> int:
    """The number of the picture at a place."""
    return -1 - place


class PictureMarks:
    """Marks for the pictures of one conversation: what a chat template sees in their places."""

    def __init__(self) -> None:
        self._secret = secret_digits()

    def mark(self, number: int) -> str:
        """The mark of a picture."""
        return f"{self._secret}{number:0{_N_NUMBER_DIGITS}}"

    def shown(self, text: str) -> str:
        """A text with placeholders in place of the marks."""
        return "".join(PLACEHOLDER if isinstance(part, int) else part for part in self.split(text))

    def split(self, text: str) -> list[str | int]:
        """The numbers of the pictures in a text, and the texts around them that are not empty."""
        first, *others = text.split(self._secret)
        parts: list[str | int] = [first] if first else []
        for other in others:
            number, behind = other[:_N_NUMBER_DIGITS], other[_N_NUMBER_DIGITS:]
            # A template may have cut a mark; then ``check`` misses it.
            parts += [int(number)] if len(number) == _N_NUMBER_DIGITS and number.isdecimal() else [number]
            parts += [behind] if behind else []
        return parts

    def check(self, text: str, fields: Sequence[str]) -> None:
        """Check that a chat template wrote each picture once.

        Args:
            text: what it wrote.
            fields: paths of the pictures, for errors.

        Raises:
            InvalidArgument: it did not.
        """
        found = self.split(text)
        for number, field in enumerate(fields):
            n_times = found.count(number)
            if n_times != 1:
                how = f"writes it {n_times} times" if n_times else "leaves it out or changes it"
                raise InvalidArgument(
                    field, f"cannot stand in this message: the chat template {how}; allowed is where it is written once"
                )


class MarkedVocabulary(WrappedVocabulary):
    """A vocabulary that gives places for marks of pictures. What lies between two of them is a text of its own.

    Args:
        vocabulary: the model's.
        marks: of the conversation.
    """

    def __init__(self, vocabulary: Vocabulary, marks: PictureMarks) -> None:
        super().__init__(vocabulary)
        self._marks = marks

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """Token ids and places, chunk by chunk."""
        for part in self._marks.split(text):
            if isinstance(part, int):
                yield [place_of(part)]
            else:
                yield from super().token_steps(part, parse_special=parse_special)

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """Bytes of a token; those of the mark at a place."""
        return super().token_bytes(token, special) if token >= 0 else self._marks.mark(number_at(token)).encode()
