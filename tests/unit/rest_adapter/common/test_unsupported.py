"""Fields that would change what a caller gets: obeyed, or refused by name, on every route that generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from rest_adapter.apis.common import unsupported
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.apis.native.tokenization.request import read_tokenize
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest
from tests.unit.rest_adapter.clients import USER

Body = Mapping[str, object]


def chat_request(body: Body) -> GenerateRequest:
    return read_chat({"messages": USER, **body}).request


def text_request(body: Body) -> GenerateRequest:
    return read_text_completion({"prompt": "Hi", **body}).requests[0]


def native_request(body: Body) -> GenerateRequest:
    return read_completion({"prompt": "Hi", **body}).requests[0]


def infill_request(body: Body) -> GenerateRequest:
    return read_infill({"input_prefix": "Hi", **body}).requests[0]


Reader = Callable[[Body], GenerateRequest]
NATIVE = (native_request, infill_request)
OPENAI = (chat_request, text_request)
EVERYWHERE = (*OPENAI, *NATIVE)
TABLES: dict[Reader, tuple[unsupported.Unsupported, ...]] = {
    chat_request: unsupported.CHAT,
    text_request: unsupported.TEXT,
    native_request: unsupported.NATIVE,
    infill_request: unsupported.INFILL,
}


def refusal(read: Reader, body: Body) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(body)
    return caught.value


@pytest.mark.parametrize("read", EVERYWHERE)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("structural_tag", {"structures": []}),
        ("grammar_lazy", True),
        ("use_beam_search", True),
        ("allowed_token_ids", [1]),
        ("bad_words", ["bad"]),
        ("n_discard", 8),
        ("skip_special_tokens", False),
        ("return_tokens_as_token_ids", True),
        ("truncate_prompt_tokens", 10),
    ],
)
def test_what_nobody_obeys_is_refused_by_name(read: Reader, name: str, value: object) -> None:
    error = refusal(read, {name: value})
    assert (error.name, error.code) == (name, UNSUPPORTED)
    assert "is not supported; leave it out" in error.message


@pytest.mark.parametrize(("read", "fields"), TABLES.items(), ids=[read.__name__ for read in TABLES])
def test_null_and_values_that_change_nothing_are_taken(
    read: Reader, fields: tuple[unsupported.Unsupported, ...]
) -> None:
    plain = read({})
    for field in fields:
        for value in (None, *field.harmless, *(() if field.most is None else (field.most, field.most - 1))):
            assert read({field.name: value}) == plain, (field.name, value)


@pytest.mark.parametrize(
    ("read", "body", "name"),
    [
        (chat_request, {"chat_template": "x"}, "chat_template"),
        (chat_request, {"documents": [{"text": "x"}]}, "documents"),
        (chat_request, {"echo": True}, "echo"),
        (chat_request, {"add_special_tokens": True}, "add_special_tokens"),
        (text_request, {"add_special_tokens": False}, "add_special_tokens"),
        (text_request, {"prompt_embeds": "AAAA"}, "prompt_embeds"),
        (native_request, {"top_logprobs": 5}, "top_logprobs"),
        (native_request, {"return_token_ids": True}, "return_token_ids"),
        (text_request, {"return_tokens": True}, "return_tokens"),
        (text_request, {"response_fields": ["content"]}, "response_fields"),
        (chat_request, {"return_tokens": True}, "return_tokens"),
        (chat_request, {"response_fields": ["content"]}, "response_fields"),
        (chat_request, {"post_sampling_probs": True}, "post_sampling_probs"),
        (native_request, {"messages": USER}, "messages"),
        (native_request, {"echo": True}, "echo"),
        (native_request, {"response_format": {"type": "json_object"}}, "response_format"),
        (chat_request, {"stream_options": {"continuous_usage_stats": True}}, "stream_options.continuous_usage_stats"),
    ],
)
def test_what_one_route_does_not_obey(read: Reader, body: Body, name: str) -> None:
    assert refusal(read, body).name == name


@pytest.mark.parametrize("read", EVERYWHERE)
def test_synonyms_are_obeyed(read: Reader) -> None:
    request = read(
        {
            "min_tokens": 3,
            "stop_token_ids": [5, 6],
            "include_stop_str_in_output": True,
            "id_slot": 2,
            "repetition_penalty": 1.0,
        }
    )
    assert (request.stop.min_tokens, list(request.stop.token_ids), request.stop.include_match) == (3, [5, 6], True)
    assert (request.cache.slot_id, request.sampling.repeat_penalty) == (2, 1.0)


@pytest.mark.parametrize("read", EVERYWHERE)
def test_the_option_proper_wins_over_its_synonym(read: Reader) -> None:
    request = read({"slot_id": 1, "id_slot": 2, "repeat_penalty": 1.5, "repetition_penalty": 1})
    assert (request.cache.slot_id, request.sampling.repeat_penalty) == (1, 1.5)
    assert not read({"id_slot": -1}).cache.HasField("slot_id")


@pytest.mark.parametrize("read", EVERYWHERE)
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"repetition_penalty": 1.2}, "repetition_penalty"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"stop_token_ids": 5}, "stop_token_ids"),
        ({"stop_token_ids": ["a"]}, "stop_token_ids[0]"),
        ({"include_stop_str_in_output": 1}, "include_stop_str_in_output"),
        ({"id_slot": "a"}, "id_slot"),
    ],
)
def test_synonyms_refuse_other_values(read: Reader, body: Body, name: str) -> None:
    assert refusal(read, body).name == name


@pytest.mark.parametrize("read", NATIVE)
@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "n_predict": 7}, 7),
        ({"max_tokens": 5, "n_predict": -1}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 0}, 0),
    ],
)
def test_native_routes_take_the_limit_of_the_openai_api(read: Reader, body: Body, limit: int | None) -> None:
    stop = read(body).stop
    assert (stop.max_tokens if stop.HasField("max_tokens") else None) == limit


def test_variables_of_the_template_are_handed_on() -> None:
    request = chat_request({"chat_template_kwargs": {"enable_thinking": False}, "add_generation_prompt": False})
    assert request.chat.template_kwargs_json == '{"enable_thinking":false}'
    assert (request.chat.HasField("add_generation_prompt"), request.chat.add_generation_prompt) == (True, False)
    assert refusal(chat_request, {"chat_template_kwargs": "x"}).name == "chat_template_kwargs"


def test_tokenize_obeys() -> None:
    plain = read_tokenize({"content": "a"})
    other = read_tokenize({"content": "a", "add_special": True, "parse_special": False, "with_pieces": False})
    assert plain is not None
    assert other is not None
    assert (plain.add_special, plain.parse_special) == (False, True)
    assert (other.add_special, other.parse_special) == (True, False)
    pieces = read_tokenize({"content": "a", "with_pieces": True})
    assert pieces is not None
    assert (pieces.with_pieces, pieces.special_pieces, other.with_pieces) == (True, True, False)
