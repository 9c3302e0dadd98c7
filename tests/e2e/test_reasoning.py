"""Reasoning on the real server: the default model does not think, but a template makes it begin to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.support.thinking import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of Germany?"}]
#: Fewer than the model takes to say anything.
BUDGET = 4


@pytest.fixture(scope="module")
def thinking(servers: ServerPool) -> Server:
    return servers.get("-c", "2048", "-np", "2", "--chat-template", TEMPLATE)


@pytest.fixture
def client(thinking: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{thinking.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def ask(client: openai.OpenAI, **fields: Any) -> ChatCompletion:
    options = {"model": "any", "messages": QUESTION, "temperature": 0, "max_tokens": 32, "extra_body": fields}
    answer: ChatCompletion = client.chat.completions.create(**options)  # type: ignore[call-overload]
    return answer


def parts(answer: ChatCompletion) -> tuple[str | None, str | None]:
    message = answer.choices[0].message
    return getattr(message, "reasoning_content", None), message.content


def reasoning_tokens(answer: ChatCompletion) -> int | None:
    assert answer.usage is not None
    details = answer.usage.completion_tokens_details
    return None if details is None else details.reasoning_tokens


@pytest.mark.parametrize("name", ["reasoning_budget_tokens", "thinking_budget_tokens", "thinking_token_budget"])
def test_reasoning_ends_with_its_budget_and_the_answer_follows(client: openai.OpenAI, name: str) -> None:
    answer = ask(client, **{name: BUDGET})
    reasoning, content = parts(answer)
    assert reasoning
    assert content
    assert "think>" not in reasoning + content
    # The mark that closes it counts, too.
    assert BUDGET < (reasoning_tokens(answer) or 0) < BUDGET + 8


def test_a_message_ends_it(client: openai.OpenAI) -> None:
    reasoning, _ = parts(ask(client, reasoning_budget_tokens=BUDGET, reasoning_budget_message=" That is enough."))
    assert reasoning is not None
    assert reasoning.endswith(" That is enough.")


def test_without_a_budget_there_may_be_no_time_for_an_answer(client: openai.OpenAI) -> None:
    answer = ask(client, reasoning_format="auto", max_tokens=BUDGET)
    reasoning, content = parts(answer)
    assert reasoning
    assert content == ""
    assert answer.choices[0].finish_reason == "length"
    assert reasoning_tokens(answer) == BUDGET


@pytest.mark.parametrize(
    "fields",
    [
        {"enable_thinking": False},
        {"reasoning_effort": "none"},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"reasoning_budget_tokens": 0},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_reasoning_that_is_off(client: openai.OpenAI, fields: dict[str, Any]) -> None:
    reasoning, content = parts(ask(client, **fields))
    assert reasoning is None
    assert content
    assert "think>" not in content


def test_a_plain_request_has_the_text_as_it_was_written(client: openai.OpenAI) -> None:
    answer = ask(client, max_tokens=BUDGET)
    reasoning, content = parts(answer)
    assert reasoning is None
    assert content == parts(ask(client, max_tokens=BUDGET, reasoning_format="auto"))[0]
    assert reasoning_tokens(answer) is None


def test_reasoning_may_stay_in_the_content_or_be_in_both(client: openai.OpenAI) -> None:
    reasoning, inline = parts(ask(client, reasoning_budget_tokens=BUDGET, reasoning_format="none"))
    assert reasoning is None
    assert inline is not None
    assert "</think>" in inline
    reasoning, both = parts(ask(client, reasoning_budget_tokens=BUDGET, reasoning_format="deepseek-legacy"))
    assert both is not None
    assert both.startswith(reasoning or "?")
    assert "</think>" in both
    reasoning, content = parts(ask(client, reasoning_budget_tokens=BUDGET, include_reasoning=False))
    assert reasoning is None
    assert content
    assert "</think>" not in content


def test_a_stream_has_reasoning_first(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="any",
        messages=QUESTION,
        temperature=0,
        max_tokens=32,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"reasoning_budget_tokens": BUDGET},
    )
    *chunks, last = stream
    deltas = [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": None}
    assert deltas[-1] == {}
    kinds = [name for delta in deltas[1:-1] for name in delta]
    assert set(kinds) == {"reasoning_content", "content"}
    assert kinds == sorted(kinds, reverse=True)
    assert last.usage is not None
    assert last.usage.completion_tokens_details is not None
    assert last.usage.completion_tokens_details.reasoning_tokens


def test_a_schema_and_calls_begin_behind_the_reasoning(client: openai.OpenAI) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"enum": ["Berlin", "Bonn"]}}}
    reasoning, content = parts(ask(client, reasoning_budget_tokens=BUDGET, response_format=schema))
    assert reasoning
    assert content is not None
    assert json.loads(content) in ("Berlin", "Bonn")
    tool = {"type": "function", "function": {"name": "get_time"}}
    answer = ask(
        client,
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "get_time"}},
        reasoning_budget_tokens=BUDGET,
        max_tokens=96,
    )
    (choice,) = answer.choices
    assert parts(answer)[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("get_time", "{}")


def test_earlier_thoughts_reach_the_template(client: openai.OpenAI) -> None:
    def n_prompt(**fields: str) -> int:
        turn: Any = {"role": "assistant", "content": "Berlin.", **fields}
        answer = client.chat.completions.create(
            model="any", messages=[*QUESTION, turn, {"role": "user", "content": "And of France?"}], max_tokens=1
        )
        assert answer.usage is not None
        return answer.usage.prompt_tokens

    thought = "The user asks for a capital."
    assert n_prompt() < n_prompt(reasoning_content=thought) == n_prompt(reasoning=thought)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"enable_thinking": True, "chat_template_kwargs": {"enable_thinking": False}}, "enable_thinking"),
        ({"reasoning_budget_tokens": 5, "reasoning_budget_message": "a </think> b"}, "reasoning_budget_message"),
        ({"enable_thinking": "no"}, "enable_thinking"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(client: openai.OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, **fields)
    assert raised.value.param == param
    assert f"{param}: " in raised.value.message
