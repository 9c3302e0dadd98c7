"""The curl commands that llama.cpp's server documented in February 2024, in their manner of writing options."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.server import Server

BUILDING = "Building a website can be done in 10 simple steps:"
SYSTEM = "You are a helpful assistant."


def curl(*arguments: str) -> Any:
    """The JSON that a command prints."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it")
    run = subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    return json.loads(run.stdout)


def post_openai(url: str, body: object) -> Any:
    headers = ("-H", "Content-Type: application/json", "-H", "Authorization: Bearer no-key")
    return curl(url, *headers, "-d", json.dumps(body))


def test_a_completion_with_long_options(server: Server) -> None:
    body = json.dumps({"prompt": BUILDING, "n_predict": 32})
    url = ("--url", f"{server.rest_url}/completion")
    answer = curl("--request", "POST", *url, "--header", "Content-Type: application/json", "--data", body)
    assert (answer["prompt"], answer["stop"], answer["truncated"]) == (BUILDING, True, False)
    assert 0 < answer["tokens_predicted"] <= 32
    assert answer["content"]


def test_a_completion_whose_body_is_called_a_form(server: Server) -> None:
    # What curl says of -d unless it is told otherwise.
    answer = curl(f"{server.rest_url}/completion", "-d", json.dumps({"prompt": BUILDING, "n_predict": 4}))
    assert answer["tokens_predicted"] <= 4


def test_a_chat_with_a_key_that_is_none(server: Server) -> None:
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "What is the capital of Germany?"}]
    body = {"model": "gpt-3.5-turbo", "messages": messages, "max_tokens": 32, "temperature": 0}
    answer = post_openai(f"{server.rest_url}/v1/chat/completions", body)
    assert (answer["object"], answer["model"]) == ("chat.completion", "gpt-3.5-turbo")
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert "Berlin" in choice["message"]["content"]
    assert set(answer["usage"]) == {"completion_tokens", "prompt_tokens", "prompt_tokens_details", "total_tokens"}


@pytest.mark.parametrize("given", ["hello", ["hello", "world"]], ids=["string", "array"])
def test_embeddings_with_a_key_that_is_none(server: Server, given: str | list[str]) -> None:
    body = {"input": given, "model": "GPT-4", "encoding_format": "float"}
    answer = post_openai(f"{server.rest_url}/v1/embeddings", body)
    n_texts = 1 if isinstance(given, str) else len(given)
    assert (answer["object"], answer["model"]) == ("list", "GPT-4")
    assert [item["index"] for item in answer["data"]] == list(range(n_texts))
    assert {len(item["embedding"]) for item in answer["data"]} == {576}
