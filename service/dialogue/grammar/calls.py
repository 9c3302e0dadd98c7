"""What stands between ``call_open`` and ``call_close``, for each style, as rules of a grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.chat_format import CallFormat, CallIds, CallStyle
from service.dialogue.grammar.lark import ANY, Grammar, choice, json_value, optional, pattern, quoted, sequence
from service.dialogue.grammar.loose import loose_arguments
from service.dialogue.grammar.schemas import Argument, arguments_of, closed_schema, length_of, texts_of
from service.dialogue.parsing.schemas import ALL_KINDS
from service.dialogue.writing import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.tools import TextGrammar, Tool

_IDS = {CallIds.NINE: "[a-zA-Z0-9]{9}"}
_ANY_ID = "[a-zA-Z0-9_]{1,40}"
#: Names of arguments where a schema does not say which there are.
_ANY_NAME = "[a-zA-Z_][a-zA-Z0-9_]{0,63}"


class CallRules:
    """Rules for calls.

    Args:
        grammar: takes them.
        form: how calls are written.
        ids: which ids of calls the template accepts.
    """

    def __init__(self, grammar: Grammar, form: CallFormat, ids: CallIds) -> None:
        self._grammar = grammar
        self._form = form
        self._id = f"/{_IDS.get(ids, _ANY_ID)}/"

    def call(self, tools: Sequence[Tool]) -> str:
        """A call of one of some tools, with ``call_close``."""
        form = self._form
        match form.style:
            case CallStyle.JSON:
                body = self._json
            case CallStyle.NAME_KEY:
                body = self._name_key
            case CallStyle.NAME_JSON:
                body = self._name_json
            case CallStyle.PYTHON:
                body = self._python
            case _:
                body = self._tagged if form.argument_open else self._braced
        return self._grammar.rule(" | ".join(body(tool) for tool in tools))

    def arguments(self, tool: Tool) -> str:
        """Arguments as JSON."""
        return json_value(closed_schema(tool), {}, is_strict=tool.is_strict)

    def _close(self, before: str = "") -> str:
        return self._grammar.marker(before + self._form.call_close)

    def _json(self, tool: Tool) -> str:
        form = self._form
        name = f"{to_json(form.name_key)}: {to_json(tool.name)}, {to_json(form.arguments_key)}: "
        if not form.id_key:
            return sequence(quoted("{" + name), self.arguments(tool), self._close("}"))
        key = f'{to_json(form.id_key)}: "'
        if form.id_first:
            return sequence(quoted("{" + key), self._id, quoted('", ' + name), self.arguments(tool), self._close("}"))
        return sequence(quoted("{" + name), self.arguments(tool), quoted(", " + key), self._id, self._close('"}'))

    def _name_key(self, tool: Tool) -> str:
        return sequence(quoted(f"{{{to_json(tool.name)}: "), self.arguments(tool), self._close("}"))

    def _name_json(self, tool: Tool) -> str:
        form, grammar = self._form, self._grammar
        before, index, behind = form.name_suffix.partition("{index}")
        name = [self._id, grammar.marker(form.id_close)] if form.id_close else []
        name.append(grammar.marker(form.name_prefix + tool.name + before))
        if index:
            name += ["/[0-9]{1,4}/", grammar.marker(behind)]
        if form.id_open:
            name += [grammar.marker(form.id_open), self._id]
        return sequence(*name, grammar.marker(form.name_close), self.arguments(tool), self._close())

    def _python(self, tool: Tool) -> str:
        return sequence(quoted(tool.name + "("), loose_arguments(self._grammar, tool, self._form), self._close(")"))

    def _braced(self, tool: Tool) -> str:
        form = self._form
        return sequence(
            self._grammar.marker(tool.name + form.name_close),
            loose_arguments(self._grammar, tool, form),
            self._close(),
        )

    def _tagged(self, tool: Tool) -> str:
        form, grammar = self._form, self._grammar
        arguments = arguments_of(tool)
        between = grammar.marker(form.argument_separator)
        if arguments is None:
            rest = f"({self._any_argument()})*"
        else:
            parts = [self._argument(tool, argument, between) for argument in arguments]
            rest = sequence(*parts)
        return sequence(grammar.marker(tool.name + form.name_close), rest, self._close())

    def _argument(self, tool: Tool, argument: Argument, between: str) -> str:
        form, grammar = self._form, self._grammar
        opened = form.argument_open + argument.name + form.argument_name_close
        close = form.argument_close.replace("{name}", argument.name)
        root = tool.parameters
        allowed = tool.kinds.get(argument.name, ALL_KINDS)
        if (text := tool.grammars.get(argument.name)) is not None:
            value = sequence(grammar.marker(opened + form.string_open), self._by_grammar(close, text))
        elif "string" not in allowed:
            value = sequence(
                grammar.marker(opened + form.value_open),
                json_value(argument.schema, root, is_strict=tool.is_strict),
                grammar.marker(close),
            )
        elif (texts := texts_of(argument.schema, root)) is not None:
            value = sequence(
                grammar.marker(opened + form.string_open), choice(grammar.marker(text + close) for text in texts)
            )
        else:
            value = sequence(
                grammar.marker(opened + form.string_open),
                self._raw(close, length_of(argument.schema, root) if allowed == {"string"} else "*"),
            )
        value = sequence(value, between)
        return grammar.rule(value) if argument.is_required else optional(grammar.rule(value))

    def _any_argument(self) -> str:
        form, grammar = self._form, self._grammar
        name = sequence(grammar.marker(form.argument_open), f"/{_ANY_NAME}/")
        opened = grammar.marker(form.argument_name_close + form.string_open)
        return sequence(name, opened, self._raw(form.argument_close.replace("{name}", ""), "*"))

    def _by_grammar(self, close: str, text: TextGrammar) -> str:
        """A raw value that obeys a grammar, and what closes it."""
        if text.is_regex:
            return self._ended(close, text.expression, may_hold_close=True)
        return sequence(text.expression, self._grammar.marker(close))

    def _raw(self, close: str, length: str) -> str:
        """A raw value and what closes it."""
        return self._ended(close, f"(.|\\n){length}", may_hold_close=length != "*")

    def _ended(self, close: str, pattern_of_value: str, *, may_hold_close: bool) -> str:
        """A raw value that matches a regular expression, and what closes it."""
        core = close.strip()
        before, behind = close[: len(close) - len(close.lstrip())], close[len(close.rstrip()) :]
        core_end = pattern(core)
        body = f"/{pattern_of_value}{pattern(before)}{core_end}/"
        # The value ends where the mark comes first, with or without the blanks before it.
        if before:
            body += f" & ~/{ANY}[^{pattern(before[-1])}]{core_end}{ANY}/"
        if may_hold_close:
            body += f" & ~/{ANY}{core_end}{ANY}{core_end}/"
        return sequence(self._grammar.rule(self._grammar.terminal(body), lazy=True), quoted(behind))
