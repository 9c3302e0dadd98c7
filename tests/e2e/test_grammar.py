"""Output limited to a grammar, over REST."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from tests.support.server import Server

YES_NO = 'root ::= " " ("yes" | "no")'


def complete(server: Server, **options: Any) -> requests.Response:
    body = {"prompt": "Is Paris a city? Answer:", "n_predict": 64, "seed": 1} | options
    return requests.post(f"{server.rest_url}/completion", json=body, timeout=120)


@pytest.mark.parametrize("more", [{}, {"ignore_eos": True}, {"temperature": 0}, {"mirostat": 2}, {"stream": True}])
def test_the_text_is_one_that_the_grammar_has(server: Server, more: dict[str, Any]) -> None:
    response = complete(server, grammar=YES_NO, **more)
    assert response.status_code == 200
    if "stream" in more:
        events = [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line]
        text, last = "".join(event["content"] for event in events), events[-1]
    else:
        last = response.json()
        text = last["content"]
    assert text in (" yes", " no")
    assert last["stopped_eos"]
    assert last["generation_settings"]["grammar"] == YES_NO


def test_probabilities_belong_to_tokens_that_the_grammar_allows(server: Server) -> None:
    reply = complete(server, grammar='root ::= "zebra"', n_probs=3, temperature=0).json()
    assert reply["content"] == "zebra"
    for entry in reply["completion_probabilities"]:
        assert entry["probs"][0]["tok_str"] == entry["content"]
    assert "".join(entry["content"] for entry in reply["completion_probabilities"]) == "zebra"


def test_characters_of_several_tokens_obey_their_class(server: Server) -> None:
    reply = complete(server, prompt="龍", grammar="root ::= [㐀-龯😀-😏]{4}").json()
    assert re.fullmatch(r"[㐀-龯😀-😏]{4}", reply["content"])
    assert reply["tokens_predicted"] > 5
    assert reply["stopped_eos"]


def test_a_response_format_gives_a_json_object(server: Server) -> None:
    body = {
        "messages": [{"role": "user", "content": "Describe Paris as JSON with the keys name and country."}],
        "response_format": {"type": "json_object"},
        "max_tokens": 300,
        "temperature": 0,
    }
    response = requests.post(f"{server.rest_url}/v1/chat/completions", json=body, timeout=120)
    (choice,) = response.json()["choices"]
    assert choice["message"]["content"].startswith("{")
    if choice["finish_reason"] == "stop":
        assert isinstance(json.loads(choice["message"]["content"]), dict)


@pytest.mark.parametrize(
    ("grammar", "problem"),
    [
        ('root ::= "a', "line 1, column 10: this literal is not closed"),
        ('main ::= "a"', "the grammar has no rule 'root'"),
        ('root ::= root "a" | "b"', "rule 'root' is left recursive"),
        ("root ::= " + "(" * 20_000, "nested more than 200 deep"),
        ('root ::= "a"{3,2}', "at least 3 and at most 2 repetitions exclude each other"),
        ('root ::= "a" root "b" | "a" root "c" | "d"', "too ambiguous"),
        ('root ::= "' + "a" * 70_000 + '"', "at most 65536"),
    ],
)
def test_a_grammar_that_cannot_be_used_is_a_bad_request_and_nothing_else_happens(
    server: Server, grammar: str, problem: str
) -> None:
    core = server.core_pid()
    response = complete(server, grammar=grammar)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["message"].startswith("grammar: ")
    assert problem in error["message"]
    assert complete(server, n_predict=2).status_code == 200
    assert server.core_pid() == core
