"""Reading a large JSON text in small steps, with bounds on how much it may hold.

``json.loads`` is one call into C, which for megabytes of small values takes seconds, and no other thread of the process
runs meanwhile. Here each call into C is short, so that other threads run in between. A bound is enforced where it is
first exceeded, before the rest is read.
"""

from __future__ import annotations

import json
import re
import sys
from codecs import BOM_UTF8, utf_8_decode
from dataclasses import dataclass
from json import JSONDecodeError

from rest_adapter.errors import InvalidBody, InvalidRequest
from rest_adapter.json.decoding import HALVES, decoding, refuse_constant
from slotline.protocol.excerpt import excerpt

_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?"
#: Large arrays are mostly numbers, so runs of up to 1,024 of them are read at once.
_RUN = re.compile(rf"(?:{_NUMBER}[ \t\n\r]{{0,8}},[ \t\n\r]{{0,8}}){{8,1024}}")
#: Bytes that are turned into characters at once.
_PIECE = 1 << 20
#: Characters of a string that stand for themselves, ...
_PLAIN = re.compile(r'[^"\\\x00-\x1f]{0,65536}')
#: ... and those that do not, too: some of them, but never one half of a pair that is spelled with two escapes.
_CHARACTERS = re.compile(
    r'(?:[^"\\\x00-\x1f]{1,64}|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}){1,1024}(?:(?<=\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2})?'
)
_LONGEST_ESCAPE = len("\\u0000")
_BLANKS = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)
#: Characters of a path that an error shows.
_PATH_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one body may hold.

    Attributes:
        max_entries: entries of one array or object.
        max_numbers: numbers in all.
        max_others: values in all that are not numbers, and keys.
    """

    max_entries: int = 1 << 16
    max_numbers: int = 1 << 21
    max_others: int = 1 << 18


def decode_in_pieces(body: bytes, bounds: Bounds) -> object:
    """The value of a JSON text, as ``decoding.decode`` reads it.

    Raises:
        InvalidBody: the text is not JSON, as there, or holds more values than allowed.
        InvalidRequest: an array or object has more entries than allowed; it is named.
    """
    with decoding():
        return _Reader(_text_of(body), bounds, has_halves=_has_halves(body)).read()


def _text_of(body: bytes) -> str:
    """The characters of a body, without a byte order mark."""
    view = memoryview(body)[len(BOM_UTF8) if body.startswith(BOM_UTF8) else 0 :]
    pieces, at = [], 0
    while at < len(view):
        try:
            piece, n_read = utf_8_decode(view[at : at + _PIECE], "strict", at + _PIECE >= len(view))
        except UnicodeDecodeError as error:
            start, end = at + error.start, at + error.end
            raise UnicodeDecodeError(error.encoding, body, start, end, error.reason) from None
        pieces.append(piece)
        at += n_read
    return "".join(pieces)


def _has_halves(body: bytes) -> bool:
    return any(
        body.find(half, at, at + _PIECE + len(half) - 1) >= 0 for half in HALVES for at in range(0, len(body), _PIECE)
    )


class _Reader:
    """Reads one text from its beginning to its end, keeping what is open on a stack."""

    def __init__(self, text: str, bounds: Bounds, *, has_halves: bool) -> None:
        self._text = text
        self._bounds = bounds
        self._has_halves = has_halves
        self._at = 0
        self._n_numbers = self._n_others = 0
        # Arrays and objects that are not closed yet, from the outermost, and the key that each object waits for.
        self._open: list[list[object] | dict[str, object]] = []
        self._keys: list[str] = []
        self._max_depth = sys.getrecursionlimit()

    def read(self) -> object:
        """The value of the whole text."""
        while True:
            value, is_open = self._begin()
            while not is_open:
                if not self._open:
                    self._skip()
                    if self._at != len(self._text):
                        raise JSONDecodeError("Extra data", self._text, self._at)
                    return value
                value, is_open = self._put(value)

    def _begin(self) -> tuple[object, bool]:
        """Begin the next value: the value, and whether it is an array or object whose entries are still to come."""
        self._skip()
        match self._text[self._at : self._at + 1]:
            case "[":
                return self._enter([], "]")
            case "{":
                return self._enter({}, "}")
            case '"':
                value: object = self._read_string()
            case _:
                value, self._at = _DECODER.raw_decode(self._text, self._at)
        self._count(value)
        return value, False

    def _enter(self, container: list[object] | dict[str, object], end: str) -> tuple[object, bool]:
        self._count(container)
        self._at += 1
        self._skip()
        if self._text[self._at : self._at + 1] == end:
            self._at += 1
            return container, False
        if len(self._open) >= self._max_depth:
            raise RecursionError
        self._open.append(container)
        if isinstance(container, dict):
            self._read_key()
        else:
            self._read_run(container)
        return container, True

    def _put(self, value: object) -> tuple[object, bool]:
        """Add a value to the innermost open array or object: that one, and whether it is still open."""
        container = self._open[-1]
        if isinstance(container, dict):
            container[self._keys.pop()] = value
        else:
            container.append(value)
        self._check_entries(container)
        self._skip()
        mark = self._text[self._at : self._at + 1]
        if mark == ",":
            self._at += 1
            if isinstance(container, dict):
                self._skip()
                self._read_key()
            else:
                self._skip()
                self._read_run(container)
            return container, True
        if mark != ("}" if isinstance(container, dict) else "]"):
            raise JSONDecodeError("Expecting ',' delimiter", self._text, self._at)
        self._at += 1
        self._open.pop()
        return container, False

    def _read_key(self) -> None:
        if self._text[self._at : self._at + 1] != '"':
            raise JSONDecodeError("Expecting property name enclosed in double quotes", self._text, self._at)
        key = self._read_string()
        self._count(key)
        self._keys.append(key)
        self._skip()
        if self._text[self._at : self._at + 1] != ":":
            raise JSONDecodeError("Expecting ':' delimiter", self._text, self._at)
        self._at += 1

    def _read_run(self, container: list[object]) -> None:
        """Read a run of numbers, up to the last comma in it."""
        while run := _RUN.match(self._text, self._at):
            numbers = f"[{run[0].rstrip()[:-1]}]"
            try:
                values = json.loads(numbers)
            except JSONDecodeError:
                # Reading number by number finds it again, and its position.
                return
            container.extend(values)
            self._at = run.end()
            self._n_numbers += len(values)
            self._check_entries(container)
            self._check_values()

    def _read_string(self) -> str:
        """Read a string, a long one in pieces: a picture in base64 has millions of characters."""
        start = self._at + 1
        plain = _PLAIN.match(self._text, start)
        assert plain is not None
        if self._text[plain.end() : plain.end() + 1] == '"':
            self._at = plain.end() + 1
            return plain[0]
        pieces, at = [], start
        while piece := _CHARACTERS.match(self._text, at):
            value: str = json.loads(f'"{piece[0]}"')
            self._check_halves(value)
            pieces.append(value)
            at = piece.end()
        if self._text[at : at + 1] != '"':
            raise self._bad_string(at)
        self._at = at + 1
        return "".join(pieces)

    def _bad_string(self, at: int) -> JSONDecodeError:
        """The error for a string that goes on at ``at`` with what no string may have, or with nothing."""
        try:
            _DECODER.raw_decode(f'"{self._text[at : at + _LONGEST_ESCAPE]}')
        except JSONDecodeError as error:
            # What lacks its end is told by its beginning.
            is_open = error.msg.startswith("Unterminated")
            return JSONDecodeError(error.msg, self._text, self._at if is_open else at - 1 + error.pos)
        raise AssertionError("a string ends where it does not")

    def _count(self, value: object) -> None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._n_numbers += 1
        else:
            self._n_others += 1
        self._check_values()

    def _check_values(self) -> None:
        if self._n_numbers > self._bounds.max_numbers:
            raise InvalidBody(f"the body holds more than {self._bounds.max_numbers} numbers; allowed are no more")
        if self._n_others > self._bounds.max_others:
            raise InvalidBody(
                f"the body holds more than {self._bounds.max_others} keys and values that are not numbers; "
                "allowed are no more"
            )

    def _check_entries(self, container: list[object] | dict[str, object]) -> None:
        if len(container) > self._bounds.max_entries:
            raise InvalidRequest(self._path(), f"has more than {self._bounds.max_entries} entries; allowed are no more")

    def _check_halves(self, text: str) -> None:
        if self._has_halves:
            text.encode()

    def _skip(self) -> None:
        found = _BLANKS.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _path(self) -> str:
        """The path of the array or object that was opened last."""
        keys, path = iter(self._keys), ""
        for container in self._open[:-1]:
            path += f"[{len(container)}]" if isinstance(container, list) else f".{next(keys)}"
        path = path.removeprefix(".") or "body"
        return excerpt(path, _PATH_SHOWN)
