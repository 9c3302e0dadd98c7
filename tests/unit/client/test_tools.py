"""Python functions as tools."""

from __future__ import annotations

import asyncio
import enum
import json
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jsonschema
import pydantic
import pytest

from slotline.client import IncompleteAnswer, ToolCall, ToolError, Tools
from slotline.client.docstrings import described
from slotline.client.requests import generate_request
from slotline.client.results import Continuation
from slotline.v1 import generation_pb2


def weather(city: str, unit: Literal["C", "F"] = "C") -> dict[str, object]:
    """Today's weather.

    It may rain.

    Args:
        city: where, for example
            Paris
        unit (str): of the temperature

    Returns:
        What it is: a mapping.
    """
    return {"city": city, "unit": unit}


async def add(first: int, second: Annotated[int, "the other one"]) -> int:
    """:param int first: one: the first
    :return: the sum
    """
    await asyncio.sleep(0)
    return first + second


def nothing() -> None:
    return None


def fail(reason: str) -> str:
    """Fails."""
    raise ToolError(reason)


def crash() -> None:
    """Crashes."""
    raise ZeroDivisionError("a bug")


def answer(*calls: tuple[str, str, str]) -> Continuation:
    """An answer that makes these calls."""
    made = tuple(ToolCall(*call) for call in calls)
    return Continuation("", "tool_calls", (), generation_pb2.Finished(), tool_calls=made)


def function(tools: Tools, number: int = 0) -> dict[str, Any]:
    """What is declared about a function."""
    declaration = tools.declarations[number]
    assert declaration["type"] == "function"
    declared: dict[str, Any] = declaration["function"]
    jsonschema.Draft202012Validator.check_schema(declared["parameters"])
    return declared


def test_a_function_is_declared_by_signature_hints_and_docstring() -> None:
    assert function(Tools([weather])) == {
        "name": "weather",
        "description": "Today's weather.\n\nIt may rain.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "where, for example Paris"},
                "unit": {"enum": ["C", "F"], "description": "of the temperature"},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    }


def test_annotations_and_fields_of_docstrings_describe_parameters() -> None:
    declared = function(Tools([add]))
    assert {name: one["description"] for name, one in declared["parameters"]["properties"].items()} == {
        "first": "one: the first",
        "second": "the other one",
    }
    assert "description" not in declared


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    assert function(Tools([nothing]))["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    street: str


class Person(pydantic.BaseModel):
    """Somebody."""

    name: str
    home: Address


def greet(person: Person, others: list[Person]) -> list[Person]:
    """Greets."""
    return [person, *others]


def test_models_are_declared_and_arrive_as_such() -> None:
    tools = Tools([greet])
    parameters = function(tools)["parameters"]
    ann = {"name": "Ann", "home": {"street": "Elm"}}
    jsonschema.validate({"person": ann, "others": [ann]}, parameters)
    _, result = tools.run(answer(("c1", "greet", json.dumps({"person": ann, "others": []}))))
    assert json.loads(str(result["content"])) == [ann]


def test_running_gives_the_turns_to_go_on_with() -> None:
    calls = answer(("c1", "weather", '{"city": "Paris"}'), ("c2", "nothing", "{}"))
    turns = Tools([weather, nothing]).run(calls)
    assert turns == [
        calls.message,
        {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": '{"city": "Paris", "unit": "C"}'},
        {"role": "tool", "tool_call_id": "c2", "name": "nothing", "content": "null"},
    ]
    assert len(generate_request([{"role": "user", "content": "Hi"}, *turns], {}).chat.messages) == 4


def test_an_answer_without_calls_is_the_only_turn() -> None:
    calls = answer()
    assert Tools([weather]).run(calls) == [calls.message]


class Mood(enum.Enum):
    """An enumeration."""

    GOOD = "good"


@dataclass
class Report:
    """A dataclass."""

    mood: Mood
    words: set[str]


def test_results_of_many_kinds_become_text() -> None:
    def text() -> str:
        return "plain"

    def report() -> Report:
        return Report(Mood.GOOD, {"fine"})

    turns = Tools([text, report]).run(answer(("c1", "text", "{}"), ("c2", "report", "{}")))
    assert [turn["content"] for turn in turns[1:]] == ["plain", '{"mood": "good", "words": ["fine"]}']


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("fail", '{"reason": "closed today"}', "Error: closed today"),
        ("weather", '{"city": 5}', "Error: city: 5 is not a text"),
        ("weather", "{}", "Error: city is missing"),
        ("weather", '{"city": "Paris", "day": 1}', "Error: day is unknown; known are city, unit"),
    ],
)
def test_what_went_wrong_is_told_to_the_model(name: str, arguments: str, told: str) -> None:
    tools, calls = Tools([weather, fail]), answer(("c1", name, arguments))
    assert [turn["content"] for turn in tools.run(calls)[1:]] == [told]
    assert [turn["content"] for turn in asyncio.run(tools.run_async(calls))[1:]] == [told]


