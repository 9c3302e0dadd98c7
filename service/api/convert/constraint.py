"""``Constraint`` to GBNF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import InvalidArgument, NotImplementedFeature
from service.sampling.gbnf import JSON_OBJECT, GrammarError, check_grammar, choice_grammar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slotline.v1 import generation_pb2


def constraint_grammar(constraint: generation_pb2.Constraint) -> str:
    """The grammar that a constraint asks for, checked; empty if it asks for none.

    Raises:
        InvalidArgument: the grammar cannot be used, or there is nothing to choose from.
        NotImplementedFeature: a kind of constraint that is not available.
    """
    match constraint.WhichOneof("kind"):
        case None:
            return ""
        case "gbnf":
            return _checked(constraint.gbnf, "constraint.gbnf")
        case "choice":
            return _choice(constraint.choice.texts)
        case "json_object":
            return JSON_OBJECT
        case kind:
            raise NotImplementedFeature(f"constraint.{kind}")


def _choice(texts: Sequence[str]) -> str:
    if not texts:
        raise InvalidArgument("constraint.choice.texts", "is empty; give at least one text")
    for index, text in enumerate(texts):
        if "\0" in text:
            raise InvalidArgument(f"constraint.choice.texts[{index}]", "has the character NUL; allowed are all others")
    return _checked(choice_grammar(texts), "constraint.choice.texts")


def _checked(grammar: str, field: str) -> str:
    try:
        check_grammar(grammar)
    except GrammarError as error:
        raise InvalidArgument(field, f"is no grammar that can be used: {error}") from error
    return grammar
