"""Text that is read while it comes.

Readers are generators: where they need more text than there is, they yield, and go on when more has come. So they are
written as if all text were there, and each character is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

#: A reader in progress; yields where it needs more text.
Reading = Generator[None, None, T]

#: What may stand around markers.
BLANKS = " \t\r\n"
_JSON_PLAIN = re.compile(r'[^"\\{}\[\]]+')
_STRING_PLAIN = re.compile(r'[^"\\]+')
_SCALAR_END = frozenset(",]})" + BLANKS)


class Unreadable(Exception):
    """The text is not what a reader expects. The character that does not fit has not been taken."""


class Scanner:
    """The text that has come and was not read yet.

    Attributes:
        is_over: whether no more text will come.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._text = ""
        self._at = 0
        self._held: list[str] | None = None

    @property
    def is_at_end(self) -> bool:
        """Whether all text was taken, and no more will come."""
        return self.is_over and self._at >= len(self._text)

    @property
    def rest(self) -> str:
        """All that has come and was not taken."""
        if self._at:
            self._text, self._at = self._text[self._at :], 0
        return self._text

    def add(self, text: str) -> None:
        """More text has come."""
        self._text = self.rest + text

    def take(self, length: int) -> str:
        """Take so many characters, which must have come."""
        text = self._text[self._at : self._at + length]
        self._at += length
        if self._held is not None:
            self._held.append(text)
        return text

    def hold(self, taken: str = "") -> None:
        """Keep this, and what is taken from now on, in case it cannot be read after all."""
        self._held = [taken]

    def release(self) -> str:
        """What was taken since ``hold``; nothing is kept any more."""
        held, self._held = self._held, None
        return "".join(held or ())

    def peek(self) -> Reading[str]:
        """The next character, "" at the end; it is not taken."""
        while self._at >= len(self._text):
            if self.is_over:
                return ""
            yield
        return self._text[self._at]

    def skip_blanks(self) -> Reading[None]:
        """Take blanks and line breaks."""
        while (char := (yield from self.peek())) and char in BLANKS:
            self.take(1)

    def literal(self, text: str) -> Reading[None]:
        """Take exactly this text.

        Raises:
            Unreadable: another one comes.
        """
        for char in text:
            if (yield from self.peek()) != char:
                raise Unreadable
            self.take(1)

    def atoms(self, texts: Iterable[str]) -> Reading[None]:
        """Take these texts, with any blanks before each of them.

        Raises:
            Unreadable: others come.
        """
        for text in texts:
            yield from self.skip_blanks()
            yield from self.literal(text)

    def choose(self, texts: Iterable[str]) -> Reading[str]:
        """Take the first of some texts that is complete, none of which is empty.

        Raises:
            Unreadable: another one comes.
        """
        alive = list(dict.fromkeys(texts))
        length = 0
        while True:
            char = yield from self.peek()
            alive = [text for text in alive if char and text[length] == char]
            if not alive:
                raise Unreadable
            self.take(1)
            length += 1
            for text in alive:
                if len(text) == length:
                    return text

    def next_of(self, texts: Iterable[str]) -> Reading[str]:
        """The longest of some texts that comes next, "" if none does; it is not taken. No text may be empty."""
        texts = sorted(texts, key=len, reverse=True)
        while True:
            rest = self.rest
            if not self.is_over and any(len(text) > len(rest) and text.startswith(rest) for text in texts):
                yield
                continue
            return next(filter(rest.startswith, texts), "")

    def expect_one_of(self, texts: Iterable[str]) -> Reading[str]:
        """Take the longest of some texts that comes next.

        Raises:
            Unreadable: another one comes. If the text ends in the middle of one of them, all of it was taken.
        """
        texts = tuple(texts)
        found = yield from self.next_of(texts)
        if not found:
            rest = self.rest
            if self.is_over and any(text.startswith(rest) for text in texts):
                self.take(len(rest))
            raise Unreadable
        return self.take(len(found))

    def optional(self, text: str) -> Reading[bool]:
        """Take this text if it comes next; whether it did."""
        found = bool(text) and bool((yield from self.next_of([text])))
        if found:
            self.take(len(text))
        return found

    def until(self, marks: Marks, sink: Callable[[str], None]) -> Reading[str | None]:
        """Pass text on, up to the first of some marks, which is taken and returned; None at the end of the text."""
        while True:
            rest = self.rest
            found = marks.search(rest, is_over=self.is_over)
            if found is not None:
                start, mark = found
                if start:
                    sink(self.take(start))
                self.take(len(mark))
                return mark
            n_free = len(rest) if self.is_over else marks.n_free(rest)
            if n_free:
                sink(self.take(n_free))
            if self.is_over:
                return None
            yield

    def json_string(self) -> Reading[str]:
        """Take a string of JSON, with its quotes.

        Raises:
            Unreadable: something else comes.
        """
        taken = [self.take(1)] if (yield from self.peek()) == '"' else []
        if not taken:
            raise Unreadable
        while True:
            char = yield from self.peek()
            if not char:
                raise Unreadable
            if char == '"':
                return "".join([*taken, self.take(1)])
            if char == "\\":
                taken.append(self.take(1))
                if not (yield from self.peek()):
                    raise Unreadable
                taken.append(self.take(1))
                continue
            plain = _STRING_PLAIN.match(self._text, self._at)
            assert plain is not None
            taken.append(self.take(len(plain.group())))

    def json_value(self) -> Reading[str]:
        """Take a value of JSON, without looking whether it is one inside.

        Raises:
            Unreadable: nothing that might be a value comes, or it does not end.
        """
        char = yield from self.peek()
        if char == '"':
            return (yield from self.json_string())
        taken: list[str] = []
        if char in ("{", "["):
            if not (yield from self.brackets(taken.append)):
                raise Unreadable
            return "".join(taken)
        while (char := (yield from self.peek())) and char not in _SCALAR_END:
            taken.append(self.take(1))
        if not taken or not char:
            raise Unreadable
        return "".join(taken)

    def brackets(self, sink: Callable[[str], None]) -> Reading[bool]:
        """Pass on what comes up to the bracket that closes the first one; False if the text ends before that.

        Brackets in strings do not count. ``sink`` gets text as it comes.
        """
        depth, in_string = 0, False
        while True:
            if not (yield from self.peek()):
                return False
            start = at = self._at
            text = self._text
            while at < len(text):
                plain = (_STRING_PLAIN if in_string else _JSON_PLAIN).match(text, at)
                if plain is not None:
                    at = plain.end()
                    continue
                char = text[at]
                if in_string:
                    if char == "\\":
                        if at + 1 == len(text):
                            break
                        at += 1
                    else:
                        in_string = False
                elif char == '"':
                    in_string = True
                elif char in "{[":
                    depth += 1
                elif char in "}]":
                    depth -= 1
                at += 1
                if depth == 0:
                    sink(self.take(at - start))
                    return True
            if at > start:
                sink(self.take(at - start))
            elif self.is_over:
                sink(self.take(len(text) - at))
            if not self.is_over and self._at < len(self._text):
                yield


