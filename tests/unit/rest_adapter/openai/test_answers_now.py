"""Chats and text completions in the shape of today."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.chat_defaults import ChatDefaults
from rest_adapter.apis.openai.chat.parsed_reply import ParsedChatReply
from rest_adapter.apis.openai.chat.reply import ChatReply
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions.reply import TextCompletionReply
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.errors import InvalidRequest
from slotline.v1.tokens_pb2 import Token, TokenLogprob
from tests.unit.rest_adapter.described import described
from tests.unit.rest_adapter.messages import accepted, content, delta, finished, piece, thought

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateResponse

NO_THINKING = ChatDefaults(thinks=False)
USER = {"role": "user", "content": "Hi"}
ASSISTANT = {"role": "assistant", "content": "Once"}
NOW, VERBOSE = ApiShape.NOW, "__verbose"
BEGUN = accepted()
BEGUN.accepted.prompt_text = "The whole prompt"


def chat(*responses: GenerateResponse, kind: type[ChatReply] = ChatReply, **body: object) -> list[Any]:
    """All chunks of a stream, or the whole answer alone; each as the document describes it."""
    call = read_chat({"messages": [USER], "model": "gpt", **body}, shape=NOW)
    reply = kind(call, completion_id="chatcmpl-1", created=1)
    chunks = [chunk for response in (BEGUN, *responses) for chunk in reply.feed(0, response)]
    shown = [*chunks, *reply.closing_events()] if call.is_stream else [reply.result()]
    return [described(one, "ChatCompletionChunk" if call.is_stream else "ChatCompletion") for one in shown]


def text(*responses: GenerateResponse, **body: object) -> list[Any]:
    """The same of a text completion."""
    call = read_text_completion({"prompt": "Hi", "model": "gpt", **body}, shape=NOW)
    reply = TextCompletionReply(call, [""], completion_id="cmpl-1", created=1)
    chunks = [chunk for response in (BEGUN, *responses) for chunk in reply.feed(0, response)]
    shown = [*chunks, *reply.closing_events()] if call.is_stream else [reply.result()]
    return [described(one, "TextCompletionChunk" if call.is_stream else "TextCompletion") for one in shown]


@pytest.mark.parametrize("ask", [chat, text])
def test_a_model_that_is_no_string_is_refused_although_it_is_not_repeated(ask: Any) -> None:
    with pytest.raises(InvalidRequest, match="model: 5 is not a string"):
        ask(model=5)


@pytest.mark.parametrize("ask", [chat, text])
@pytest.mark.parametrize("stream", [True, False])
def test_answers_name_the_served_model_and_the_build(ask: Any, stream: bool) -> None:
    for answer in ask(delta("x"), finished(), stream=stream):
        assert answer["model"] == "m.gguf"
        assert answer["system_fingerprint"].startswith("b")


@pytest.mark.parametrize("ask", [chat, text])
def test_whole_answers_have_their_times(ask: Any) -> None:
    (answer,) = ask(delta("x"), finished())
    assert answer["timings"].items() >= {"cache_n": 0, "prompt_n": 2, "predicted_n": 2}.items()


@pytest.mark.parametrize("ask", [chat, text])
def test_the_chunks_that_end_a_stream_have_the_times(ask: Any) -> None:
    chunks = ask(delta("x"), finished(), stream=True, stream_options={"include_usage": True})
    assert ["timings" in chunk for chunk in chunks[-3:]] == [False, True, True]


@pytest.mark.parametrize("kind", [ChatReply, ParsedChatReply])
def test_the_first_chunk_of_a_chat_has_no_content(kind: type[ChatReply]) -> None:
    first, *_ = chat(delta(thought("a") if kind is ParsedChatReply else "a"), finished(), kind=kind, stream=True)
    assert first["choices"][0]["delta"] == {"content": None, "role": "assistant"}


def test_log_probabilities_of_a_chat_have_ids() -> None:
    token = Token(id=7, piece=b"a", logprob=-0.5, top_logprobs=[TokenLogprob(id=8, piece=b"b", logprob=-0.25)])
    (answer,) = chat(delta(piece("a", token)), finished(), logprobs=True, top_logprobs=1)
    assert answer["choices"][0]["logprobs"]["content"] == [
        {
            "bytes": [97],
            "id": 7,
            "logprob": -0.5,
            "token": "a",
            "top_logprobs": [{"bytes": [98], "id": 8, "logprob": -0.25, "token": "b"}],
        }
    ]


def test_content_of_parsed_answers_is_as_ever() -> None:
    (answer,) = chat(delta(content("x")), finished(), kind=ParsedChatReply)
    assert answer["choices"][0]["message"]["content"] == "x"


@pytest.mark.parametrize(
    ("messages", "options", "is_continued"),
    [
        ([USER, ASSISTANT], {}, True),
        ([USER], {}, False),
        ([USER, ASSISTANT], {"continue_final_message": False}, False),
        ([USER, ASSISTANT], {"add_generation_prompt": True}, False),
        ([USER, ASSISTANT], {"add_generation_prompt": False}, True),
        ([USER, {"role": "assistant", "content": ""}], {}, False),
    ],
)
def test_a_last_text_of_the_assistant_is_continued(
    messages: list[object], options: dict[str, object], is_continued: bool
) -> None:
    body = {"messages": messages, **options}
    assert read_chat(body, shape=NOW).request.chat.continue_final_message is is_continued
    assert not read_chat(body).request.chat.continue_final_message


def test_two_messages_of_the_assistant_at_the_end_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^messages: ends with two messages of the assistant"):
        read_chat({"messages": [USER, ASSISTANT, ASSISTANT]}, shape=NOW)


TEXTS = [{"type": "text", "text": text} for text in ("", "a", "", "b")]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("messages", "texts"),
    [
        ([{"role": "user", "content": TEXTS}], ["", "a", "\n", "\nb"]),
        ([{"role": "user", "content": ["a", PICTURE, "b", "c"]}], ["a", "", "b", "\nc"]),
        ([{"role": "user", "content": "a"}], ["a"]),
        ([{"role": "assistant", "content": ["a", "b"]}, USER], ["a", "\nb", "Hi"]),
        # A text that goes on has paragraphs.
        ([USER, {"role": "assistant", "content": ["a", "b"]}], ["Hi", "a", "\n\nb"]),
    ],
)
def test_the_texts_of_a_message_stand_on_lines_of_their_own(messages: list[object], texts: list[str]) -> None:
    def read(shape: ApiShape) -> list[str]:
        chat = read_chat({"messages": messages}, shape=shape).request.chat
        return [part.text for message in chat.messages for part in message.content]

    assert read(NOW) == texts
    assert read(ApiShape.OF_2024) == [text.lstrip("\n") for text in texts]


@pytest.mark.parametrize("ask", [chat, text])
@pytest.mark.parametrize("stream", [True, False])
def test_a_verbose_answer_ends_with_all_about_it(ask: Any, stream: bool) -> None:
    answers = ask(delta("x"), finished(), stream=stream, verbose=True)
    assert [VERBOSE in answer for answer in answers] == [*(False for _ in answers[1:]), True]
    told = answers[-1][VERBOSE]
    assert told["content"] == ("" if stream else "x")
    assert (told["prompt"], told["model"], told["stop_type"]) == ("The whole prompt", "m.gguf", "limit")
    assert told["generation_settings"]["stream"] is stream
    assert told["generation_settings"]["n_probs"] == 0
    assert told["timings"]["predicted_n"] == 2


@pytest.mark.parametrize("read", [read_chat, read_text_completion])
@pytest.mark.parametrize(
    ("shape", "is_server_verbose", "verbose", "is_verbose"),
    [
        (NOW, False, None, False),
        (NOW, True, None, True),
        (NOW, True, False, False),
        (NOW, False, True, True),
        (ApiShape.OF_2024, True, None, False),
        (ApiShape.OF_2024, False, True, True),
    ],
)
def test_the_body_says_whether_an_answer_is_verbose_and_today_the_server_too(
    read: Any, shape: ApiShape, is_server_verbose: bool, verbose: bool | None, is_verbose: bool
) -> None:
    body = {"messages": [USER]} if read is read_chat else {"prompt": "Hi"}
    call = read({**body, "verbose": verbose}, shape=shape, is_server_verbose=is_server_verbose)
    assert (call.verbose is not None) is is_verbose
    request = call.request if read is read_chat else call.requests[0]
    assert request.output.prompt_text is is_verbose


@pytest.mark.parametrize("ask", [chat, text])
def test_verbose_is_true_or_false(ask: Any) -> None:
    with pytest.raises(InvalidRequest, match="verbose"):
        ask(verbose="yes")


DAY = date(2026, 2, 3)
DATES = {"date_string": "03 Feb 2026", "datetime": "Feb 03 2026"}


@pytest.mark.parametrize(
    ("body", "variables"),
    [
        ({}, {**DATES, "enable_thinking": True}),
        ({"chat_template_kwargs": None}, {**DATES, "enable_thinking": True}),
        (
            {"chat_template_kwargs": {"datetime": "now", "x": 1}},
            {**DATES, "datetime": "now", "x": 1, "enable_thinking": True},
        ),
        ({"chat_template_kwargs": {"enable_thinking": False}}, {**DATES, "enable_thinking": False}),
        ({"enable_thinking": False}, DATES),
        ({"reasoning_effort": "none"}, DATES),
    ],
)
def test_templates_are_told_the_date_and_that_models_may_think(body: Any, variables: dict[str, object]) -> None:
    body = dict(body)
    chat = read_chat({"messages": [USER], **body}, shape=NOW, today=DAY).request.chat
    assert json.loads(chat.template_kwargs_json) == variables
    if effort := body.pop("reasoning_effort", None):
        body["reasoning"] = {"effort": effort}
    response = read_response({"input": "Hi", **body}, shape=NOW, today=DAY).request.chat
    assert json.loads(response.template_kwargs_json) == variables


def test_what_the_server_says_about_thinking_goes_before_that() -> None:
    chat = read_chat({"messages": [USER]}, shape=NOW, today=DAY, defaults=NO_THINKING).request.chat
    assert (json.loads(chat.template_kwargs_json), chat.reasoning.enabled) == (DATES, False)


@pytest.mark.parametrize(
    ("variables", "counts"),
    [
        (None, True),
        ({}, True),
        ({"foo": 1, "datetime": "now"}, True),
        ({"enable_thinking": True}, False),
        ({"enable_thinking": None}, False),
        ({"foo": 1, "thinking_mode": "enabled"}, False),
        ({"reasoning_effort": "low"}, False),
    ],
)
def test_only_variables_about_thinking_go_before_what_the_server_says(variables: object, counts: bool) -> None:
    body = {"chat_template_kwargs": variables}
    chat = read_chat({"messages": [USER], **body}, shape=NOW, today=DAY, defaults=NO_THINKING).request.chat
    response = read_response({"input": "Hi", **body}, shape=NOW, today=DAY, defaults=NO_THINKING).request.chat
    for reasoning in (chat.reasoning, response.reasoning):
        assert (reasoning.HasField("enabled"), reasoning.enabled) == (counts, False)


@pytest.mark.parametrize("read", [read_chat, read_response])
def test_in_2024_templates_are_told_nothing(read: Any) -> None:
    body = {"messages": [USER]} if read is read_chat else {"input": "Hi"}
    assert not read(body, today=DAY).request.chat.HasField("template_kwargs_json")