def test_bugs_cut_answers_and_other_functions_are_errors() -> None:
    tools = Tools([crash, add])
    with pytest.raises(ZeroDivisionError, match="a bug"):
        tools.run(answer(("c1", "crash", "{}")))
    with pytest.raises(IncompleteAnswer):
        tools.run(answer(("c1", "crash", "{")))
    with pytest.raises(ValueError, match="the answer calls 'other', which is none of crash, add"):
        tools.run(answer(("c1", "other", "{}")))
    with pytest.raises(TypeError, match="add is a coroutine function; await run_async"):
        tools.run(answer(("c1", "add", '{"first": 1, "second": 2}')))


def test_coroutine_functions_run_on_the_loop_and_others_in_threads() -> None:
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    calls = answer(("c1", "add", '{"first": 1, "second": 2}'), ("c2", "where", "{}"))
    turns = asyncio.run(Tools([add, where]).run_async(calls))
    assert [turn["content"] for turn in turns[1:]] == ["3", "false"]


class Shop:
    """Methods are functions, too."""

    def price(self, item: str) -> str:
        """What it costs."""
        return f"{item}: 5"


def test_methods_can_be_called() -> None:
    tools = Tools([Shop().price])
    assert list(function(tools)["parameters"]["properties"]) == ["item"]
    assert tools.run(answer(("c1", "price", '{"item": "tea"}')))[1]["content"] == "tea: 5"


def test_functions_that_cannot_be_declared_are_refused() -> None:
    def untyped(a):  # type: ignore[no-untyped-def]
        return a

    def many(*texts: str) -> None:
        return None

    def positional(a: str, /) -> None:
        return None

    for wrong, message in (
        (untyped, "untyped: the parameter a has no type hint"),
        (many, r"many: the parameter \*texts: 'str' cannot be given by name"),
        (positional, "positional: the parameter a: 'str' cannot be given by name"),
        (lambda: None, "<function .* has no name by which it could be called"),
        (Shop(), "<.*Shop object .* has no name"),
    ):
        with pytest.raises(TypeError, match=message):
            Tools([wrong])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="two functions named nothing"):
        Tools([nothing, nothing])


def test_tools_of_a_request_are_functions_declarations_or_both() -> None:
    messages: Any = [{"role": "user", "content": "Hi"}]
    declared = Tools([weather]).declarations
    for tools in (Tools([weather]), [weather], declared):
        options: Any = {"tools": tools}
        assert json.loads(generate_request(messages, options).chat.tools_json) == declared


@pytest.mark.parametrize(
    ("docstring", "about", "parameters"),
    [
        ("", "", {}),
        ("One line.", "One line.", {}),
        ("About.\n\nParameters:\n  a: one\n    more\n\n  b: two", "About.", {"a": "one more", "b": "two"}),
        ("About.\n\nArgs:\n    a: one\n\nWhat follows\n    b: is no parameter.", "About.", {"a": "one"}),
        (
            "About.\n\n:param a: one\n    more\n:param str b: two\n:returns: c: three",
            "About.",
            {"a": "one more", "b": "two"},
        ),
        ("Note: this is\n\n  no section.", "Note: this is\n\n  no section.", {}),
        ("About.\n\nArgs:\n    a: one\nRaises:\n    KeyError: never", "About.", {"a": "one"}),
    ],
)
def test_docstrings_describe(docstring: str, about: str, parameters: dict[str, str]) -> None:
    assert described(docstring) == (about, parameters)
