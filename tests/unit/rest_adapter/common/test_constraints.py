"""Constraints under all their names: one is obeyed, on every route that generates; several are refused."""

from __future__ import annotations

import json

import pytest
from grpc import StatusCode

from rest_adapter.apis.native.completion import request as completion
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.openai.chat import request as chat
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions import request as text_completion
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.errors import RpcFailure
from rest_adapter.http.http_errors import http_error
from slotline.v1.generation_pb2 import Choices, Constraint, JsonObject, JsonStyle
from tests.unit.rest_adapter.clients import USER
from tests.unit.rest_adapter.common.test_unsupported import (
    EVERYWHERE,
    OPENAI,
    Body,
    Reader,
    chat_request,
    refusal,
)

SCHEMA = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"enum": [1.5, "é"]}}}
TEXT = json.dumps(SCHEMA, ensure_ascii=False, separators=(",", ":"))
BY_SCHEMA = Constraint(json_schema=TEXT)
ANY_OBJECT = Constraint(json_object=JsonObject())
GRAMMAR = 'root ::= "a"'


@pytest.mark.parametrize("read", EVERYWHERE)
@pytest.mark.parametrize(
    ("body", "constraint"),
    [
        ({"grammar": GRAMMAR}, Constraint(gbnf=GRAMMAR)),
        ({"guided_grammar": GRAMMAR}, Constraint(gbnf=GRAMMAR)),
        ({"ebnf": GRAMMAR}, Constraint(gbnf=GRAMMAR)),
        ({"guided_choice": ["yes", "no"]}, Constraint(choice=Choices(texts=["yes", "no"]))),
        ({"choice": ["yes", "no"]}, Constraint(choice=Choices(texts=["yes", "no"]))),
        ({"guided_regex": "[ab]+"}, Constraint(regex="[ab]+")),
        ({"regex": "[ab]+"}, Constraint(regex="[ab]+")),
        ({"json_schema": SCHEMA}, BY_SCHEMA),
        ({"json_schema": TEXT}, BY_SCHEMA),
        ({"json_schema": {}}, ANY_OBJECT),
        ({"guided_json": SCHEMA}, BY_SCHEMA),
        ({"guided_json": TEXT}, BY_SCHEMA),
        ({"structured_outputs": {"choice": ["a", "b"]}}, Constraint(choice=Choices(texts=["a", "b"]))),
        ({"structured_outputs": {"grammar": GRAMMAR}}, Constraint(gbnf=GRAMMAR)),
        ({"structured_outputs": {"regex": "a"}}, Constraint(regex="a")),
        ({"structured_outputs": {"json": SCHEMA}}, BY_SCHEMA),
        ({"structured_outputs": {"json": TEXT}}, BY_SCHEMA),
        ({"structured_outputs": {"json_object": True}}, ANY_OBJECT),
        ({"structured_outputs": {"json_object": False, "json": None, "disable_any_whitespace": False}}, Constraint()),
        ({"structured_outputs": {}}, Constraint()),
        (
            {"structured_outputs": {"json": SCHEMA, "whitespace_pattern": "[ ]"}},
            Constraint(json_schema=TEXT, json_style=JsonStyle(whitespace_pattern="[ ]")),
        ),
        (
            {
                "structured_outputs": {
                    "disable_any_whitespace": True,
                    "disable_additional_properties": True,
                    "disable_fallback": True,
                    "json_object": True,
                }
            },
            Constraint(
                json_object=JsonObject(),
                json_style=JsonStyle(disable_any_whitespace=True, disable_additional_properties=True),
            ),
        ),
    ],
)
def test_a_constraint_is_obeyed_under_each_of_its_names(read: Reader, body: Body, constraint: Constraint) -> None:
    assert read(body).constraint == constraint


@pytest.mark.parametrize("read", EVERYWHERE)
@pytest.mark.parametrize(
    "name",
    [
        *("grammar", "guided_grammar", "ebnf", "guided_choice", "choice", "guided_regex", "regex", "json_schema"),
        *("guided_json", "structured_outputs"),
    ],
)
def test_null_is_no_constraint(read: Reader, name: str) -> None:
    assert read({name: None}) == read({})


@pytest.mark.parametrize("read", OPENAI)
@pytest.mark.parametrize(
    ("form", "constraint"),
    [
        (None, Constraint()),
        ({"type": "text"}, Constraint()),
        ({"type": "text", "schema": SCHEMA}, Constraint()),
        ({"type": "json_object"}, ANY_OBJECT),
        ({"type": "json_object", "schema": None}, ANY_OBJECT),
        ({"type": "json_object", "schema": {}}, ANY_OBJECT),
        ({"type": "json_object", "schema": SCHEMA}, BY_SCHEMA),
        ({"type": "json_schema", "schema": SCHEMA}, BY_SCHEMA),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}, BY_SCHEMA),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": None}}, BY_SCHEMA),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, ANY_OBJECT),
    ],
)
def test_a_response_format_is_obeyed_in_all_its_forms(read: Reader, form: object, constraint: Constraint) -> None:
    assert read({"response_format": form}).constraint == constraint


