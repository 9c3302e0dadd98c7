from __future__ import annotations

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.openai.completions.request import TextCompletionCall, read_text_completion, rename_fields
from rest_adapter.errors import InvalidRequest, RpcFailure
from rest_adapter.http.http_errors import http_error
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE, GenerateRequest
from slotline.v1.sampling_pb2 import LogitBias
from tests.support.properties import untimed


def read(**body: object) -> TextCompletionCall:
    return read_text_completion({"prompt": "Hi", **body})


def only(call: TextCompletionCall) -> GenerateRequest:
    (request,) = call.requests
    return request


def test_defaults() -> None:
    call = read()
    request = only(call)
    assert (request.sampling_defaults.temperature, request.sampling_defaults.top_p) == (1.0, 1.0)
    assert {field.name for field, _ in request.sampling_defaults.ListFields()} == {"temperature", "top_p"}
    assert not request.HasField("sampling")
    assert request.stop.max_tokens == 16
    assert not request.stop.texts
    assert request.overflow == OVERFLOW_REFUSE
    assert not request.HasField("num_sequences")
    assert not request.HasField("output")
    assert call.model == ""
    assert call.n_choices == 1
    assert (call.is_stream, call.includes_usage, call.wants_logprobs, call.wants_echo) == (False,) * 4
    assert call.timeout_s is None


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", ["a"]),
        ("", [" "]),
        (None, [" "]),
        (["a"], ["a"]),
        (["a", "b"], ["a", "b"]),
        ([5], [[5]]),
        ([5, 6], [[5, 6]]),
        ([[5, 6]], [[5, 6]]),
        ([[5], [6, 7]], [[5], [6, 7]]),
        (["a", [5]], ["a", [5]]),
    ],
)
def test_prompts(prompt: object, expected: list[object]) -> None:
    made = [
        request.text if request.WhichOneof("prompt") == "text" else list(request.token_ids.ids)
        for request in read(prompt=prompt).requests
    ]
    assert made == expected


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({}, 16),
        ({"max_tokens": None}, 16),
        ({"n_predict": None}, 16),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": 8}, 8),
        ({"max_completion_tokens": 8}, 8),
        ({"n_predict": 9}, 9),
        ({"n_predict": -1}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 8, "n_predict": 9}, 8),
    ],
)
def test_token_limit(body: dict[str, object], limit: int | None) -> None:
    stop = only(read(**body)).stop
    assert (stop.max_tokens if stop.HasField("max_tokens") else None) == limit


@pytest.mark.parametrize(("body", "limit"), [({}, None), ({"max_tokens": 8}, 8), ({"n_predict": 9}, 9)])
def test_today_a_body_without_a_limit_leaves_it_to_the_server(body: dict[str, object], limit: int | None) -> None:
    stop = only(read_text_completion({"prompt": "Hi", **body}, shape=ApiShape.NOW)).stop
    assert (stop.max_tokens if stop.HasField("max_tokens") else None) == limit


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"temperature": 0}, "temperature", 0.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"frequency_penalty": 0.5}, "frequency_penalty", 0.5),
        ({"presence_penalty": -0.5}, "presence_penalty", -0.5),
        ({"seed": 42}, "seed", 42),
        ({"top_k": 3}, "top_k", 3),
        ({"min_p": 0.25}, "min_p", 0.25),
        ({"repeat_penalty": 1.0}, "repeat_penalty", 1.0),
        ({"mirostat": 2}, "mirostat", 2),
        ({"ignore_eos": True}, "ignore_eos", True),
    ],
)
def test_sampling_options(body: dict[str, object], field: str, value: object) -> None:
    assert getattr(only(read(**body)).sampling, field) == value


@pytest.mark.parametrize(("stop", "texts"), [(None, []), ("x", ["x"]), (["x", "y"], ["x", "y"]), ([], [])])
def test_stop(stop: object, texts: list[str]) -> None:
    assert list(only(read(stop=stop)).stop.texts) == texts


def test_logit_bias() -> None:
    assert list(only(read(logit_bias={"5": -100})).sampling.logit_bias) == [LogitBias(token_id=5, bias=-100.0)]


@pytest.mark.parametrize(
    ("body", "n_choices"),
    [({}, 1), ({"n": None, "best_of": None}, 1), ({"best_of": 1}, 1), ({"n": 3}, 3), ({"n": 3, "best_of": 3}, 3)],
)
def test_number_of_choices(body: dict[str, object], n_choices: int) -> None:
    call = read(prompt=["a", "b"], **body)
    assert call.n_choices == n_choices
    assert [request.num_sequences for request in call.requests] == [n_choices if n_choices > 1 else 0] * 2


@pytest.mark.parametrize(
    ("logprobs", "top"), [(None, None), (False, None), (0, 0), (1, 1), (5, 5), (100, 100), (2.0, 2)]
)
def test_logprobs(logprobs: object, top: int | None) -> None:
    call = read(logprobs=logprobs)
    output = only(call).output
    assert (output.top_logprobs if output.HasField("top_logprobs") else None) == top
    assert call.wants_logprobs is (top is not None)


