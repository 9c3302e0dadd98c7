"""Reasoning on the default model, which is made to think by a chat template that opens it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, ModelConfig
from slotline.cli.default_model import default_model_path
from slotline.v1 import generation_pb2, prompt_pb2, sampling_pb2
from tests.support.scripted_core import RunningCore, started
from tests.support.thinking import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS = json.dumps([{"type": "function", "function": {"name": "get_time"}}])
MESSAGE = " So, the answer:"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def core() -> AsyncIterator[RunningCore]:
    """One core for all tests here."""
    model = ModelConfig(path=str(default_model_path()), n_ctx=2048, n_parallel=2, n_threads=1, n_threads_batch=1)
    async with started(CoreServer(CoreConfig(model=model, listen=("127.0.0.1:0",), chat_template=TEMPLATE))) as running:
        yield running


def request(reasoning: prompt_pb2.ReasoningOptions | None = None, **options: Any) -> generation_pb2.GenerateRequest:
    """A request for a parsed answer of at most 60 tokens."""
    message = prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text="What is 2+2?")])
    chat = prompt_pb2.ChatPrompt(messages=[message], reasoning=reasoning, **options.pop("chat", {}))
    defaults = {
        "output": generation_pb2.OutputOptions(parse_output=True),
        "stop": generation_pb2.StopParams(max_tokens=60),
        "sampling": sampling_pb2.SamplingParams(seed=1),
    }
    return generation_pb2.GenerateRequest(chat=chat, **(defaults | options))


def budget(n_tokens: int) -> prompt_pb2.ReasoningOptions:
    """A budget with a message."""
    return prompt_pb2.ReasoningOptions(budget_tokens=n_tokens, budget_message=MESSAGE)


async def answer(
    core: RunningCore, asked: generation_pb2.GenerateRequest
) -> tuple[str, str, list[str], generation_pb2.Finished]:
    """Reasoning, content, names of called tools, and the end."""
    texts = {generation_pb2.CHANNEL_REASONING: "", generation_pb2.CHANNEL_CONTENT: ""}
    names: list[str] = []
    finished = generation_pb2.Finished()
    async for response in core.inference.Generate(asked, timeout=300):
        for piece in response.delta.pieces:
            texts[piece.channel] += piece.text
        names += [part.name for part in response.delta.tool_deltas if part.name]
        if response.HasField("finished"):
            finished = response.finished
    return texts[generation_pb2.CHANNEL_REASONING], texts[generation_pb2.CHANNEL_CONTENT], names, finished


@pytest.mark.parametrize("n_tokens", [0, 7])
async def test_a_budget_closes_reasoning_and_content_follows(core: RunningCore, n_tokens: int) -> None:
    stop = generation_pb2.StopParams(max_tokens=60, min_tokens=40)
    reasoning, content, _, finished = await answer(core, request(budget(n_tokens), stop=stop))
    assert reasoning.endswith(MESSAGE.strip())
    assert content
    assert "</think>" not in reasoning + content
    counted = finished.usage.reasoning_tokens
    assert n_tokens < counted < n_tokens + 16
    assert counted < finished.usage.completion_tokens


async def test_reasoning_without_an_end_is_reasoning(core: RunningCore) -> None:
    stop = generation_pb2.StopParams(max_tokens=60, min_tokens=60)
    reasoning, content, _, finished = await answer(core, request(stop=stop))
    assert reasoning
    assert content == ""
    assert finished.reason == generation_pb2.FINISH_REASON_LENGTH
    assert finished.usage.reasoning_tokens == finished.usage.completion_tokens == 60


async def test_reasoning_that_is_turned_off_does_not_begin(core: RunningCore) -> None:
    reasoning, content, _, finished = await answer(core, request(prompt_pb2.ReasoningOptions(enabled=False)))
    assert (reasoning, finished.usage.reasoning_tokens) == ("", 0)
    assert content


@pytest.mark.parametrize(
    "constraint",
    [
        generation_pb2.Constraint(choice=generation_pb2.Choices(texts=["four", "five"])),
        generation_pb2.Constraint(regex="four|five"),
        generation_pb2.Constraint(gbnf='root ::= "four" | "five"'),
    ],
    ids=["choice", "regex", "gbnf"],
)
async def test_a_constraint_holds_for_what_follows_the_reasoning(
    core: RunningCore, constraint: generation_pb2.Constraint
) -> None:
    reasoning, content, _, finished = await answer(core, request(budget(5), constraint=constraint))
    assert reasoning.endswith(MESSAGE.strip())
    assert content in ("four", "five")
    assert finished.reason == generation_pb2.FINISH_REASON_STOP
    # Without parsing nobody knows what reasoning is.
    raw = request(constraint=constraint, output=generation_pb2.OutputOptions())
    texts = [
        piece.text async for response in core.inference.Generate(raw, timeout=300) for piece in response.delta.pieces
    ]
    assert "".join(texts) in ("four", "five")


async def test_a_call_may_follow_reasoning_that_was_closed(core: RunningCore) -> None:
    policy = prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_REQUIRED, parallel=False)
    reasoning, content, names, finished = await answer(
        core, request(budget(5), chat={"tools_json": TOOLS, "tool_policy": policy})
    )
    assert reasoning.endswith(MESSAGE.strip())
    assert (content, names) == ("", ["get_time"])
    assert finished.reason == generation_pb2.FINISH_REASON_TOOL_CALLS


async def test_a_message_that_would_end_the_reasoning_is_refused(core: RunningCore) -> None:
    options = prompt_pb2.ReasoningOptions(budget_tokens=1, budget_message="a</think>b")
    with pytest.raises(grpc.aio.AioRpcError, match=r"chat\.reasoning\.budget_message"):
        await answer(core, request(options))
