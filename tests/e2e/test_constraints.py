"""Output that obeys schemas, expressions, choices and grammars, over REST, by the default model at several seeds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import requests

if TYPE_CHECKING:
    from tests.support.server import Server

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 1, "maxItems": 2},
        "home": {
            "type": "object",
            "properties": {"city": {"enum": ["Bern", "Rome"]}, "zip": {"type": "string", "pattern": "^[0-9]{4}$"}},
            "required": ["city", "zip"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "age", "tags", "home"],
    "additionalProperties": False,
}
SEEDS = (1, 2, 3)


def complete(server: Server, **options: Any) -> dict[str, Any]:
    body = {"prompt": "Describe a person as JSON:", "n_predict": 300, "temperature": 1.5} | options
    response = requests.post(f"{server.rest_url}/completion", json=body, timeout=120)
    assert response.status_code == 200, response.text
    reply: dict[str, Any] = response.json()
    return reply


def chat(server: Server, **options: Any) -> requests.Response:
    body = {"messages": [{"role": "user", "content": "Describe a person as JSON."}], "max_tokens": 300} | options
    return requests.post(f"{server.rest_url}/v1/chat/completions", json=body, timeout=120)


@pytest.mark.parametrize(
    "options",
    [
        *({"seed": seed} for seed in SEEDS),
        {"ignore_eos": True},
        {"mirostat": 2},
        {"repeat_penalty": 1.5},
        {"temperature": 0},
        {"n_probs": 2},
        {"min_tokens": 200},
    ],
)
def test_a_schema_is_obeyed(server: Server, options: dict[str, Any]) -> None:
    reply = complete(server, json_schema=SCHEMA, **options)
    assert reply["stopped_eos"], reply["content"]
    jsonschema.validate(json.loads(reply["content"]), SCHEMA)
    assert list(json.loads(reply["content"])) == list(SCHEMA["properties"])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("constraint", "pattern"),
    [
        ({"json_schema": {}}, r"\{.*\}"),
        ({"guided_json": '{"enum": ["a b", 7]}'}, r'"a b"|7'),
        ({"guided_regex": "^[A-C]{2}-[0-9]{1,3}x$"}, "[A-C]{2}-[0-9]{1,3}x"),
        ({"regex": "yes|no"}, "yes|no"),
        ({"choice": ["yes", "no", "maybe so"]}, "yes|no|maybe so"),
        ({"ebnf": 'root ::= "y" [a-z]{3}'}, "y[a-z]{3}"),
        ({"grammar": '%llguidance {}\nstart: "<" /[a-z]{4}/ ">"'}, "<[a-z]{4}>"),
        ({"structured_outputs": {"json": SCHEMA, "disable_any_whitespace": True}}, r'\{"name":".*","age":\d+.*\}'),
        ({"structured_outputs": {"regex": "a{3}"}}, "aaa"),
        ({"structured_outputs": {"choice": ["one"]}}, "one"),
        ({"structured_outputs": {"grammar": 'root ::= "two"'}}, "two"),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_field_constrains(server: Server, constraint: dict[str, Any], pattern: str, seed: int) -> None:
    reply = complete(server, seed=seed, **constraint)
    if reply["stopped_eos"]:
        assert re.fullmatch(pattern, reply["content"], re.DOTALL), reply["content"]
    else:
        # Objects of any kind may take longer than there is room for.
        assert constraint == {"json_schema": {}}
        assert reply["content"].startswith("{")


@pytest.mark.parametrize(
    "form",
    [
        {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}},
        {"type": "json_schema", "schema": SCHEMA},
        {"type": "json_object", "schema": SCHEMA},
    ],
)
def test_answers_of_several_sequences_obey_a_response_format(server: Server, form: dict[str, Any]) -> None:
    response = chat(server, response_format=form, n=3, seed=5, temperature=1.5)
    choices = response.json()["choices"]
    answers = [json.loads(choice["message"]["content"]) for choice in choices]
    assert len(answers) == 3
    for answer in answers:
        jsonschema.validate(answer, SCHEMA)
    assert len({json.dumps(answer) for answer in answers}) > 1


def test_a_stream_obeys_a_response_format(server: Server) -> None:
    form = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    response = chat(server, response_format=form, stream=True, seed=7)
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    jsonschema.validate(json.loads(text), SCHEMA)


def test_a_schema_survives_a_context_shift(server: Server) -> None:
    schema = {
        "type": "array",
        "items": {"type": "integer", "maximum": 9, "minimum": 0},
        "minItems": 300,
        "maxItems": 300,
    }
    reply = complete(server, json_schema=schema, seed=1, n_predict=4000, prompt="1, 2, 3 " * 300)
    assert reply["truncated"]
    assert len(json.loads(reply["content"])) == 300


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"json_schema": {"properties": {"a": {"not": {}}}}},
            "json_schema: /properties/a/not is not supported; leave it out",
        ),
        ({"json_schema": {"type": "integer", "minimum": 5, "maximum": 3}}, "minimum (5) is greater than maximum (3)"),
        ({"regex": "(?=a)"}, "regex: "),
        ({"regex": "a", "choice": ["a"]}, "regex: is not allowed together with choice; send one of them"),
        ({"json_schema": {"$ref": "http://127.0.0.1/"}}, "json_schema: /$ref: 'http://127.0.0.1/' is elsewhere"),
        ({"json_schema": "{"}, "json_schema: is no JSON"),
        ({"guided_json": {"pattern": "x" * 300_000}}, "guided_json: has 300014 bytes; allowed are at most 262144"),
    ],
)
def test_a_constraint_that_cannot_be_used_is_a_bad_request(server: Server, body: dict[str, Any], message: str) -> None:
    response = requests.post(f"{server.rest_url}/completion", json={"prompt": "a", **body}, timeout=60)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]