@pytest.mark.parametrize("read", EVERYWHERE)
@pytest.mark.parametrize(
    ("body", "name", "problem"),
    [
        ({"guided_choice": []}, "guided_choice", "at least one text is needed"),
        ({"choice": "yes"}, "choice", "is not an array of strings"),
        ({"choice": ["yes", 5]}, "choice[1]", "5 is not a string"),
        ({"ebnf": 5}, "ebnf", "5 is not a string"),
        ({"regex": ["a"]}, "regex", "is not a string"),
        ({"guided_regex": ""}, "guided_regex", '"" is empty'),
        ({"json_schema": []}, "json_schema", "[] is not a JSON Schema, an object or its text"),
        ({"guided_json": True}, "guided_json", "true is not a JSON Schema"),
        ({"structural_tag": "x"}, "structural_tag", "is not supported"),
        ({"structured_outputs": "json"}, "structured_outputs", "is not an object"),
        ({"structured_outputs": {"jsn": SCHEMA}}, "structured_outputs.jsn", "is not known; allowed are choice, "),
        ({"structured_outputs": {"json": 5}}, "structured_outputs.json", "5 is not a JSON Schema"),
        ({"structured_outputs": {"json_object": 1}}, "structured_outputs.json_object", "1 is not true or false"),
        ({"structured_outputs": {"structural_tag": "x"}}, "structured_outputs.structural_tag", "is not supported"),
        ({"structured_outputs": {"whitespace_pattern": 1}}, "structured_outputs.whitespace_pattern", "not a string"),
        (
            {"structured_outputs": {"disable_any_whitespace": "no"}},
            "structured_outputs.disable_any_whitespace",
            "true or false",
        ),
    ],
)
def test_a_value_that_is_no_constraint_is_refused_by_name(read: Reader, body: Body, name: str, problem: str) -> None:
    error = refusal(read, body)
    assert error.name == name
    assert problem in str(error)


@pytest.mark.parametrize("read", OPENAI)
@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("json", "response_format"),
        ({}, "response_format.type"),
        ({"type": "grammar"}, "response_format.type"),
        ({"type": "json_object", "schema": []}, "response_format.schema"),
        ({"type": "json_schema", "schema": "x"}, "response_format.schema"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": SCHEMA}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"schema": {}, "strict": 1}}, "response_format.json_schema.strict"),
    ],
)
def test_a_response_format_that_is_none_is_refused_by_name(read: Reader, form: object, name: str) -> None:
    assert refusal(read, {"response_format": form}).name == name


@pytest.mark.parametrize(
    ("body", "name", "first"),
    [
        ({"grammar": GRAMMAR, "guided_choice": ["a"]}, "guided_choice", "grammar"),
        ({"grammar": GRAMMAR, "json_schema": {}}, "json_schema", "grammar"),
        ({"guided_grammar": GRAMMAR, "choice": ["a"]}, "choice", "guided_grammar"),
        ({"regex": "a", "guided_json": {}}, "guided_json", "regex"),
        ({"guided_json": SCHEMA, "json_schema": SCHEMA}, "guided_json", "json_schema"),
        ({"choice": ["a"], "structured_outputs": {"json_object": True}}, "structured_outputs.json_object", "choice"),
        (
            {"structured_outputs": {"regex": "a", "grammar": GRAMMAR}},
            "structured_outputs.grammar",
            "structured_outputs.regex",
        ),
        ({"choice": ["a"], "response_format": {"type": "json_object"}}, "response_format", "choice"),
        (
            {"json_schema": {}, "response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format",
            "json_schema",
        ),
    ],
)
def test_of_two_constraints_both_are_named(body: Body, name: str, first: str) -> None:
    error = refusal(chat_request, body)
    assert error.name == name
    assert str(error) == f"{name}: is not allowed together with {first}; send one of them"


@pytest.mark.parametrize(
    ("body", "path", "name"),
    [
        ({"guided_grammar": "x"}, "constraint.gbnf", "guided_grammar"),
        ({"grammar": "x"}, "constraint.gbnf", "grammar"),
        ({"choice": ["a"]}, "constraint.choice.texts[0]", "choice[0]"),
        ({"structured_outputs": {"choice": ["a"]}}, "constraint.choice.texts[0]", "structured_outputs.choice[0]"),
        ({"stop_token_ids": [1]}, "stop.token_ids[0]", "stop_token_ids[0]"),
        ({"json_schema": SCHEMA}, "constraint.json_schema", "json_schema"),
        ({"json_schema": {}}, "constraint.json_object", "json_schema"),
        ({"structured_outputs": {"regex": "a"}}, "constraint.regex", "structured_outputs.regex"),
    ],
)
def test_what_the_core_refuses_has_the_name_that_was_sent(body: Body, path: str, name: str) -> None:
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "", violations=((path, "is wrong"),))
    told = [
        chat.rename_fields(failure, read_chat({"messages": USER, **body})),
        text_completion.rename_fields(failure, read_text_completion({"prompt": "a", **body})),
        completion.rename_fields(failure, read_completion({"prompt": "a", **body})),
    ]
    for error in told:
        assert (http_error(error).message, http_error(error).param) == (f"{name}: is wrong", name)


def test_what_the_core_refuses_of_a_response_format_has_its_path() -> None:
    failure = RpcFailure(
        StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "", violations=(("constraint.json_schema", "/not is wrong"),)
    )
    form = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    error = http_error(chat.rename_fields(failure, read_chat({"messages": USER, "response_format": form})))
    assert error.message == "response_format.json_schema.schema: /not is wrong"
