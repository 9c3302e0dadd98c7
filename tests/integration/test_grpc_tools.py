"""Tools on the default model, whose template knows none: calls are guaranteed all the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import jsonschema
import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, ModelConfig
from slotline.cli.default_model import default_model_path
from slotline.v1 import generation_pb2, model_pb2, prompt_pb2, sampling_pb2
from tests.support.parsed import Call, Parsed
from tests.support.scripted_core import RunningCore, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 7}, "maxItems": 3},
    },
    "required": ["city", "unit"],
}
SCHEMAS: dict[str, dict[str, Any]] = {"get_weather": WEATHER, "get_time": {"type": "object", "maxProperties": 0}}
TOOLS = json.dumps(
    [
        {"type": "function", "function": {"name": "get_weather", "description": "The weather.", "parameters": WEATHER}},
        {"type": "function", "function": {"name": "get_time"}},
    ]
)
REQUIRED = prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_REQUIRED, parallel=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def core() -> AsyncIterator[RunningCore]:
    """One core for all tests here, with drafts."""
    model = ModelConfig(path=str(default_model_path()), n_ctx=4096, n_parallel=4, n_threads=1, n_threads_batch=1)
    async with started(CoreServer(CoreConfig(model=model, listen=("127.0.0.1:0",)))) as running:
        yield running


def request(
    *messages: prompt_pb2.ChatMessage, policy: prompt_pb2.ToolPolicy | None = None, **options: Any
) -> generation_pb2.GenerateRequest:
    """A request with both tools."""
    turns = messages or (turn("user", "What is the weather in Paris?"),)
    chat = prompt_pb2.ChatPrompt(messages=turns, tools_json=TOOLS, tool_policy=policy)
    return generation_pb2.GenerateRequest(
        chat=chat,
        output=generation_pb2.OutputOptions(parse_output=True),
        **({"stop": generation_pb2.StopParams(max_tokens=200)} | options),
    )


def turn(role: str, text: str = "", **others: Any) -> prompt_pb2.ChatMessage:
    """A message."""
    return prompt_pb2.ChatMessage(role=role, content=[prompt_pb2.PromptPart(text=text)] if text else (), **others)


async def answers(
    core: RunningCore, asked: generation_pb2.GenerateRequest
) -> tuple[list[Parsed], list[generation_pb2.Finished]]:
    """All sequences of an answer, and their ends."""
    n_sequences = max(1, asked.num_sequences)
    parsed = [Parsed() for _ in range(n_sequences)]
    finished = []
    async for response in core.inference.Generate(asked, timeout=300):
        if response.WhichOneof("event") == "finished":
            finished.append(response.finished)
        delta, one = response.delta, parsed[response.delta.index]
        for piece in delta.pieces:
            assert piece.channel == generation_pb2.CHANNEL_CONTENT
            one.content += piece.text
        for part in delta.tool_deltas:
            if part.name:
                assert part.call == len(one.calls)
                one.calls.append(Call(part.id, part.name))
            one.calls[part.call].arguments += part.arguments
    return parsed, finished


@pytest.mark.parametrize("temperature", [0.8, 2.0])
async def test_required_calls_are_valid_at_any_seed(core: RunningCore, temperature: float) -> None:
    ids = set()
    for seed in range(0, 20, 4):
        sampling = sampling_pb2.SamplingParams(seed=seed, temperature=temperature)
        parsed, finished = await answers(core, request(policy=REQUIRED, sampling=sampling, num_sequences=4))
        for one, end in zip(parsed, sorted(finished, key=lambda end: end.index), strict=True):
            if end.reason == generation_pb2.FINISH_REASON_LENGTH:
                continue
            assert end.reason == generation_pb2.FINISH_REASON_TOOL_CALLS
            (call,) = one.calls
            jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])
            assert one.content == ""
            ids.add(call.id)
    assert len(ids) >= 16


@pytest.mark.parametrize("name", SCHEMAS)
async def test_only_allowed_tools_are_called(core: RunningCore, name: str) -> None:
    policy = prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_REQUIRED, allowed_names=[name], parallel=False)
    (parsed,), (finished,) = await answers(core, request(policy=policy, sampling=sampling_pb2.SamplingParams(seed=1)))
    assert [call.name for call in parsed.calls] == [name]
    assert finished.reason == generation_pb2.FINISH_REASON_TOOL_CALLS
    assert finished.usage.reasoning_tokens == 0


async def test_free_text_stays_free(core: RunningCore) -> None:
    """Tools that are not called change nothing but the prompt: with them the answer is what the model says anyway."""
    sampling = sampling_pb2.SamplingParams(temperature=0)
    turns = [turn("user", "Say hello.")]
    (auto,), _ = await answers(core, request(*turns, sampling=sampling))
    none = prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_NONE)
    (silent,), _ = await answers(core, request(*turns, sampling=sampling, policy=none))
    assert (auto.calls, silent.calls) == ([], [])
    assert auto.content
    assert silent.content


async def test_content_may_obey_a_constraint_beside_tools(core: RunningCore) -> None:
    schema = '{"type": "object", "properties": {"a": {"type": "boolean"}}, "additionalProperties": false}'
    constraint = generation_pb2.Constraint(json_schema=schema)
    for seed in range(4):
        asked = request(sampling=sampling_pb2.SamplingParams(seed=seed), constraint=constraint)
        (parsed,), _ = await answers(core, asked)
        if parsed.calls:
            assert parsed.content == ""
        else:
            assert isinstance(json.loads(parsed.content), dict)


async def test_an_exchange_goes_on_with_the_result(core: RunningCore) -> None:
    """The next prompt begins with the bytes of the first one and of the call, so that a cache may be of use."""
    question = turn("user", "What is the weather in Rome?")
    first = request(question, policy=REQUIRED, sampling=sampling_pb2.SamplingParams(seed=3))
    (parsed,), _ = await answers(core, first)
    (call,) = parsed.calls
    made = [{"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}]
    assistant = turn("assistant", tool_calls_json=json.dumps(made))
    second = request(question, assistant, turn("tool", "22 degrees", tool_call_id=call.id))
    before, after = [await rendered(core, asked) for asked in (first, second)]
    written = f'<tool_call>\n{{"name": "{call.name}", "arguments": {call.arguments}}}\n</tool_call>'
    assert after.startswith(before + written)
    (parsed,), (finished,) = await answers(core, second)
    assert parsed.content or parsed.calls
    assert finished.tokens_predicted > 0


async def rendered(core: RunningCore, asked: generation_pb2.GenerateRequest) -> str:
    """The prompt as text."""
    response = await core.models.ApplyTemplate(model_pb2.ApplyTemplateRequest(chat=asked.chat))
    return str(response.text)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tools_json": "{}"}, "chat.tools_json"),
        ({"tools_json": "[1]"}, "chat.tools_json[0]"),
        ({"tools_json": '[{"type": "web_search"}]'}, "chat.tools_json[0].type"),
        ({"tools_json": '[{"type": "function"}]'}, "chat.tools_json[0].function"),
        ({"tools_json": '[{"function": {"name": ""}}]'}, "chat.tools_json[0].function.name"),
        ({"tools_json": '[{"function": {"name": "a", "strict": 1}}]'}, "chat.tools_json[0].function.strict"),
        ({"tools_json": '[{"function": {"name": "a", "parameters": []}}]'}, "chat.tools_json[0].function.parameters"),
        (
            {"tools_json": '[{"function": {"name": "a", "parameters": {"type": "array"}}}]'},
            "chat.tools_json[0].function.parameters.type",
        ),
        (
            {"tools_json": '[{"function": {"name": "a", "strict": true, "parameters": {"not": {}}}}]'},
            "chat.tools_json[0].function.parameters",
        ),
        (
            {"tools_json": '[{"function": {"name": "a"}}, {"function": {"name": "a"}}]'},
            "chat.tools_json[1].function.name",
        ),
        ({"tools_json": ""}, "chat.tool_policy.mode"),
        ({"tool_policy": prompt_pb2.ToolPolicy(mode=9)}, "chat.tool_policy.mode"),  # type: ignore[arg-type]
        ({"tool_policy": prompt_pb2.ToolPolicy(allowed_names=["x"])}, "chat.tool_policy.allowed_names[0]"),
        ({"reasoning": prompt_pb2.ReasoningOptions(budget_message="x")}, "chat.reasoning.budget_message"),
    ],
)
async def test_what_is_wrong_is_named(core: RunningCore, change: dict[str, Any], field: str) -> None:
    asked = request(policy=REQUIRED)
    for name, value in change.items():
        if isinstance(value, str):
            setattr(asked.chat, name, value)
        else:
            getattr(asked.chat, name).CopyFrom(value)
    assert await _refused_field(core, asked) == field


@pytest.mark.parametrize(
    ("chat", "options", "field"),
    [
        ({"tool_policy": REQUIRED}, {}, "chat.tool_policy.mode"),
        ({"tool_policy": prompt_pb2.ToolPolicy(parallel=False)}, {}, "chat.tool_policy.parallel"),
        ({"reasoning": prompt_pb2.ReasoningOptions(budget_tokens=1)}, {}, "chat.reasoning.budget_tokens"),
        (
            {},
            {"output": generation_pb2.OutputOptions(reasoning_format=generation_pb2.REASONING_FORMAT_BOTH)},
            "output.reasoning_format",
        ),
        (
            {},
            {
                "output": generation_pb2.OutputOptions(parse_output=True),
                "constraint": generation_pb2.Constraint(gbnf='root ::= "a"'),
            },
            "constraint.gbnf",
        ),
    ],
)
async def test_what_cannot_be_obeyed_is_refused_by_name(
    core: RunningCore, chat: dict[str, Any], options: dict[str, Any], field: str
) -> None:
    prompt = prompt_pb2.ChatPrompt(messages=[turn("user", "Hi")], tools_json=TOOLS, **chat)
    assert await _refused_field(core, generation_pb2.GenerateRequest(chat=prompt, **options)) == field


async def test_only_conversations_are_parsed(core: RunningCore) -> None:
    asked = generation_pb2.GenerateRequest(text="Hi", output=generation_pb2.OutputOptions(parse_output=True))
    assert await _refused_field(core, asked) == "output.parse_output"


async def _refused_field(core: RunningCore, asked: generation_pb2.GenerateRequest) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for _ in core.inference.Generate(asked, timeout=60):
            pass
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return (refused.value.details() or "").partition(":")[0]
