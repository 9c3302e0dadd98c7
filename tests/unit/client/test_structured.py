"""Answers as values of Python types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest

from slotline.client import Completion, IncompleteAnswer
from slotline.client.requests import generate_request
from slotline.client.structured import parse_options, parsed
from slotline.v1 import generation_pb2, tokens_pb2


class Person(pydantic.BaseModel):
    """A model that asks for more than its schema says."""

    name: str
    age: int

    @pydantic.field_validator("age")
    @classmethod
    def grown_up(cls, age: int) -> int:
        """Checks the age."""
        if age < 18:
            raise ValueError("too young")
        return age


@dataclass
class Point:
    """A dataclass."""

    x: int


CHAT: Any = [{"role": "user", "content": "Hi"}]


def completion(text: str, reason: Any = "stop") -> Completion:
    """An answer."""
    finished, accepted = generation_pb2.Finished(), generation_pb2.Accepted()
    return Completion(text, reason, (), finished, usage=tokens_pb2.Usage(), accepted=accepted, continuations=())


def test_the_type_becomes_a_constraint() -> None:
    request = generate_request(CHAT, parse_options(CHAT, Person, {"max_tokens": 9}))
    assert json.loads(request.constraint.json_schema) == Person.model_json_schema()
    assert request.constraint.json_style.disable_additional_properties
    assert (request.stop.max_tokens, request.output.parse_output) == (9, True)


@pytest.mark.parametrize("prompt", ["Hi", [1, 2], []])
def test_output_of_plain_prompts_is_not_parsed(prompt: Any) -> None:
    assert not generate_request(prompt, parse_options(prompt, Point, {})).output.HasField("parse_output")


def test_options_of_the_caller_win_but_for_constraints() -> None:
    options = parse_options(CHAT, Point, {"json_style": {"lenient": True}, "parse_output": False})
    assert (options["json_style"], options["parse_output"]) == ({"lenient": True}, False)
    with pytest.raises(ValueError, match="json_schema: there is choice already"):
        generate_request(CHAT, parse_options(CHAT, Point, {"choice": ["a"]}))


def test_the_answer_is_an_instance() -> None:
    answer = completion('{"name": "Ann", "age": 40}')
    person = parsed(answer, Person)
    assert (person.value, person.completion) == (Person(name="Ann", age=40), answer)
    assert parsed(completion('{"x": 1}'), Point).value == Point(1)
    assert parsed(completion("[1, 2]"), list[int]).value == [1, 2]


def test_a_cut_answer_is_told_with_its_text() -> None:
    with pytest.raises(IncompleteAnswer, match=r"not whole JSON \(it ended with length\)") as caught:
        parsed(completion('{"name": "An', "length"), Person)
    assert caught.value.text == '{"name": "An'


def test_what_only_the_type_knows_is_its_own_error() -> None:
    with pytest.raises(pydantic.ValidationError, match="too young"):
        parsed(completion('{"name": "Ann", "age": 4}'), Person)
    with pytest.raises(ValueError, match="answer: x is missing"):
        parsed(completion("{}"), Point)
