"""Requests whose size the sender chose: refused in words that say what is allowed, or answered beside others."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rest_adapter.apis.serving import generation, reading
from rest_adapter.config import RestConfig
from service.config import ModelConfig
from tests.support.adapter import post
from tests.support.scripted_core import WAIT_S
from tests.support.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

N_CTX = 512
MANY = 65_537
TOO_MANY = "has more than 65536 entries; allowed are no more"
USER = b'{"role":"user","content":"a"}'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    model = ModelConfig(path="/models/scripted.gguf", n_ctx=N_CTX, n_parallel=2, embedding=True)
    made = ScriptedService(tmp_path_factory.mktemp("adversaries"), RestConfig(metrics=True), model=model)
    yield made
    made.close()


def listed(name: str, entry: bytes, count: int = MANY, rest: bytes = b"") -> bytes:
    return b'{"%s":[' % name.encode() + b",".join([entry] * count) + b"]" + rest + b"}"


def keys(name: str) -> bytes:
    return b'{"%s":{' % name.encode() + b",".join(b'"%d":1' % key for key in range(MANY)) + b"}}"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/completion", listed("prompt", b"1", 3_000_000), f"prompt: {TOO_MANY}"),
        ("/completion", listed("prompt", b'"a"', rest=b',"stream":true'), f"prompt: {TOO_MANY}"),
        ("/completion", b'{"prompt":' + listed("a", b"1") + b"}", f"prompt.a: {TOO_MANY}"),
        ("/completion", b'{"prompt":[[1],[' + b"1," * MANY + b"1]]}", f"prompt[1]: {TOO_MANY}"),
        ("/completion", listed("logit_bias", b"[1,-1.5]", 1_500_000), f"logit_bias: {TOO_MANY}"),
        ("/completion", keys("logit_bias"), f"logit_bias: {TOO_MANY}"),
        ("/completion", listed("penalty_prompt", b"1"), f"penalty_prompt: {TOO_MANY}"),
        ("/completion", listed("stop", b'"a"'), f"stop: {TOO_MANY}"),
        ("/completion", listed("samplers", b'"top_k"'), f"samplers: {TOO_MANY}"),
        ("/completion", listed("image_data", b"{}"), f"image_data: {TOO_MANY}"),
        ("/infill", listed("input_prefix", b"1"), f"input_prefix: {TOO_MANY}"),
        ("/detokenize", listed("tokens", b"12", 3_000_000), f"tokens: {TOO_MANY}"),
        ("/tokenize", listed("content", b'"a"'), f"content: {TOO_MANY}"),
        ("/embedding", listed("content", b"1"), f"content: {TOO_MANY}"),
        ("/v1/embeddings", listed("input", b"[1]"), f"input: {TOO_MANY}"),
        ("/v1/completions", listed("prompt", b"1"), f"prompt: {TOO_MANY}"),
        ("/v1/chat/completions", listed("messages", USER, 400_000), "the body holds more than 262144 keys and values"),
        ("/v1/chat/completions", listed("messages", b"{}"), f"messages: {TOO_MANY}"),
        (
            "/v1/chat/completions",
            b'{"messages":[{"role":"user","content":[' + b'"a",' * MANY + b'"a"]}]}',
            f"messages[0].content: {TOO_MANY}",
        ),
        ("/completion", b"{" + b",".join(b'"%d":1' % key for key in range(MANY)) + b"}", f"body: {TOO_MANY}"),
        ("/completion", b'{"a":' + b"[" * 1_000_000, "the body is nested too deeply"),
        (
            "/completion",
            b'{"a":[' + b",".join([b"[" + b",".join([b"[]"] * 60_000) + b"]"] * 5) + b"]}",
            "the body holds more than 262144 keys and values that are not numbers; allowed are no more",
        ),
        (
            "/completion",
            b'{"a":[' + b",".join([b"[" + b",".join([b"1"] * 60_000) + b"]"] * 36) + b"]}",
            "the body holds more than 2097152 numbers; allowed are no more",
        ),
        (
            "/completion",
            b'{"prompt":[' + b",".join([b'"a"'] * 4096) + b'],"logit_bias":[' + b",".join([b"[1,1]"] * 8000) + b"]}",
            "prompt: 4096 prompts repeat the",
        ),
        (
            "/completion",
            b'{"prompt":"aaaa","n_predict":48,"n_probs":49152,"ignore_eos":true}',
            "n_probs: 49152 times n_predict 48 makes 2359296 probabilities; allowed is a product of at most 1048576",
        ),
        (
            "/v1/chat/completions",
            b'{"messages":[%b],"n":128,"max_tokens":1000,"logprobs":true,"top_logprobs":20}' % USER,
            "top_logprobs: 20 for each of 128 answers times max_tokens 1000 makes 2560000 probabilities",
        ),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else None,
)
def test_too_much_is_refused_in_exact_words(service: ScriptedService, path: str, body: bytes, message: str) -> None:
    answer = send(service, path, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(message)
    service.check_answers()


@pytest.mark.parametrize("body", [b'{"prompt":"%b"}' % (b"a" * (16 << 20)), listed("prompt", b"1", 9_000_000)])
def test_a_body_beyond_the_limit_is_refused_before_it_is_read(service: ScriptedService, body: bytes) -> None:
    answer = send(service, "/completion", body)
    assert answer.status_code == 413
    assert "larger than the 16777216 bytes allowed" in answer.json()["error"]["message"]
    service.check_answers()


def test_as_much_as_is_allowed_is_answered(service: ScriptedService) -> None:
    tokens = send(service, "/detokenize", listed("tokens", b"65", MANY - 1)).json()["content"]
    assert len(tokens) == MANY - 1
    text = "ab" * 100_000
    assert len(post(service.adapter, "/tokenize", content=text).json()["tokens"]) == len(text)
    body = listed("prompt", b"65", MANY - 1, b',"n_predict":2')
    answer = send(service, "/completion", body).json()
    assert answer["truncated"]
    assert answer["prompt"] == [65] * (MANY - 1)
    biases = listed("logit_bias", b"[66,1.5]", MANY - 1, b',"prompt":"a","n_predict":2')
    assert send(service, "/completion", biases).json()["generation_settings"]["logit_bias"] == [[66, 1.5]]


@pytest.mark.parametrize("stream", [False, True])
def test_the_whole_vocabulary_is_told_for_a_short_answer(service: ScriptedService, stream: bool) -> None:
    n_vocab = service.core.server.core.model("").vocabulary.n_vocab
    answer = post(service.adapter, "/completion", prompt="aa", n_predict=4, n_probs=n_vocab, stream=stream)
    final = json.loads(answer.text.split("data: ")[-1]) if stream else answer.json()
    entries = final["completion_probabilities"]
    assert [len(entry["probs"]) for entry in entries] == [n_vocab] * 4


@pytest.mark.parametrize(
    ("module", "name", "path", "body"),
    [
        # Longer than a body that is read at once; and an answer that is written beside the hub.
        (reading, "decode_in_pieces", "/tokenize", json.dumps({"content": "a" * 200_000})),
        (generation, "encode_in_pieces", "/completion", json.dumps({"prompt": "a", "n_predict": 2, "n_probs": 1})),
    ],
)
def test_others_are_served_while_a_large_one_is_worked_on(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, path: str, body: str
) -> None:
    is_begun, go_on = threading.Event(), threading.Event()
    work: Callable[..., object] = getattr(module, name)

    def slow(*arguments: object) -> object:
        is_begun.set()
        assert go_on.wait(WAIT_S)
        return work(*arguments)

    monkeypatch.setattr(module, name, slow)
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(send, service, path, body.encode())
        try:
            assert is_begun.wait(WAIT_S)
            assert requests.get(service.adapter.url + "/health", timeout=WAIT_S).status_code == 200
            assert post(service.adapter, "/completion", prompt="a", n_predict=8, stream=True).text.count("data: ") == 9
            assert not large.done()
        finally:
            go_on.set()
        assert large.result().status_code == 200


def send(service: ScriptedService, path: str, body: bytes) -> requests.Response:
    return requests.post(service.adapter.url + path, data=body, timeout=WAIT_S)