class Marks:
    """Texts that are searched for while text comes; none is empty.

    The one that begins first is found, and the longest of those that begin at the same place.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted(dict.fromkeys(texts), key=len, reverse=True))
        self._pattern = re.compile("|".join(map(re.escape, self.texts))) if self.texts else None
        self._beginnings = frozenset(text[:length] for text in self.texts for length in range(1, len(text)))
        self._longest = max(map(len, self._beginnings), default=0)

    def search(self, text: str, *, is_over: bool) -> tuple[int, str] | None:
        """Where the first mark begins, and which it is; None if that is not certain yet, or there is none."""
        match = self._pattern.search(text) if self._pattern is not None else None
        if match is None:
            return None
        # A longer one may begin at the same place or before, and not be complete yet.
        if not is_over and self.n_free(text) <= match.start():
            return None
        return match.start(), match.group()

    def n_free(self, text: str) -> int:
        """How many characters of the text, from its start, cannot belong to a mark whose end has not come yet."""
        for start in range(max(0, len(text) - self._longest), len(text)):
            if text[start:] in self._beginnings:
                return start
        return len(text)


def atoms(text: str, control_tokens: Iterable[str] = ()) -> tuple[str, ...]:
    """The parts of a marker between which blanks do not matter: what is between blanks, and control tokens."""
    names = sorted(filter(None, control_tokens), key=len, reverse=True)
    pattern = "|".join([*(f"({re.escape(name)})" for name in names), r"\s+"])
    return tuple(part for part in re.split(pattern, text) if part and not part.isspace())
