"""Cuts texts into chunks that the library tokenises one by one, so that their tokens are those of the whole text.

The time that the library takes grows with the square of the number of special tokens in a call: it keeps a linked list
of what lies between them, and walks along it for each one (measured: 98 s for 1.9 MB of short chat turns). So a chunk
has a few hundred of them at most. Chunks also are where tokenising can be given up: a call cannot be interrupted.

A cut changes nothing

- beside a special token that the library is certain to find there. It looks for the longest names first, and for each
  of them from left to right. So a name is found for certain if no other name of at least its length overlaps it, nor
  the same name from the left. The library then cuts the text on both sides of it anyway. Special tokens that take the
  blanks beside them (LSTRIP, RSTRIP) keep these in their chunk.
- between a letter and a blank before a letter, if no token of the vocabulary has both. All pre-tokenizers of BPE
  vocabularies end a word there, or join words that no token joins; so do SentencePiece and WordPiece. If the vocabulary
  puts a blank in front of texts, that blank takes the place of the one at the cut.

Where there is neither, texts of BPE vocabularies are cut in front of punctuation, or anywhere: the tokens at such a cut
may differ from those of the whole text. For other vocabularies a chunk reaches to the next place where a cut changes
nothing. In two cases, which no known vocabulary has, texts are cut in front of a name all the same: among hundreds of
overlapping names of one length, and among hundreds of names made of blanks if special tokens take blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

#: Most characters of a chunk: some 15 ms of tokenising.
MAX_CHARS = 32 << 10
#: Special tokens of a chunk, about: 0.3 ms of walking along the list.
MAX_NAMES = 256

_LETTER = r"[^\W\d_]"
_WORD_END = re.compile(rf"(?<={_LETTER})(?=[ ]{_LETTER}|\n)")
_WORD_END_AT_BLANK = re.compile(rf"(?<={_LETTER})(?=[ ]{_LETTER})")
_BEFORE_PUNCTUATION = re.compile(r"(?<=\w)(?=[.,;!?\u3001\u3002\uff0c\uff1b\uff01\uff1f\u2026])")
#: A token may also have only the last bytes of a letter.
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
    """Properties of a vocabulary that decide where texts may be cut.

    Attributes:
        cuts_words: whether texts may be cut at the end of a word: the tokenizer keeps words apart, and no token has the
            end of one word and the beginning of the next.
        cuts_anywhere: whether texts may be cut anywhere if nothing else is possible.
        puts_blank: whether the tokenizer puts a blank in front of a text, and behind special tokens.
    """

    cuts_words: bool
    cuts_anywhere: bool
    puts_blank: bool


def spans_word_end(pieces: Iterable[bytes]) -> bool:
    """Whether one of the tokens has a letter followed by a blank or a line end."""
    return _SPANS_WORD_END.search(b"\0".join(pieces).decode(errors="replace")) is not None


def split_at(text: str, name: Name, token: int) -> list[int | str]:
    """A text with a token in place of each occurrence of its name and of the blanks that the token takes."""
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
        # A special token that takes blanks may take those at the end of another name, which is then not found.
        takes_blanks = any(name.strips_left or name.strips_right for name in self._names.values())
        self._edges = frozenset(_BLANKS if takes_blanks else "")
        self._pattern = re.compile(_alternatives(self._names)) if self._names else None
        self._rules = rules
        self._word_end = _WORD_END_AT_BLANK if rules.puts_blank else _WORD_END

    def chunks(self, text: str) -> Iterator[str]:
        """The chunks of a text, in order; none is empty."""
        start = 0
        while start < len(text):
            end, is_word_end = self._end_of_chunk(text, start)
            yield text[start:end]
            # The tokenizer puts back the blank that is left out here.
            start = end + 1 if is_word_end and self._rules.puts_blank else end

    def names_in(self, text: str) -> set[str]:
        """All names that a text has anywhere."""
        found, _ = self.occurrences(text, 0, len(text), len(text))
        longest = {text[begin:end] for begin, end in found}
        return {name for name in self._names if any(one.startswith(name) for one in longest)}

    def _end_of_chunk(self, text: str, start: int) -> tuple[int, bool]:
        """Where the chunk from ``start`` on ends, and whether that is the end of a word."""
        n_chars = MAX_CHARS
        # Enough to see a name to its end even if others begin at each of its characters.
        most_names = max(MAX_NAMES, 2 * self._longest)
        while True:
            found, limit = self.occurrences(text, start, min(start + n_chars, len(text)), most_names)
            if limit == len(text) and len(found) <= most_names:
                return limit, False
            at_name = self._last_certain(text, start, found, limit)
            # A chunk ends at a name only if it has many of them, or could end nowhere else.
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

    def occurrences(self, text: str, start: int, limit: int, most: int) -> tuple[list[tuple[int, int]], int]:
        """Where names are in ``text[start:limit]``.

        Args:
            text, start, limit: where to look; names that begin there may end behind.
            most: how many are enough.

        Returns:
            Begin and end of the longest name at each place where one begins, and up to where all are known.
        """
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
    """The last match in the second half of a chunk that neither lies inside of a name nor touches one."""
    places = [match.start() for match in pattern.finditer(text, start + (limit - start) // 2, limit)]
    for place in reversed(places):
        if not any(begin <= place + 1 and end >= place for begin, end in found):
            return place
    return None


def _outside(found: list[tuple[int, int]], start: int, place: int) -> int:
    """The place, unless a name is around it: then the place in front of that name; behind ``start``."""
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
