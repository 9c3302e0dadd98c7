"""Thinking with the official Anthropic client: the default model does not think, but a template makes it begin to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from anthropic.types import TextBlock, ThinkingBlock

from tests.support.thinking import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic.types import Message, MessageParam

    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

#: Fewer than the model takes to say anything.
BUDGET = 4
#: The best token of each step is well ahead, so that the last digits of logits decide about none.
QUESTION: list[MessageParam] = [
    {"role": "user", "content": "The capital of Germany is Berlin. What is the capital of Germany?"}
]


@pytest.fixture(scope="module")
def thinking(servers: ServerPool) -> Server:
    return servers.get("-c", "2048", "-np", "2", "--chat-template", TEMPLATE)


@pytest.fixture
def client(thinking: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=thinking.rest_url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def options(**thinking: Any) -> dict[str, Any]:
    fields = {"thinking": thinking} if thinking else {}
    return {"model": "any", "max_tokens": 32, "messages": QUESTION, "extra_body": {"temperature": 0}, **fields}


def ask(client: anthropic.Anthropic, **thinking: Any) -> Message:
    answer: Message = client.messages.create(**options(**thinking))
    return answer


def parts(answer: Message) -> tuple[ThinkingBlock, TextBlock]:
    """What the model thought, and what it said."""
    thought, said = answer.content
    assert isinstance(thought, ThinkingBlock)
    assert isinstance(said, TextBlock)
    return thought, said


def test_a_budget_ends_thinking_and_the_answer_follows(client: anthropic.Anthropic) -> None:
    answer = ask(client, type="enabled", budget_tokens=BUDGET)
    thought, said = parts(answer)
    assert thought.thinking
    assert thought.signature == ""
    assert said.text
    details = answer.usage.output_tokens_details
    assert details is not None
    # The mark that closes it counts, too.
    assert BUDGET < details.thinking_tokens < BUDGET + 8


def test_the_stream_says_the_same(client: anthropic.Anthropic) -> None:
    fields = options(type="enabled", budget_tokens=BUDGET)
    with client.messages.stream(**fields) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert [block.model_dump() for block in final.content] == [
        block.model_dump() for block in client.messages.create(**fields).content
    ]
    assert {"thinking", "signature", "text"} <= set(kinds)


def test_thinking_is_not_shown_if_that_is_wanted(client: anthropic.Anthropic) -> None:
    thought, said = parts(ask(client, type="enabled", budget_tokens=BUDGET, display="omitted"))
    assert thought.thinking == ""
    assert said.text


def test_thinking_can_be_turned_off(client: anthropic.Anthropic) -> None:
    assert [block.type for block in ask(client, type="disabled").content] == ["text"]


@pytest.mark.parametrize("fields", [{}, {"type": "adaptive"}, {"type": "between_tools"}])
def test_without_a_budget_the_model_decides(client: anthropic.Anthropic, fields: dict[str, Any]) -> None:
    answer = ask(client, **fields)
    assert answer.content[0].type == "thinking"


def test_earlier_thoughts_go_to_the_template(client: anthropic.Anthropic) -> None:
    answer = ask(client, type="enabled", budget_tokens=BUDGET)
    go_on: MessageParam = {"role": "user", "content": "And of France?"}
    history: list[MessageParam] = [*QUESTION, answer.to_param(), go_on]
    with_thoughts = client.messages.count_tokens(model="any", messages=history)
    _, said = parts(answer)
    spoken: MessageParam = {"role": "assistant", "content": said.text}
    without = client.messages.count_tokens(model="any", messages=[*QUESTION, spoken, go_on])
    assert with_thoughts.input_tokens > without.input_tokens
