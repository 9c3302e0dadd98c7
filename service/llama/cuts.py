"""Cuts texts into pieces that the library tokenises one by one, to the tokens of the whole text.

The library takes quadratic time in the special tokens of one call: it keeps a linked list of what lies between them and
walks it from the front for each one (measured: 1.9 MB of short chat turns, 98 s). So it is given a few hundred of them
at a time. Pieces are also what can be stopped between: nothing interrupts a call.

Where a cut changes nothing:

- At either side of a special token that the library is certain to find there. It looks for the longest names first, and
  for each from left to right, so that is a name which no other one of at least its length overlaps, nor itself from the
  left. Both sides are then fragments of their own anyway. Tokens that eat the blanks beside them keep these.
- Between a letter and a blank before a letter, if no token of the vocabulary spans the two. All splitters of BPE
  vocabularies end a word there, or join words that no token joins; so do SentencePiece and WordPiece. Where the
  vocabulary puts a blank in front of texts, that one stands for the blank of the cut.

Where there is neither, BPE texts are cut in front of punctuation, or anywhere: tokens there may differ from those of
the whole text. Other vocabularies get all of the text up to the next good place. Two cases, which no known vocabulary
has, are cut in front of a name: hundreds of names of one length that overlap each other, and hundreds of names made of
blanks where special tokens eat blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

#: Characters of a piece: some 15 ms of tokenising.
MAX_CHARS = 32 << 10
#: Special tokens of a piece, about: 0.3 ms of walking along the list.
MAX_NAMES = 256

_LETTER = r"[^\W\d_]"
_WORD_END = re.compile(rf"(?<={_LETTER})(?=[ ]{_LETTER}|\n)")
_WORD_END_AT_BLANK = re.compile(rf"(?<={_LETTER})(?=[ ]{_LETTER})")
_BEFORE_PUNCTUATION = re.compile(r"(?<=\w)(?=[.,;!?\u3001\u3002\uff0c\uff1b\uff01\uff1f\u2026])")
#: A token may also have but the last bytes of a letter.
_SPANS_WORD_END = re.compile(rf"(?:{_LETTER}|\ufffd)[ \n]")
#: What the C library's ``isspace`` is true for.
_BLANKS = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class Name:
    """How a special token is found in texts.

    Attributes:
        text: what it is called.
        strips_left, strips_right: whether the blanks before or behind it belong to it.
    """

    text: str
    strips_left: bool = False
    strips_right: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What of a vocabulary decides about cuts.

    Attributes:
        cuts_words: whether it is of a kind that keeps words apart, and none of its tokens spans the end of a word.
        cuts_anywhere: whether texts without a good place are cut elsewhere.
        puts_blank: whether it puts a blank in front of a text, and behind special tokens.
    """

    cuts_words: bool
    cuts_anywhere: bool
    puts_blank: bool


def spans_word_end(pieces: Iterable[bytes]) -> bool:
    """Whether one of the tokens has a letter followed by a blank or a line end."""
    return _SPANS_WORD_END.search(b"\0".join(pieces).decode(errors="replace")) is not None


def split_at(text: str, name: Name, token: int) -> list[int | str]:
    """A text with a token in each place of its name, without the blanks that belong to the token."""
    first, *others = text.split(name.text)
    parts: list[int | str] = []
    for other in others:
        parts += [first.rstrip(_BLANKS) if name.strips_left else first, token]
        first = other.lstrip(_BLANKS) if name.strips_right else other
    return [part for part in (*parts, first) if part != ""]


