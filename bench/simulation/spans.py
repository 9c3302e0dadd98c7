"""Cells of a cache as counted spans: who holds how many, without a cell being an object."""

from __future__ import annotations


class _Span:
    """Consecutive cells that are always held together; ``holders`` sequences have them."""

    __slots__ = ("holders", "length")

    def __init__(self, length: int) -> None:
        self.length = length
        self.holders = 1


class SpanMemory:
    """How many cells sequences hold and share. Positions are not kept: nothing here moves them.

    Args:
        n_cells: cells of the cache.
        n_seq_max: number of sequences.
    """

    def __init__(self, n_cells: int, n_seq_max: int) -> None:
        self.free = n_cells
        self._spans: list[list[_Span]] = [[] for _ in range(n_seq_max)]
        self._lengths = [0] * n_seq_max

    def length(self, seq_id: int) -> int:
        """Tokens of a sequence."""
        return self._lengths[seq_id]

    def append(self, seq_id: int, n_tokens: int) -> None:
        """Take new cells behind a sequence's last."""
        spans = self._spans[seq_id]
        if spans and spans[-1].holders == 1:
            spans[-1].length += n_tokens
        else:
            spans.append(_Span(n_tokens))
        self._lengths[seq_id] += n_tokens
        self.free -= n_tokens

    def cut(self, seq_id: int, length: int) -> None:
        """Keep the first ``length`` tokens of a sequence."""
        spans = self._spans[seq_id]
        kept = self._split(seq_id, length)
        for span in spans[kept:]:
            span.holders -= 1
            if not span.holders:
                self.free += span.length
        del spans[kept:]
        self._lengths[seq_id] = min(length, self._lengths[seq_id])

    def fork(self, source: int, target: int, length: int) -> None:
        """Let an empty sequence hold the first ``length`` cells of another one, too."""
        shared = self._spans[source][: self._split(source, length)]
        for span in shared:
            span.holders += 1
        self._spans[target] = shared
        self._lengths[target] = length

    def count_shared(self, seq_id: int) -> int:
        """Cells of a sequence that others hold, too."""
        return sum(span.length for span in self._spans[seq_id] if span.holders > 1)

    def unshare(self, seq_id: int) -> None:
        """Give a sequence cells of its own for all that it shares."""
        length = self._lengths[seq_id]
        self.cut(seq_id, 0)
        if length:
            self.append(seq_id, length)

    def _split(self, seq_id: int, length: int) -> int:
        """Let a span of a sequence end at ``length``, for all who hold it; return how many spans lie before."""
        spans, end = self._spans[seq_id], 0
        for place, span in enumerate(spans):
            if end >= length:
                return place
            end += span.length
            if end > length:
                self._divide(span, end - length)
                return place + 1
        return len(spans)

    def _divide(self, span: _Span, n_behind: int) -> None:
        """Part the last ``n_behind`` cells of a span from the others, for all who hold it."""
        behind = _Span(n_behind)
        behind.holders = span.holders
        span.length -= n_behind
        for spans in self._spans:
            if span in spans:
                spans.insert(spans.index(span) + 1, behind)
