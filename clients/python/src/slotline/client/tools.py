"""Python functions as tools: how they are declared to the model, and how its calls are run."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slotline.client import checks
from slotline.client.docstrings import described
from slotline.client.schema import Schemas, hints_of, is_model
from slotline.client.values import fields_of

if TYPE_CHECKING:
    from slotline.client.messages import Message
    from slotline.client.results import Continuation, ToolCall


class ToolError(Exception):
    """Raised by a function of ``Tools`` to tell the model that its call failed, and why."""


class Tools:
    """Functions that a model may call.

    Name, description and parameters come from the function: its name, its docstring, and the type hints of its
    parameters (``slotline.client.schema`` lists the known ones). Sections ``Args:`` and fields ``:param name:`` of the
    docstring describe parameters.

    Args:
        functions: with names of their own; they may be coroutine functions, which ``run_async`` waits for.

    Raises:
        TypeError: a parameter has no type hint, or one of an unknown kind, or cannot be given by name.
        ValueError: two functions have the same name.
    """

    def __init__(self, functions: Iterable[Callable[..., object]]) -> None:
        self._tools: dict[str, _FunctionTool] = {}
        for function in functions:
            tool = _FunctionTool(function)
            if self._tools.setdefault(tool.name, tool) is not tool:
                raise ValueError(f"there are two functions named {tool.name}; each needs a name of its own")

    @property
    def declarations(self) -> list[dict[str, Any]]:
        """What the model is told, in the shape of the OpenAI API."""
        return [tool.declaration for tool in self._tools.values()]

    def run(self, answer: Continuation) -> list[Message]:
        """Make the calls of an answer.

        Args:
            answer: its calls may be none.

        Returns:
            The answer as a message, and the result of each call: the turns to go on with. A function that raises
            ``ToolError``, or was called with values of wrong types, has that as its result.

        Raises:
            IncompleteAnswer: the answer was cut inside a call.
            ValueError: a call names none of these functions.
            TypeError: it names a coroutine function.
            Exception: whatever else a function raises.
        """
        turns: list[Message] = [answer.message]
        for call, tool, arguments in self._calls(answer):
            result = tool.outcome(arguments)
            if inspect.isawaitable(result):
                close = getattr(result, "close", None)
                if close is not None:
                    close()
                raise TypeError(f"{tool.name} is a coroutine function; await run_async")
            turns.append(_result_turn(call, result))
        return turns

    async def run_async(self, answer: Continuation) -> list[Message]:
        """The same, all calls at once: coroutine functions on this loop, others in threads."""

        async def result_of(tool: _FunctionTool, arguments: dict[str, Any]) -> object:
            if not inspect.iscoroutinefunction(tool.function):
                return await asyncio.to_thread(tool.outcome, arguments)
            try:
                return await tool.call(arguments)
            except ToolError as error:
                return _Failure(str(error))

        calls = self._calls(answer)
        results = await asyncio.gather(*(result_of(tool, arguments) for _, tool, arguments in calls))
        turns = [_result_turn(call, result) for (call, _, _), result in zip(calls, results, strict=True)]
        return [answer.message, *turns]

    def _calls(self, answer: Continuation) -> list[tuple[ToolCall, _FunctionTool, dict[str, Any]]]:
        for call in answer.tool_calls:
            if call.name not in self._tools:
                raise ValueError(f"the answer calls {call.name!r}, which is none of {', '.join(self._tools)}")
        return [(call, self._tools[call.name], call.parsed) for call in answer.tool_calls]


def declarations(name: str, value: object) -> list[object]:
    """The declarations of the option ``tools``.

    Raises:
        TypeError: it is neither ``Tools`` nor a list of functions and declarations.
    """
    if isinstance(value, Tools):
        return list(value.declarations)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        checks.refuse_type(name, value, "a list of functions and of declarations as mappings")
    return [_declaration(f"{name}[{i}]", one) for i, one in enumerate(value)]


def _declaration(where: str, value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if callable(value):
        return _FunctionTool(value).declaration
    return checks.refuse_type(where, value, "a function or a declaration as a mapping")


@dataclasses.dataclass(frozen=True)
class _Failure:
    """What is told instead of a result."""

    text: str


class _FunctionTool:
    """One function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        name = getattr(function, "__name__", None)
        if not isinstance(name, str) or not name.isidentifier():
            raise TypeError(f"{function!r:.80} has no name by which it could be called")
        self.name = name
        self.function = function
        self._hints = _parameter_hints(function)
        self._needed = [name for name, one in _parameters(function).items() if one.default is inspect.Parameter.empty]

    @property
    def declaration(self) -> dict[str, Any]:
        schemas = Schemas()
        description, of_parameters = described(inspect.getdoc(self.function) or "")
        parameters = schemas.object(self._hints, self._needed, self.name)
        for name, text in of_parameters.items():
            if name in parameters["properties"]:
                parameters["properties"][name].setdefault("description", text)
        if schemas.definitions:
            parameters["$defs"] = schemas.definitions
        about = {"description": description} if description else {}
        return {"type": "function", "function": {"name": self.name, **about, "parameters": parameters}}

    def call(self, arguments: dict[str, Any]) -> Any:
        """Call it with JSON values.

        Raises:
            ToolError: they do not fit.
        """
        try:
            values = fields_of(arguments, self._hints, self._needed)
        except ValueError as error:
            raise ToolError(str(error)) from error
        return self.function(**values)

    def outcome(self, arguments: dict[str, Any]) -> object:
        """What ``call`` returns, or why it failed."""
        try:
            return self.call(arguments)
        except ToolError as error:
            return _Failure(str(error))


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _parameter_hints(function: Callable[..., Any]) -> dict[str, Any]:
    name, hints = getattr(function, "__name__", ""), hints_of(function)
    for parameter in _parameters(function).values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{name}: the parameter {parameter} cannot be given by name; allowed are those that can")
        if parameter.name not in hints:
            raise TypeError(f"{name}: the parameter {parameter.name} has no type hint")
    return {parameter: hints[parameter] for parameter in _parameters(function)}


def _result_turn(call: ToolCall, result: object) -> Message:
    text = f"Error: {result.text}" if isinstance(result, _Failure) else _result_text(result)
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text}


def _result_text(result: Any) -> str:
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """What ``json`` does not know, as what it does."""
    if is_model(type(value)):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value)
