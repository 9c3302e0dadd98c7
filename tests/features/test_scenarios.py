"""The scenarios in this folder's ``.feature`` files: every file is run, and these are the sentences that it may use.

A path such as ``choices.0.text`` names a value inside the JSON of an answer. What follows "is" is written in JSON. If
several clients sent the last request, sentences about the answer hold for each of their answers.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from pytest_bdd import given, parsers, scenarios, then, when

from tests.features.conftest import DONE, Talk, at
from tests.support.server import PATIENCE_S

if TYPE_CHECKING:
    from tests.support.server_pool import ServerPool

scenarios(".")


# Given --------------------------------------------------------------------------------------------------------------


@given(parsers.parse("a server started with `{options}`"))
def _(talk: Talk, servers: ServerPool, options: str) -> None:
    talk.url = servers.get(*shlex.split(options)).rest_url


@given(parsers.parse("a client that reads an endless stream from {path}"))
def _(talk: Talk, path: str, docstring: str) -> None:
    talk.open(path, docstring)


# When ---------------------------------------------------------------------------------------------------------------


@when(parsers.parse("I get {path}"))
def _(talk: Talk, path: str) -> None:
    talk.send("GET", path)


@when(parsers.re(r"I send (?P<method>[A-Z]+) to (?P<path>\S+)"))
def _(talk: Talk, method: str, path: str) -> None:
    talk.send(method, path)


@when(parsers.re(r"I post to (?P<path>\S+)"))
def _(talk: Talk, path: str, docstring: str) -> None:
    talk.send("POST", path, docstring)


@when(parsers.re(r"I post to (?P<path>\S+) as a page of (?P<origin>\S+)"))
def _(talk: Talk, path: str, origin: str, docstring: str) -> None:
    talk.send("POST", path, docstring, Origin=origin)


@when(parsers.parse("{clients:d} clients post to {path} at once"))
def _(talk: Talk, clients: int, path: str, docstring: str) -> None:
    talk.send("POST", path, docstring, clients=clients)


@when(parsers.parse('I keep "{path}" as {name}'))
def _(talk: Talk, path: str, name: str) -> None:
    (talk.kept[name],) = talk.values(path)


@when("the client leaves")
def _(talk: Talk) -> None:
    talk.leave()


# Then: answers ------------------------------------------------------------------------------------------------------


@then(parsers.parse("the status is {status:d}"))
def _(talk: Talk, status: int) -> None:
    assert {answer.status_code for answer in talk.answers} == {status}


@then(parsers.parse('the header {name} is "{value}"'))
def _(talk: Talk, name: str, value: str) -> None:
    assert {answer.headers.get(name) for answer in talk.answers} == {value}


@then(parsers.re(r'"(?P<path>[^"]+)" is (?P<value>[-\d"\[{].*|true|false|null)'))
def _(talk: Talk, path: str, value: str) -> None:
    expected = json.loads(value)
    assert [found for found in talk.values(path) if found != expected] == []


@then(parsers.parse('"{path}" equals {name}'))
def _(talk: Talk, path: str, name: str) -> None:
    assert [found for found in talk.values(path) if found != talk.kept[name]] == []


@then(parsers.parse('"{path}" differs from {name}'))
def _(talk: Talk, path: str, name: str) -> None:
    assert [found for found in talk.values(path) if found == talk.kept[name]] == []


@then(parsers.parse('"{path}" is less than {name}'))
def _(talk: Talk, path: str, name: str) -> None:
    assert [found for found in talk.values(path) if found >= talk.kept[name]] == []


@then(parsers.parse('"{path}" holds text'))
def _(talk: Talk, path: str) -> None:
    assert [found for found in talk.values(path) if not (isinstance(found, str) and found)] == []


@then(parsers.parse('"{path}" matches /{expression}/'))
def _(talk: Talk, path: str, expression: str) -> None:
    assert [found for found in talk.values(path) if not re.search(expression, found)] == []


@then(parsers.re(r'"(?P<path>[^"]+)" has (?P<number>\d+) items?'), converters={"number": int})
def _(talk: Talk, path: str, number: int) -> None:
    assert [found for found in talk.values(path) if len(found) != number] == []


@then(parsers.parse('"{path}" is a vector that is not zero'))
def _(talk: Talk, path: str) -> None:
    for vector in talk.values(path):
        assert all(isinstance(component, float) for component in vector)
        assert any(vector)


@then(parsers.parse("the error is {kind} and mentions {text}"))
def _(talk: Talk, kind: str, text: str) -> None:
    for answer in talk.answers:
        error = answer.json()["error"]
        assert error["type"] == kind
        assert text in error["message"]
        if "param" in error:
            # An OpenAI route: the code is a word, if OpenAI has one.
            assert error["code"] is None or isinstance(error["code"], str)
        else:
            assert error["code"] == answer.status_code


# Then: streams ------------------------------------------------------------------------------------------------------


@then(parsers.re(r'the stream has (?P<number>\d+) chunks? with "(?P<path>[^"]+)"'), converters={"number": int})
def _(talk: Talk, number: int, path: str) -> None:
    assert {sum(_has(chunk, path) for chunk in chunks) for chunks in talk.chunks()} == {number}


@then(parsers.parse('the last chunk\'s "{path}" is {value}'))
def _(talk: Talk, path: str, value: str) -> None:
    assert [at(chunks[-1], path) for chunks in talk.chunks()] == [json.loads(value)] * len(talk.answers)


@then("every chunk has exactly one choice")
def _(talk: Talk) -> None:
    assert {len(chunk["choices"]) for chunks in talk.chunks() for chunk in chunks} == {1}


@then("the stream ends with OpenAI's mark")
def _(talk: Talk) -> None:
    assert {events[-1] for events in talk.events()} == {DONE}


def _has(chunk: Any, path: str) -> bool:
    try:
        at(chunk, path)
    except (KeyError, IndexError):
        return False
    return True


# Then: the server ---------------------------------------------------------------------------------------------------


@then(parsers.parse("all {number:d} slots are idle in the end"))
def _(talk: Talk, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        health = requests.get(f"{talk.url}/health?include_slots", timeout=PATIENCE_S).json()
        if health["slots_idle"] == number:
            break
        if time.monotonic() > deadline:
            pytest.fail(f"slots are still busy: {health}")
    assert (health["status"], health["slots_processing"]) == ("ok", 0)
    assert [(slot["id"], slot["state"]) for slot in health["slots"]] == [(slot_id, 0) for slot_id in range(number)]


@then(parsers.re(r"the metrics have (?P<name>[\w:]+)"))
def _(talk: Talk, name: str) -> None:
    (answer,) = talk.answers
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    assert [sample for sample in samples if re.fullmatch(rf"{name}(_total|_count)?", sample.name)]
