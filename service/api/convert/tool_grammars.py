"""Grammars of the texts that tools take, which the schemas of their arguments may have as ``x-grammar``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.convert.checks import shown
from service.constraints.lark import check_lark, lark_rule
from service.constraints.spec import ConstraintKind, ConstraintSpec, UnusableConstraint
from service.dialogue.chat_format import CallFormat, CallStyle
from service.dialogue.tools import TextGrammar
from service.errors import InvalidArgument

if TYPE_CHECKING:
    from service.constraints.subschemas import Schema

#: The key in the schema of an argument.
GRAMMAR = "x-grammar"
_REGEX, _LARK = "regex", "lark"
#: Styles of calls with strings that are written in another way than as JSON or as they are.
_LOOSE = (CallStyle.PYTHON, CallStyle.TAGGED)


def take_grammars(schema: Schema, field: str, form: CallFormat) -> dict[str, TextGrammar]:
    """Take the grammars of arguments out of a schema; where strings are written as JSON, expressions become patterns.

    Args:
        schema: of a tool's arguments; changed in place.
        field: its path.
        form: how calls are written.

    Returns:
        What texts obey that calls have as they are, by the names of the arguments.

    Raises:
        InvalidArgument: a grammar cannot be used, or not enforced for this model.
    """
    properties = schema.get("properties")
    grammars = {}
    for name, argument in properties.items() if isinstance(properties, dict) else ():
        if isinstance(argument, dict) and GRAMMAR in argument:
            path = f"{field}.properties.{name}.{GRAMMAR}"
            syntax, definition = _read(argument.pop(GRAMMAR), path)
            if form.style is CallStyle.TAGGED and form.argument_open:
                grammars[name] = _text_grammar(syntax, definition, path)
            elif syntax == _REGEX and form.style not in _LOOSE:
                argument["pattern"] = f"^(?:{definition})$"
            else:
                raise _unenforceable(syntax, form, path)
    return grammars


def grammar_spec(grammar: TextGrammar) -> ConstraintSpec:
    """A grammar by itself."""
    return ConstraintSpec(ConstraintKind.REGEX if grammar.is_regex else ConstraintKind.LARK, grammar.definition)


def _read(value: Any, path: str) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise InvalidArgument(path, f"is {shown(value)}; allowed is an object with syntax and definition")
    syntax, definition = value.get("syntax"), value.get("definition")
    if syntax not in (_REGEX, _LARK):
        raise InvalidArgument(f"{path}.syntax", f'is {shown(syntax)}; allowed are "{_REGEX}" and "{_LARK}"')
    if not isinstance(definition, str) or not definition:
        raise InvalidArgument(f"{path}.definition", f"is {shown(definition)}; allowed is a text, not empty")
    return syntax, definition


def _text_grammar(syntax: str, definition: str, path: str) -> TextGrammar:
    kind = ConstraintKind.REGEX if syntax == _REGEX else ConstraintKind.LARK
    try:
        if kind is ConstraintKind.LARK:
            check_lark(definition)
        expression = lark_rule(ConstraintSpec(kind, definition))
    except UnusableConstraint as error:
        raise InvalidArgument(path, str(error)) from None
    if kind is ConstraintKind.REGEX:
        expression = expression.removeprefix("/").removesuffix("/")
    return TextGrammar(kind is ConstraintKind.REGEX, definition, expression)


def _unenforceable(syntax: str, form: CallFormat, path: str) -> InvalidArgument:
    if form.style in _LOOSE:
        return InvalidArgument(
            path, "cannot be enforced, because of the way in which this model writes texts; leave it out"
        )
    problem = f"of the syntax {syntax} cannot be enforced, because this model writes texts as JSON"
    return InvalidArgument(path, f'{problem}; allowed is the syntax "{_REGEX}", or leave it out')
