"""Rows of media that come next in a prompt, or in an input to embed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.language_model import MediaSegment


@dataclass(frozen=True, slots=True)
class MediaWork:
    """The rest of a chunk.

    Attributes:
        segment: all of its rows that may be evaluated now.
        n_left: items left of the prompt, these included.
        wants_logits: whether the logits behind the prompt are wanted.
    """

    segment: MediaSegment
    n_left: int
    wants_logits: bool = False

    def part(self, n_rows: int) -> MediaSegment:
        """The first ``n_rows`` of the rows, with logits if the prompt ends there and they are wanted."""
        return replace(self.segment, n_rows=n_rows, wants_logits=self.wants_logits and n_rows == self.n_left)
