"""Calls whose markers are control tokens, on models of random weights: they are seen, and guaranteed all the same."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, ModelConfig
from service.dialogue.parsing.harmony import CONTROL_TOKENS
from slotline.v1 import generation_pb2, model_pb2, prompt_pb2, sampling_pb2
from tests.support.parsed import Call
from tests.support.scripted_core import RunningCore, started
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PLAIN = "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}"
CHANNELS = "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}<|start|>assistant"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}, "unit": {"enum": ["a", "b"]}},
    "required": ["n", "unit"],
    "additionalProperties": False,
}
TOOLS = json.dumps([{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "get")])
FORMS = {
    "gpt-oss": (CONTROL_TOKENS, CHANNELS),
    "mistral": (("[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]"), PLAIN),
    "mistral-nemo": (("[TOOL_CALLS]",), PLAIN),
    "gemma4": (("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>'), PLAIN),
    "lfm2": (("<|tool_call_start|>", "<|tool_call_end|>"), PLAIN),
    "kimi-k2": (("<|tool_calls_section_begin|>", "<|tool_call_begin|>", "<|tool_call_end|>"), PLAIN),
}


@asynccontextmanager
async def running_core(path: Path, form: str) -> AsyncIterator[RunningCore]:
    """A core on a tiny model with the control tokens of a format."""
    names, template = FORMS[form]
    model = write_tiny_gguf(path / "tiny.gguf", TinyModel(names=names, chat_template=template, n_ctx_train=1024))
    config = ModelConfig(path=str(model), n_ctx=4096, n_parallel=4, n_threads=1, n_threads_batch=1)
    async with started(CoreServer(CoreConfig(model=config, listen=("127.0.0.1:0",), tool_format=form))) as running:
        yield running


def request(mode: prompt_pb2.ToolMode.ValueType, seed: int, n_sequences: int = 4) -> generation_pb2.GenerateRequest:
    """A request with tools."""
    message = prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text="Hi")])
    policy = prompt_pb2.ToolPolicy(mode=mode, parallel=False)
    return generation_pb2.GenerateRequest(
        chat=prompt_pb2.ChatPrompt(
            messages=[message],
            tools_json=TOOLS,
            tool_policy=policy,
            reasoning=prompt_pb2.ReasoningOptions(budget_tokens=3),
        ),
        output=generation_pb2.OutputOptions(parse_output=True),
        sampling=sampling_pb2.SamplingParams(seed=seed),
        stop=generation_pb2.StopParams(max_tokens=300),
        num_sequences=n_sequences,
    )


async def calls_of(core: RunningCore, asked: generation_pb2.GenerateRequest) -> dict[int, list[Call]]:
    """The calls of the sequences that ended with some; there may be no content."""
    calls: dict[int, list[Call]] = {}
    ended = set()
    async for response in core.inference.Generate(asked, timeout=120):
        assert all(piece.channel == generation_pb2.CHANNEL_REASONING for piece in response.delta.pieces)
        for part in response.delta.tool_deltas:
            own = calls.setdefault(response.delta.index, [])
            if part.name:
                own.append(Call(part.id, part.name))
            own[part.call].arguments += part.arguments
        if response.finished.reason == generation_pb2.FINISH_REASON_TOOL_CALLS:
            ended.add(response.finished.index)
    return {index: made for index, made in calls.items() if index in ended}


@pytest.mark.asyncio
@pytest.mark.parametrize("form", FORMS)
async def test_required_calls_are_valid_whatever_the_model(tmp_path: Path, form: str) -> None:
    async with running_core(tmp_path, form) as core:
        listed = await core.models.ListModels(model_pb2.ListModelsRequest())
        description = json.loads(listed.models[0].chat_format.description_json)
        assert set() < set(description["control_tokens"]) <= set(FORMS[form][0])
        n_calls = 0
        for seed in range(3):
            for (call,) in (await calls_of(core, request(prompt_pb2.TOOL_MODE_REQUIRED, 4 * seed))).values():
                assert call.name in ("f", "get")
                jsonschema.validate(json.loads(call.arguments), SCHEMA)
                n_calls += 1
        assert n_calls >= 6
