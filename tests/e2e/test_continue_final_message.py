"""Chats that go on with an answer that was cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

#: The best token of each step is well ahead, so that the last digits of logits decide about none.
QUESTION = {"role": "user", "content": "Repeat after me: one two three one two three one two three."}
N_CUT, N_WHOLE = 3, 32


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def ask(client: openai.OpenAI, messages: list[dict[str, str]], max_tokens: int, **more: Any) -> Any:
    return client.chat.completions.create(
        model="any",
        messages=messages,  # type: ignore[arg-type]
        max_tokens=max_tokens,
        temperature=0,
        **more,
    )


def begun(text: str) -> list[dict[str, str]]:
    return [QUESTION, {"role": "assistant", "content": text}]


# What is penalised is not repeated as often; without the text that was there these continuations would differ, too.
@pytest.mark.parametrize("repeat_penalty", [1.0, 1.1, 1.3])
def test_an_answer_that_was_cut_goes_on_as_if_it_had_not_been(client: openai.OpenAI, repeat_penalty: float) -> None:
    options = {"repeat_penalty": repeat_penalty}
    whole = ask(client, [QUESTION], N_WHOLE, extra_body=options)
    cut = ask(client, [QUESTION], N_CUT, extra_body=options).choices[0].message.content
    assert cut
    assert whole.choices[0].message.content.startswith(cut)

    options["continue_final_message"] = True
    rest = ask(client, begun(cut), N_WHOLE - N_CUT, extra_body=options)

    assert cut + rest.choices[0].message.content == whole.choices[0].message.content
    assert rest.usage.prompt_tokens == whole.usage.prompt_tokens + N_CUT


def test_streams_and_all_choices_go_on_in_the_middle_of_a_sentence(client: openai.OpenAI) -> None:
    options = {"continue_final_message": True}
    messages = begun("Paris is the capital of")
    chunks = ask(client, messages, 4, n=2, stream=True, extra_body=options)
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts[0] == texts[1]
    assert texts[0].startswith(" France")


def test_only_an_answer_can_be_continued(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="continue_final_message: true needs a last message of the assist"):
        ask(client, [QUESTION], 4, extra_body={"continue_final_message": True})
