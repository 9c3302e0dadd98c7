"""Arguments that are almost JSON: those of a call in Python, and those with marks of their own around strings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import CallFormat, CallStyle
from service.dialogue.grammar.lark import ANY, Grammar, choice, json_value, pattern, quoted, sequence
from service.dialogue.grammar.schemas import Argument, arguments_of, length_of, members_of, quantifier
from service.dialogue.parsing.schemas import Kinds, resolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.tools import Tool

#: Deepest nesting of schemas that is followed, references included; any value is allowed further down.
_MAX_DEPTH = 64
_NAME = "/[a-zA-Z_][a-zA-Z0-9_]{0,63}/"


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How values are written.

    Attributes:
        quote: what is around strings.
        true, false, null: the words.
        assign: between the name of an argument and its value.
        comma: between arguments, members and elements.
        is_python: strings and keys are those of Python; otherwise strings are raw, and keys have nothing around them.
    """

    quote: tuple[str, str]
    true: str
    false: str
    null: str
    assign: str
    comma: str
    is_python: bool

    @property
    def colon(self) -> str:
        """Between the key of a member and its value."""
        return ": " if self.is_python else ":"

    def literal(self, value: Any) -> str:
        """A value."""
        match value:
            case None:
                return self.null
            case bool():
                return self.true if value else self.false
            case str() if self.is_python:
                return repr(value)
            case str():
                return f"{self.quote[0]}{value}{self.quote[1]}"
            case list():
                return "[" + self.comma.join(map(self.literal, value)) + "]"
            case dict():
                members = (f"{self.key(key)}{self.colon}{self.literal(member)}" for key, member in value.items())
                return "{" + self.comma.join(members) + "}"
        return json.dumps(value)

    def key(self, name: str) -> str:
        """The name of a member of an object."""
        return repr(name) if self.is_python else name


def loose_arguments(grammar: Grammar, tool: Tool, form: CallFormat) -> str:
    """The arguments of a call, between its brackets."""
    if form.style is CallStyle.PYTHON:
        dialect = _Dialect(("'", "'"), "True", "False", "None", "=", ", ", is_python=True)
    else:
        quote = (form.string_open, form.string_close)
        assign, comma = form.argument_name_close, form.argument_separator
        dialect = _Dialect(quote, "true", "false", "null", assign, comma, is_python=False)
    arguments = arguments_of(tool)
    if arguments == []:
        return ""
    return _Values(grammar, tool, dialect).members(arguments, dialect.assign, is_call=True)


class _Values:
    def __init__(self, grammar: Grammar, tool: Tool, dialect: _Dialect) -> None:
        self._grammar = grammar
        self._tool = tool
        self._root = tool.parameters
        self._dialect = dialect
        self._kinds = Kinds(tool.parameters)
        self._rules: dict[int, str] = {}
        self._any = ""
        self._depth = 0

    def members(
        self, members: Sequence[Argument] | None, assign: str, *, is_call: bool = False, others: Any = None
    ) -> str:
        """Members of an object in order, with commas between them; "" without any.

        Args:
            members: None for any.
            assign: between name and value.
            is_call: they are the arguments of a call.
            others: schema of the values of any members.
        """
        comma = quoted(self._dialect.comma)
        if members is None:
            key = _NAME if is_call or not self._dialect.is_python else self._string()
            member = self._grammar.rule(sequence(key, quoted(assign), self.value(others)))
            return f"({member} ({comma} {member})*)?"
        first = rest = ""
        for argument in reversed(members):
            name = argument.name if is_call else self._dialect.key(argument.name)
            own = self._grammar.rule(sequence(self._grammar.marker(name + assign), self.value(argument.schema)))
            following = sequence(own, rest)
            if argument.is_required:
                first = following
                rest = self._grammar.rule(sequence(comma, own, rest))
            else:
                first = f"({following} | {first})" if first else f"({following})?"
                rest = self._grammar.rule(sequence(f"({comma} {own})?", rest))
        return self._grammar.rule(first) if first else ""

    def value(self, schema: Any) -> str:
        """A value that obeys what of a schema can be enforced; one rule for each schema, which may refer to itself."""
        if not isinstance(schema, dict) or not schema or self._depth >= _MAX_DEPTH:
            return self._any_value()
        schema = resolved(schema, self._root)
        if id(schema) not in self._rules:
            rule = self._rules[id(schema)] = self._grammar.reserve()
            self._depth += 1
            self._grammar.define(rule, self._body(schema))
            self._depth -= 1
        return self._rules[id(schema)]

    def _body(self, schema: dict[str, Any]) -> str:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and values:
            return choice(self._grammar.marker(self._dialect.literal(value)) for value in values)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(schema.get(keyword), list) and schema[keyword]:
                return choice(self.value(part) for part in schema[keyword])
        allowed = self._kinds.of(schema)
        if "number" in allowed:
            allowed -= {"integer"}
        return choice(self._of_kind(name, schema) for name in sorted(allowed)) if allowed else self._any_value()

    def _of_kind(self, kind: str, schema: dict[str, Any]) -> str:
        dialect = self._dialect
        match kind:
            case "string":
                return self._string(length_of(schema, self._root))
            case "boolean":
                return choice(map(quoted, (dialect.true, dialect.false)))
            case "null":
                return quoted(dialect.null)
            case "array":
                item = self.value(schema.get("items"))
                return sequence('"["', self._elements(item, schema.get("minItems"), schema.get("maxItems")), '"]"')
            case "object":
                known = members_of(schema, self._root) if "properties" in schema else None
                members = self.members(known, dialect.colon, others=schema.get("additionalProperties"))
                return sequence('"{"', members, '"}"')
        return json_value({**schema, "type": kind}, self._root, is_strict=self._tool.is_strict)

    def _elements(self, item: str, least: Any, most: Any) -> str:
        """Elements of an array, with commas between them."""
        if most == 0:
            return ""
        least = least if isinstance(least, int) and least > 0 else 0
        rest = quantifier(max(0, least - 1), most - 1 if isinstance(most, int) else None)
        some = f"{item} ({quoted(self._dialect.comma)} {item}){rest}"
        return some if least else f"({some})?"

    def _any_value(self) -> str:
        """Any value."""
        if not self._any:
            dialect, grammar = self._dialect, self._grammar
            self._any = grammar.reserve()
            comma, any_value = quoted(dialect.comma), self._any
            key = self._string() if dialect.is_python else _NAME
            member = sequence(key, quoted(dialect.colon), any_value)
            words = " | ".join(map(quoted, (dialect.true, dialect.false, dialect.null)))
            grammar.define(
                any_value,
                f"{self._string()} | {words} | /-?(0|[1-9][0-9]{{0,15}})(\\.[0-9]{{1,15}})?/"
                f' | "[" ({any_value} ({comma} {any_value})*)? "]" | "{{" ({member} ({comma} {member})*)? "}}"',
            )
        return self._any

    def _string(self, length: str = "*") -> str:
        """A string of so many characters."""
        grammar, (opening, closing) = self._grammar, self._dialect.quote
        if self._dialect.is_python:
            return rf"/'([^'\\\n]|\\['\\nt]){length}'|\"([^\"\\\n]|\\[\"\\nt]){length}\"/"
        if grammar.is_control(closing):
            return sequence(grammar.marker(opening), grammar.terminal(f"/(.|\\n){length}/"), grammar.marker(closing))
        end = pattern(closing)
        body = f"/(.|\\n){length}{end}/" + ("" if length == "*" else f" & ~/{ANY}{end}{ANY}{end}/")
        return sequence(quoted(opening), grammar.rule(grammar.terminal(body), lazy=True))
