"""``Constraint`` to what the outputs of a request follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.constraints.lark import LARK_MARK, check_lark
from service.constraints.spec import ConstraintKind, ConstraintSpec, JsonStyle, UnusableConstraint
from service.errors import InvalidArgument
from service.sampling.gbnf import GbnfGuide, GrammarError, check_grammar

if TYPE_CHECKING:
    from service.api.served_model import ServedModel
    from service.sampling.grammar import Guide
    from slotline.v1 import generation_pb2


def constraint_guide(constraint: generation_pb2.Constraint, model: ServedModel) -> Guide | None:
    """What a constraint asks for, checked and compiled; None if it asks for nothing.

    Raises:
        InvalidArgument: it cannot be used, or there is nothing to choose from.
    """
    if is_gbnf(constraint):
        return _gbnf(constraint.gbnf)
    spec = constraint_spec(constraint)
    return None if spec is None else model.constraints.compile(spec, field=constraint_field(constraint))


def is_gbnf(constraint: generation_pb2.Constraint) -> bool:
    """Whether a constraint is a grammar in GBNF; its field may have one in Lark, too."""
    return constraint.WhichOneof("kind") == "gbnf" and not constraint.gbnf.lstrip().startswith(LARK_MARK)


def constraint_spec(constraint: generation_pb2.Constraint) -> ConstraintSpec | None:
    """A constraint that is not GBNF, for the compiler; None if there is none.

    Raises:
        InvalidArgument: there is nothing to choose from, or the constraint is too large.
    """
    style = _style(constraint.json_style)
    match constraint.WhichOneof("kind"):
        case None:
            return None
        case "json_schema":
            return ConstraintSpec(ConstraintKind.JSON_SCHEMA, constraint.json_schema, style)
        case "json_object":
            return ConstraintSpec(ConstraintKind.JSON_OBJECT, style=style)
        case "choice":
            if not constraint.choice.texts:
                raise InvalidArgument("constraint.choice.texts", "is empty; give at least one text")
            return ConstraintSpec.choice(constraint.choice.texts)
        case "regex":
            return ConstraintSpec(ConstraintKind.REGEX, constraint.regex)
        case kind:
            return _lark(getattr(constraint, kind), f"constraint.{kind}")


def constraint_field(constraint: generation_pb2.Constraint) -> str:
    """The field of a request that its constraint comes from."""
    kind = constraint.WhichOneof("kind")
    return "constraint.choice.texts" if kind == "choice" else f"constraint.{kind}"


def _gbnf(grammar: str) -> GbnfGuide:
    try:
        check_grammar(grammar)
    except GrammarError as error:
        raise InvalidArgument("constraint.gbnf", f"is no grammar that can be used: {error}") from error
    return GbnfGuide(grammar)


def _lark(grammar: str, field: str) -> ConstraintSpec:
    try:
        check_lark(grammar)
    except UnusableConstraint as error:
        raise InvalidArgument(field, str(error)) from None
    return ConstraintSpec(ConstraintKind.LARK, grammar)


def _style(style: generation_pb2.JsonStyle) -> JsonStyle:
    return JsonStyle(
        whitespace_pattern=style.whitespace_pattern if style.HasField("whitespace_pattern") else None,
        disable_any_whitespace=style.disable_any_whitespace,
        disable_additional_properties=style.disable_additional_properties,
        lenient=style.lenient,
    )
