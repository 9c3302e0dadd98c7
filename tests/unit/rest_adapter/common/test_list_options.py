from __future__ import annotations

import math

import pytest

from rest_adapter.apis.common.list_options import drop_unknown_ids, mentions_token_ids
from rest_adapter.apis.common.options import apply_options
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest
from slotline.v1.sampling_pb2 import (
    SAMPLER_TYPE_MIN_P,
    SAMPLER_TYPE_TEMPERATURE,
    SAMPLER_TYPE_TFS_Z,
    SAMPLER_TYPE_TOP_K,
    SAMPLER_TYPE_TOP_P,
    SAMPLER_TYPE_TYPICAL_P,
    LogitBias,
    PenaltyPrompt,
    SamplerList,
    SamplerType,
    SamplingParams,
)
from slotline.v1.tokens_pb2 import TokenIds


def apply(**body: object) -> GenerateRequest:
    request = GenerateRequest()
    apply_options(request, body)
    return request


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ([], []),
        (["</s>"], ["</s>"]),
        (["a", "b", "a"], ["a", "b", "a"]),
        ("User:", ["User:"]),
        (["", "x", ""], ["x"]),
        ("", []),
    ],
)
def test_stop(value: object, texts: list[str]) -> None:
    assert list(apply(stop=value).stop.texts) == texts


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a", 1], "stop[1]: 1 is not a string"),
        ([None], "stop[0]: null is not a string"),
        ([["a"]], 'stop[0]: ["a"] is not a string'),
        (5, "stop: 5 is not a string or an array of strings"),
        ({}, "stop: {} is not a string or an array of strings"),
        (True, "stop: true is not a string or an array of strings"),
    ],
)
def test_stop_refuses_other_values(value: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        apply(stop=value)
    assert caught.value.message == message


ALL_SAMPLERS = {
    "top_k": SAMPLER_TYPE_TOP_K,
    "tfs_z": SAMPLER_TYPE_TFS_Z,
    "typical_p": SAMPLER_TYPE_TYPICAL_P,
    "top_p": SAMPLER_TYPE_TOP_P,
    "min_p": SAMPLER_TYPE_MIN_P,
    "temperature": SAMPLER_TYPE_TEMPERATURE,
}


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (list(ALL_SAMPLERS), list(ALL_SAMPLERS.values())),
        (["temperature", "top_k"], [SAMPLER_TYPE_TEMPERATURE, SAMPLER_TYPE_TOP_K]),
        (["top_k", "top_k"], [SAMPLER_TYPE_TOP_K, SAMPLER_TYPE_TOP_K]),
        (["nucleus", "top_p", 5, None], [SAMPLER_TYPE_TOP_P]),
        ([], []),
        (["temp"], []),
    ],
)
def test_samplers(value: object, kinds: list[SamplerType.ValueType]) -> None:
    assert apply(samplers=value) == GenerateRequest(sampling=SamplingParams(samplers=SamplerList(samplers=kinds)))


@pytest.mark.parametrize("value", ["top_k", 3, {}, True])
def test_samplers_of_another_type_keep_the_default(value: object) -> None:
    assert not apply(samplers=value).sampling.HasField("samplers")


def by_id(token: int, bias: float) -> LogitBias:
    return LogitBias(token_id=token, bias=bias)


def by_text(text: str, bias: float) -> LogitBias:
    return LogitBias(text=text, bias=bias)


@pytest.mark.parametrize(
    ("value", "biases"),
    [
        ([], []),
        ([[15043, 1.0]], [by_id(15043, 1.0)]),
        ([[15043, -1]], [by_id(15043, -1.0)]),
        ([[15043, False]], [by_id(15043, -math.inf)]),
        ([["Hello, World!", -0.5]], [by_text("Hello, World!", -0.5)]),
        ([[0, 0]], [by_id(0, 0.0)]),
        ([[1, 2], [1, 3]], [by_id(1, 2.0), by_id(1, 3.0)]),
        ([[1, True], [2, None], [3, "x"], [4, []], [5, 1]], [by_id(5, 1.0)]),
        ([[1], [1, 2, 3], [], 7, "ab", None, [6, 1]], [by_id(6, 1.0)]),
        ([[-1, 1], [2**32, 1], [1.5, 1], [True, 1], [None, 1], [7, 1]], [by_id(7, 1.0)]),
        ({"15043": -100}, [by_id(15043, -100.0)]),
        ({"5": False, " Paris": 2}, [by_id(5, -math.inf), by_text(" Paris", 2.0)]),
        ({"٣": 1}, [by_text("٣", 1.0)]),
        ({"99999999999": 1}, []),
        ({"9" * 5000: 1}, []),
        ({"0" * 5000 + "7": 1}, [by_id(7, 1.0)]),
        ({}, []),
        ("x", []),
        (3, []),
        (True, []),
    ],
)
def test_logit_bias(value: object, biases: list[LogitBias]) -> None:
    assert list(apply(logit_bias=value).sampling.logit_bias) == biases


@pytest.mark.parametrize("bias", [1e39, math.inf, -(10**400)])
def test_logit_bias_refuses_numbers_that_are_too_large(bias: float) -> None:
    with pytest.raises(InvalidRequest, match=r"^logit_bias: .* is not a pair of a token and a finite number or false$"):
        apply(logit_bias=[[1, bias]])


@pytest.mark.parametrize(
    ("value", "prompt"),
    [
        ("abc", PenaltyPrompt(text="abc")),
        ("", PenaltyPrompt(text="")),
        ([1, 2, 3], PenaltyPrompt(token_ids=TokenIds(ids=[1, 2, 3]))),
        ([], PenaltyPrompt(token_ids=TokenIds())),
        ([1, "x", 2.5, None, True, -4, 7], PenaltyPrompt(token_ids=TokenIds(ids=[1, 7]))),
    ],
)
def test_penalty_prompt(value: object, prompt: PenaltyPrompt) -> None:
    assert apply(penalty_prompt=value).sampling.penalty_prompt == prompt


@pytest.mark.parametrize("value", [5, {}, True, 1.5])
def test_penalty_prompt_of_another_type_is_ignored(value: object) -> None:
    assert apply(penalty_prompt=value) == GenerateRequest()


def test_ids_outside_the_vocabulary_are_dropped_from_biases_and_penalties() -> None:
    request = apply(logit_bias=[[1, 1], [10, 2], ["x", 3], [9, 4]], penalty_prompt=[3, 10, 11, 4])
    assert mentions_token_ids(request)
    drop_unknown_ids(request, 10)
    assert list(request.sampling.logit_bias) == [by_id(1, 1), by_text("x", 3), by_id(9, 4)]
    assert list(request.sampling.penalty_prompt.token_ids.ids) == [3, 4]


@pytest.mark.parametrize(
    ("body", "mentions"),
    [
        ({}, False),
        ({"logit_bias": [["x", 1]]}, False),
        ({"penalty_prompt": "x"}, False),
        ({"penalty_prompt": []}, False),
        ({"logit_bias": [["x", 1], [5, 1]]}, True),
        ({"penalty_prompt": [5]}, True),
    ],
)
def test_mentions_token_ids(body: dict[str, object], mentions: bool) -> None:
    assert mentions_token_ids(apply(**body)) is mentions


def test_dropping_ids_keeps_an_absent_penalty_prompt_absent() -> None:
    request = apply(logit_bias=[[1, 1]])
    drop_unknown_ids(request, 10)
    assert not request.sampling.HasField("penalty_prompt")
