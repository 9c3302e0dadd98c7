"""What unreasonable-llama, a Python client of llama.cpp's server, sends and reads, without the client itself.

All of its releases also read names that the server got after February 2024
(``id_slot``, ``generation_settings.xtc_probability``, ``chat_template`` of /props, ``meta`` of /models); those are not
offered here. The rest is: its routes, all fields it can send, and the answers it needs.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.support.server import PATIENCE_S, Server

PROMPT = "Here's a random fact:"
# Every field of its completion request but for the prompt, under its name there.
OPTIONS: dict[str, Any] = {
    "n_predict": 8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "tfs_z": 1.0,
    "typical_p": 1.0,
    "temperature": 0.8,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "penalize_nl": True,
    "n_keep": 0,
    "n_discard": 0,
    "seed": 42,
    "min_keep": 0,
    # No limit, as without it: others are refused, because nobody here would keep them.
    "t_max_predict_ms": 0,
    "ignore_eos": True,
    "stop": ["never"],
    "samplers": ["top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature"],
    "grammar": "",
    # Of its earlier releases.
    "cache_prompt": True,
    "id_slot": -1,
    "image_data": [],
    "logit_bias": [],
    "penalty_prompt": PROMPT,
    "n_probs": 0,
}
READS = {
    "content": str,
    "generation_settings": dict,
    "model": str,
    "prompt": str,
    "stop": bool,
    "stopped_eos": bool,
    "stopped_limit": bool,
    "stopped_word": bool,
    "stopping_word": str,
    "timings": dict,
    "tokens_cached": int,
    "tokens_evaluated": int,
    "tokens_predicted": int,
    "truncated": bool,
}
TIMINGS = {f"{phase}_{name}" for phase in ("predicted", "prompt") for name in ("ms", "n", "per_second", "per_token_ms")}


def post(server: Server, path: str, body: object, *, stream: bool = False) -> requests.Response:
    """It writes its bodies itself and names their type."""
    headers = {"Content-Type": "application/json"}
    data = json.dumps(body)
    answer = requests.post(server.rest_url + path, data=data, headers=headers, stream=stream, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer


def check_end(answer: dict[str, Any]) -> None:
    """The fields of an answer, or of the last event of a stream."""
    assert {name: type(answer[name]) for name in READS} == READS
    assert answer["timings"].keys() >= TIMINGS
    assert (answer["stop"], answer["stopped_limit"], answer["tokens_predicted"]) == (True, True, 8)


def test_health(server: Server) -> None:
    assert requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S).json()["status"] == "ok"


def test_props_and_slots(server: Server) -> None:
    props = requests.get(f"{server.rest_url}/props", timeout=PATIENCE_S).json()
    assert props["total_slots"] == 4
    for settings in (
        props["default_generation_settings"],
        *requests.get(f"{server.rest_url}/slots", timeout=PATIENCE_S).json(),
    ):
        sampling = {"temperature", "top_k", "top_p", "min_p", "tfs_z", "typical_p", "mirostat", "samplers", "n_ctx"}
        assert settings.keys() >= sampling


def test_models(server: Server) -> None:
    (model,) = requests.get(f"{server.rest_url}/models", timeout=PATIENCE_S).json()["data"]
    assert isinstance(model["id"], str)
    assert isinstance(model["created"], int)


@pytest.mark.parametrize("as_tokens", [False, True], ids=["text", "tokens"])
def test_a_completion(server: Server, as_tokens: bool) -> None:
    prompt: Any = PROMPT
    if as_tokens:
        prompt = post(server, "/tokenize", {"content": PROMPT}).json()["tokens"]
    check_end(post(server, "/completions", {"prompt": PROMPT, **OPTIONS, "stream": False}).json())
    answer = post(server, "/completions", {"prompt": prompt, "n_predict": 2, "stream": False, "n_probs": 0}).json()
    assert answer["prompt"] == prompt


def test_a_streamed_completion(server: Server) -> None:
    with post(server, "/completions", {"prompt": PROMPT, **OPTIONS, "stream": True}, stream=True) as answer:
        # Every line that is not empty has to be data, and JSON: there is no [DONE].
        lines = [line for line in answer.iter_lines(decode_unicode=True) if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["stop"] for event in events] == [False] * (len(events) - 1) + [True]
    assert all(isinstance(event["content"], str) for event in events)
    check_end(events[-1] | {"prompt": PROMPT})


def test_tokens_and_back(server: Server) -> None:
    text = "Hi, this is a sample sentence that's gonna be tokenized!"
    body = {"content": text, "add_special": False, "with_pieces": False}
    tokens = post(server, "/tokenize", body).json()["tokens"]
    assert all(isinstance(token, int) for token in tokens)
    assert post(server, "/detokenize", {"tokens": tokens}).json()["content"] == text
