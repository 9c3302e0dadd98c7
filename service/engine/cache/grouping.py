"""Self-extend: old tokens share positions in groups, so that positions stay inside the trained range.

The newest tokens, up to a window of ``width``, have a position each. When the window is full it is divided by ``n``:
its tokens take ``width / n`` positions, and a new window begins behind them.
Source: "LLM Maybe LongLM: Self-Extend LLM Context Window Without Tuning" (arXiv 2401.01325), in the form that
llama.cpp's server of 2024 gave it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Regrouping:
    """What happens to the cells of a full window: positions ``start`` to ``end - 1`` move by ``delta`` and are divided.

    The move takes the window to ``start * divisor``, so that the division brings it back to ``start``, in groups.
    """

    start: int
    end: int
    delta: int
    divisor: int


class GroupedPositions:
    """The positions of one sequence.

    Args:
        offset: tokens in front that are never grouped: those of the system prompt.
        n: tokens that share a position once they are old; above 1.
        width: tokens of a window; a multiple of ``n``.
        n_present: tokens of the system prompt that need not be appended.
    """

    def __init__(self, offset: int, n: int, width: int, n_present: int) -> None:
        self._offset = offset
        self._missing = offset - n_present
        self._n = n
        self._width = width
        self._n_windows = 0
        self._in_window = 0

    @property
    def next(self) -> int:
        """Position of the next token."""
        return self._offset - self._missing if self._missing else self._start + self._in_window

    @property
    def room(self) -> int:
        """Tokens that can be appended before ``regroup`` is due."""
        return self._missing or self._width - self._in_window

    def append(self, n_tokens: int) -> None:
        """Count tokens, at most ``room``."""
        if self._missing:
            self._missing -= n_tokens
        else:
            self._in_window += n_tokens

    def regroup(self) -> Regrouping:
        """Close the window, which must be full."""
        start = self._start
        self._n_windows += 1
        self._in_window = 0
        return Regrouping(start, start + self._width, start * (self._n - 1), self._n)

    @property
    def _start(self) -> int:
        return self._offset + self._n_windows * (self._width // self._n)
