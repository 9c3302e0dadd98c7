"""The command ``llm`` with the server among its OpenAI-compatible models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server import Server

QUESTION = "What is the capital of Germany?"
GREEDY = ("-o", "temperature", "0", "-o", "max_tokens", "24")
# Leaves keys and settings of whoever runs the tests out of them.
_FOREIGN = ("OPENAI_", "LLM_")

Llm = Callable[..., str]


@pytest.fixture
def llm(server: Server, tmp_path: Path) -> Llm:
    """Runs the command with a directory of its own and gives what it prints."""
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"""\
- model_id: chat
  model_name: any
  api_base: {server.rest_url}/v1
- model_id: text
  model_name: any
  api_base: {server.rest_url}/v1
  completion: true
"""
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # Without plugins it does not load models of its own.
    environment |= {"LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": ""}
    # Embedding models have no setting for the address, but their client has.
    environment |= {"OPENAI_BASE_URL": f"{server.rest_url}/v1", "OPENAI_API_KEY": "none"}

    def run(*arguments: str, status: int = 0) -> str:
        command = [sys.executable, "-P", "-m", "llm", *arguments]
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


def test_a_prompt_streamed_and_not_and_its_continuation(llm: Llm) -> None:
    streamed = llm("-m", "chat", QUESTION, *GREEDY)
    assert "Berlin" in streamed
    assert llm("-m", "chat", QUESTION, "--no-stream", *GREEDY) == streamed
    assert "Paris" in llm("--continue", "And of France?", *GREEDY)
    logged = json.loads(llm("logs", "list", "--json", "-n", "3"))
    first, whole, last = sorted(logged, key=lambda entry: str(entry["datetime_utc"]))
    assert (first["prompt"], whole["prompt"], last["prompt"]) == (QUESTION, QUESTION, "And of France?")
    assert last["conversation_id"] == whole["conversation_id"] != first["conversation_id"]
    # Usage arrives in streams, too, and a continued conversation has a longer prompt.
    assert first["input_tokens"] == whole["input_tokens"] < last["input_tokens"]
    assert first["output_tokens"] == whole["output_tokens"]
    assert last["response_json"]["finish_reason"] == "stop"


def test_any_json(llm: Llm) -> None:
    answer = llm("-m", "chat", "-s", "You are a geographer.", "About Berlin.", "-o", "json_object", "1", *GREEDY)
    # So small a model may not find the end.
    assert answer.startswith("{")


def test_a_text_completion(llm: Llm) -> None:
    assert llm("-m", "text", "1, 2, 3,", *GREEDY).startswith(" 4, 5, 6")


def test_an_error_is_told(llm: Llm) -> None:
    assert "context" in llm("-m", "text", "word " * 3000, status=1)


def test_embeddings(llm: Llm, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    lines = [{"id": "first", "content": "The cat sleeps."}, {"id": "second", "content": "int main() { return 0; }"}]
    texts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    llm("embed-multi", "words", str(texts), "--format", "nl", "-m", "text-embedding-3-small")
    best = json.loads(llm("similar", "words", "-c", "The cat sleeps.", "-n", "1"))
    assert best["id"] == "first"


def test_an_endpoint_without_any_setting(llm: Llm, server: Server) -> None:
    url = f"{server.rest_url}/v1"
    assert "Berlin" in llm("openai", "endpoint", url, QUESTION, "-m", "any", *GREEDY)
    listed = llm("openai", "endpoint", url, "--models")
    assert "SmolLM2-135M-Instruct.Q4_1" in listed
