"""The official OpenAI client's other ways to ask: asynchronously, through its stream helper, and for raw answers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.support.waiting import wait_for_load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from openai.types.chat import ChatCompletionMessageParam

    from tests.support.server import Server

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of Germany?"}]
GREEDY: dict[str, Any] = {"model": "any", "messages": QUESTION, "max_tokens": 24, "temperature": 0}
COUNTING = "1, 2, 3,"


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that each answer is the first one."""
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
async def aclient(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """The same for coroutines."""
    async with openai.AsyncOpenAI(
        base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60
    ) as client:
        yield client


async def test_questions_at_once_have_the_answer_of_each_alone(aclient: openai.AsyncOpenAI) -> None:
    answers = await asyncio.gather(*(aclient.chat.completions.create(**GREEDY) for _ in range(6)))
    assert all("Berlin" in answer.choices[0].message.content for answer in answers)
    assert len({answer.id for answer in answers}) == 6
    assert {answer.choices[0].finish_reason for answer in answers} == {"stop"}


async def test_an_asynchronous_stream(aclient: openai.AsyncOpenAI) -> None:
    stream = await aclient.chat.completions.create(stream=True, stream_options={"include_usage": True}, **GREEDY)
    chunks = [chunk async for chunk in stream]
    assert "Berlin" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1


async def test_an_asynchronous_stream_that_is_left_frees_its_slot(aclient: openai.AsyncOpenAI, server: Server) -> None:
    for _ in range(6):
        stream = await aclient.completions.create(
            model="any", prompt=COUNTING, stream=True, extra_body={"ignore_eos": True, "n_predict": 2000}
        )
        async with stream:
            async for chunk in stream:
                assert chunk.object == "text_completion"
                break
    await asyncio.to_thread(wait_for_load, server)


async def test_a_cancelled_task_frees_its_slot(aclient: openai.AsyncOpenAI, server: Server) -> None:
    asking = asyncio.create_task(
        aclient.completions.create(model="any", prompt=COUNTING, extra_body={"ignore_eos": True, "n_predict": 2000})
    )
    await asyncio.to_thread(wait_for_load, server, processing=1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.to_thread(wait_for_load, server)


async def test_asynchronous_embeddings_and_models(aclient: openai.AsyncOpenAI) -> None:
    answer = await aclient.embeddings.create(model="any", input=["a", "b"])
    assert [item.index for item in answer.data] == [0, 1]
    ids = [model.id async for model in aclient.models.list()]
    assert [(await aclient.models.retrieve(name)).id for name in ids] == ids


def test_the_stream_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(stream_options={"include_usage": True}, **GREEDY) as stream:
        events = list(stream)
        whole = stream.get_final_completion()
    texts = [event.delta for event in events if event.type == "content.delta"]
    (choice,) = whole.choices
    assert choice.message.content == "".join(texts)
    assert "Berlin" in "".join(texts)
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    assert whole.usage is not None
    assert whole.usage.completion_tokens > len(texts) / 2
    assert [event.type for event in events].count("content.done") == 1


def test_the_stream_helper_collects_logprobs(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(logprobs=True, top_logprobs=2, **GREEDY) as stream:
        whole = stream.get_final_completion()
    (choice,) = whole.choices
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert "".join(entry.token for entry in choice.logprobs.content) == choice.message.content
    assert {len(entry.top_logprobs) for entry in choice.logprobs.content} == {2}


def test_several_answers(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="any", messages=QUESTION, n=3, max_tokens=4, seed=1)
    one = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=4, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert all(choice.message.content for choice in answer.choices)
    assert answer.usage is not None
    assert one.usage is not None
    # The prompt is counted once.
    assert answer.usage.prompt_tokens == one.usage.prompt_tokens
    assert answer.usage.completion_tokens > one.usage.completion_tokens


def test_a_raw_answer(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(**GREEDY)
    assert (raw.status_code, raw.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert raw.parse().id == json.loads(raw.content)["id"]
    assert raw.retries_taken == 0


def test_a_raw_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(stream=True, **GREEDY) as raw:
        assert (raw.status_code, raw.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        lines = [line for line in raw.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[0].removeprefix("data: "))["choices"][0]["delta"] == {"role": "assistant"}


def test_a_raw_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.with_raw_response.create(model="any", messages=[])
    assert raised.value.body == {
        "code": "invalid_value",
        "message": "messages: [] is empty; at least one message is needed",
        "param": "messages",
        "type": "invalid_request_error",
    }