class Cutter:
    """Cuts texts; any thread.

    Args:
        names: of the special tokens that are recognised.
        rules: the vocabulary's.
    """

    def __init__(self, names: Collection[Name], rules: Rules) -> None:
        self._names = {name.text: name for name in names if name.text}
        self._n_bytes = {text: len(text.encode(errors="surrogatepass")) for text in self._names}
        self._longest = max(map(len, self._names), default=0)
        # What eats blanks could eat those at the end of another name, which is then not found.
        eats = any(name.strips_left or name.strips_right for name in self._names.values())
        self._edges = frozenset(_BLANKS if eats else "")
        self._pattern = re.compile(_alternatives(self._names)) if self._names else None
        self._rules = rules
        self._word_end = _WORD_END_AT_BLANK if rules.puts_blank else _WORD_END

    def pieces(self, text: str) -> Iterator[str]:
        """What to tokenise in turn; none is empty."""
        start = 0
        while start < len(text):
            end, is_word_end = self._end_of_piece(text, start)
            yield text[start:end]
            # The vocabulary puts back what is left out here.
            start = end + 1 if is_word_end and self._rules.puts_blank else end

    def names_in(self, text: str) -> set[str]:
        """All names that a text has anywhere."""
        found, _ = self._occurrences(text, 0, len(text), len(text))
        longest = {text[begin:end] for begin, end in found}
        return {name for name in self._names if any(one.startswith(name) for one in longest)}

    def _end_of_piece(self, text: str, start: int) -> tuple[int, bool]:
        """Where the piece from ``start`` on ends, and whether that is the end of a word."""
        n_chars = MAX_CHARS
        # Enough to see one to its end where they overlap at every character.
        most_names = max(MAX_NAMES, 2 * self._longest)
        while True:
            found, limit = self._occurrences(text, start, min(start + n_chars, len(text)), most_names)
            if limit == len(text) and len(found) <= most_names:
                return limit, False
            at_name = self._last_certain(text, start, found, limit)
            # Names end a piece only if there are many of them, or nothing else does.
            if at_name is not None and (len(found) > most_names or at_name - start > n_chars // 2):
                return at_name, False
            at_word = _last_place(self._word_end, text, start, limit, found) if self._rules.cuts_words else None
            if at_word is not None:
                return at_word, True
            if at_name is not None:
                return at_name, False
            if len(found) > most_names:
                return found[-1][0], False
            if self._rules.cuts_anywhere:
                at_mark = _last_place(_BEFORE_PUNCTUATION, text, start, limit, found)
                return at_mark or _outside(found, start, limit), False
            n_chars *= 2

    def _occurrences(self, text: str, start: int, limit: int, most: int) -> tuple[list[tuple[int, int]], int]:
        """The longest name at each place where one begins, and up to where all are known; stops at many of them."""
        found: list[tuple[int, int]] = []
        if self._pattern is None:
            return found, limit
        end = min(limit + self._longest, len(text))
        match = self._pattern.search(text, start, end)
        while match is not None and match.start() < limit:
            found.append(match.span())
            if len(found) > most:
                return found, match.start()
            match = self._pattern.search(text, match.start() + 1, end)
        return found, limit

    def _last_certain(self, text: str, start: int, found: list[tuple[int, int]], limit: int) -> int | None:
        """The last place beside a name that is certain to be found."""
        for index in range(len(found) - 1, -1, -1):
            begin, end = found[index]
            if end > limit or not self._is_certain(text, found, index):
                continue
            name = self._names[text[begin:end]]
            if not (name.strips_right and text[end : end + 1] in self._edges):
                return end
            if begin > start and not (name.strips_left and text[begin - 1] in self._edges):
                return begin
        return None

    def _is_certain(self, text: str, found: list[tuple[int, int]], index: int) -> bool:
        begin, end = found[index]
        name = text[begin:end]
        if name[0] in self._edges or name[-1] in self._edges:
            return False
        for other_begin, other_end in found[index + 1 :]:
            if other_begin >= end:
                break
            other = text[other_begin:other_end]
            if other != name and self._n_bytes[other] >= self._n_bytes[name]:
                return False
        for other_begin, other_end in reversed(found[:index]):
            if other_begin <= begin - self._longest:
                break
            if other_end > begin and self._n_bytes[text[other_begin:other_end]] >= self._n_bytes[name]:
                return False
        return True


def _last_place(
    pattern: re.Pattern[str], text: str, start: int, limit: int, found: list[tuple[int, int]]
) -> int | None:
    """The last match in the second half of a piece that neither lies inside of a name nor touches one."""
    places = [match.start() for match in pattern.finditer(text, start + (limit - start) // 2, limit)]
    for place in reversed(places):
        if not any(begin <= place + 1 and end >= place for begin, end in found):
            return place
    return None


def _outside(found: list[tuple[int, int]], start: int, place: int) -> int:
    """The place, or that in front of a name which it is inside of; behind ``start``."""
    return min((begin for begin, end in found if start < begin < place < end), default=place)


def _alternatives(names: Iterable[str]) -> str:
    """A pattern for the longest of some names, in time that does not depend on how many there are."""
    root: _Node = _Node()
    for name in names:
        node = root
        for character in name:
            node = node.children.setdefault(character, _Node())
        node.is_end = True
    return root.pattern()


@dataclass(slots=True)
class _Node:
    """What names have in common up to a character."""

    children: dict[str, _Node] = field(default_factory=dict)
    is_end: bool = False

    def pattern(self) -> str:
        """What may follow; the longest first."""
        prefix, node = "", self
        while len(node.children) == 1 and not node.is_end:
            ((character, node),) = node.children.items()
            prefix += re.escape(character)
        if not node.children:
            return prefix
        branches = "|".join(re.escape(character) + child.pattern() for character, child in node.children.items())
        return f"{prefix}(?:{branches}){'?' if node.is_end else ''}"
