"""Outputs that follow a GBNF grammar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.sampling.grammar import Grammar, GrammarMaker


@dataclass(frozen=True, slots=True)
class GbnfGuide:
    """A ``Guide`` in GBNF, which the model's vocabulary understands.

    Attributes:
        gbnf: the grammar, checked.
        field: path of the field in the request that it comes from.
    """

    gbnf: str
    field: str = "constraint.gbnf"

    def start(self, vocabulary: GrammarMaker) -> Grammar:
        """A new grammar at its beginning."""
        return vocabulary.grammar(self.gbnf)