@pytest.mark.parametrize(
    ("prompt", "echo", "parts"),
    [
        ("a", True, [("a",)]),
        (["a", "b"], True, [("a",), ("b",)]),
        ([[5], "b"], True, [((5,),), ("b",)]),
        (["a", 5], True, [("a", (5,))]),
        ("a", False, [()]),
        (["a", "b"], None, [(), ()]),
    ],
)
def test_echo(prompt: object, echo: object, parts: list[object]) -> None:
    assert list(read(prompt=prompt, echo=echo).echoes()) == parts


def test_a_suffix_makes_the_prompt_the_text_before_a_gap() -> None:
    first, second = read(prompt=["a", [5]], suffix="z").requests
    assert [part.text for part in first.infill.prefix.parts] == ["a"]
    assert [list(part.token_ids.ids) for part in second.infill.prefix.parts] == [[5]]
    for request in (first, second):
        assert request.WhichOneof("prompt") == "infill"
        assert [part.text for part in request.infill.suffix.parts] == ["z"]


@pytest.mark.parametrize("suffix", [None, ""])
def test_without_a_suffix_there_is_no_gap(suffix: object) -> None:
    assert only(read(suffix=suffix)).text == "Hi"


def test_what_the_answer_needs_to_know() -> None:
    call = read(model="gpt", stream=True, stream_options={"include_usage": True}, user="Ann", timeout_s=5)
    assert (call.model, call.is_stream, call.includes_usage, call.timeout_s) == ("gpt", True, True, 5.0)
    assert only(call).model == ""


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"suffix": 5}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 101}, "logprobs"),
        ({"echo": True, "logprobs": 21}, "logprobs"),
        ({"echo": True, "logprobs": 1, "suffix": "."}, "echo"),
        ({"prompt_logprobs": 21}, "prompt_logprobs"),
        ({"prompt_logprobs": 1, "stream": True}, "prompt_logprobs"),
        ({"echo": 1}, "echo"),
    ],
)
def test_refusals_name_the_field(body: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**body)
    assert caught.value.name == name


def test_a_json_object_can_be_asked_for() -> None:
    constraint = only(read(response_format={"type": "json_object"})).constraint
    assert constraint.WhichOneof("kind") == "json_object"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("output.top_logprobs", "logprobs"),
        ("infill", "prompt"),
        ("infill.prefix.parts[0].token_ids.ids[3]", "prompt"),
        ("infill.suffix.parts[0]", "suffix"),
        ("token_ids.ids[3]", "prompt[3]"),
        ("text", "prompt"),
        ("num_sequences", "n"),
        ("stop.max_tokens", "n_predict"),
    ],
)
def test_refusals_of_the_core_name_the_fields_of_the_body(path: str, name: str) -> None:
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "why", violations=((path, "is wrong"),))
    assert http_error(rename_fields(failure, read())).message == f"{name}: is wrong"


@untimed
@given(
    st.dictionaries(
        st.sampled_from(["prompt", "n", "best_of", "stop", "logprobs", "echo", "suffix", "max_tokens", "messages"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
            lambda children: (
                st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=2)
            ),
            max_leaves=8,
        ),
    )
)
def test_any_body_is_either_translated_or_refused_by_name(body: dict[str, object]) -> None:
    try:
        call = read_text_completion(body)
    except InvalidRequest as error:
        assert error.name.split("[")[0] in body
    else:
        assert len(call.requests) == len(call.prompts) > 0
        assert all(request.WhichOneof("prompt") for request in call.requests)


@pytest.mark.parametrize(
    ("body", "asks", "top"),
    [
        ({"echo": True}, False, None),
        ({"logprobs": 2}, False, 2),
        ({"echo": True, "logprobs": 2}, True, 2),
        ({"echo": True, "logprobs": 0, "stream": True}, True, 0),
        ({"prompt_logprobs": 3}, True, 3),
        ({"prompt_logprobs": 3, "logprobs": 3}, True, 3),
        ({"prompt_logprobs": False}, False, None),
        ({"prompt_logprobs": None}, False, None),
    ],
)
def test_a_prompts_log_probabilities_are_asked_for(body: dict[str, object], asks: bool, top: int | None) -> None:
    (request,) = read(**body).requests
    assert request.output.prompt_logprobs is asks
    assert (request.output.top_logprobs if request.output.HasField("top_logprobs") else None) == top


def test_a_refused_report_about_a_prompt_names_the_field_that_asked_for_it() -> None:
    failure = RpcFailure(
        StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "", violations=(("output.prompt_logprobs", "too many"),)
    )
    for body, name in (({"echo": True, "logprobs": 1}, "logprobs"), ({"prompt_logprobs": 1}, "prompt_logprobs")):
        assert rename_fields(failure, read(**body)).violations == ((name, "too many"),)
