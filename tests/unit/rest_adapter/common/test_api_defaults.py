"""What requests get that leave options out, by API and by shape, and chains of samplers in the shape of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.apis.common.api_defaults import usual_reasoning_format, usual_value
from rest_adapter.apis.common.settings_now import Asked, chain_now, settings_now
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import GenerationSettings
from slotline.v1.sampling_pb2 import SamplerType, SamplingParams

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest

USER = [{"role": "user", "content": "Hi"}]
NOW = ApiShape.NOW


def completion(shape: ApiShape = NOW, **body: object) -> GenerateRequest:
    return read_completion({"prompt": "P", **body}, shape=shape).requests[0]


def defaults_of(request: GenerateRequest) -> dict[str, float]:
    return {field.name: value for field, value in request.sampling_defaults.ListFields()}


def names_of(request: GenerateRequest) -> list[str]:
    kinds = request.sampling.samplers.samplers
    return [SamplerType.Name(kind).removeprefix("SAMPLER_TYPE_").lower() for kind in kinds]


def test_completions_have_defaults_of_their_own_only_in_the_shape_of_today() -> None:
    assert defaults_of(completion(ApiShape.OF_2024)) == {}
    assert defaults_of(completion()) == {"repeat_penalty": 1.0}


@pytest.mark.parametrize(
    ("shape", "defaults"),
    [(ApiShape.OF_2024, {"temperature": 1.0, "top_p": 1.0}), (ApiShape.NOW, {"repeat_penalty": 1.0})],
)
def test_chats_have_the_defaults_of_their_api_or_those_of_today(shape: ApiShape, defaults: dict[str, float]) -> None:
    assert defaults_of(read_chat({"messages": USER}, shape=shape).request) == defaults
    assert defaults_of(read_messages({"messages": USER, "max_tokens": 1}, shape=shape).request) == defaults


def test_the_usual_value_is_that_of_the_api_or_of_the_option() -> None:
    chats = {shape: read_chat({"messages": USER}, shape=shape).request for shape in ApiShape}
    assert usual_value(chats[ApiShape.OF_2024], "temperature") == 1.0
    assert usual_value(chats[ApiShape.NOW], "temperature") == 0.8


def test_reasoning_is_apart_by_default_today() -> None:
    assert [usual_reasoning_format(shape) for shape in ApiShape] == [None, "auto"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["top_k", "typ_p", "temperature"], ["top_k", "typical_p", "temperature"]),
        (
            ["top-k", "TopP", "minp", "temp", "typ", "nucleus", "typical_p"],
            [
                "top_k",
                "top_p",
                "min_p",
                "temperature",
                "typical_p",
                "top_p",
                "typical_p",
            ],
        ),
        (["penalties", "dry", "unknown", "xtc"], ["xtc"]),
        ("edskypmxt", ["top_n_sigma", "top_k", "typical_p", "top_p", "min_p", "xtc", "temperature"]),
        ("ka?", ["top_k", "adaptive_p"]),
        ([], []),
        ("", []),
    ],
)
def test_a_chain_of_today_has_names_or_letters(value: object, names: list[str]) -> None:
    request = completion(samplers=value)
    assert names_of(request) == names
    assert request.sampling.HasField("samplers")


@pytest.mark.parametrize(
    ("samplers", "penalty", "dry"),
    [(["top_k"], 1.0, 0.0), (["penalties", "top_k"], 1.5, 0.0), ("dk", 1.0, 2.0), ("edk", 1.5, 2.0), (None, 1.5, 2.0)],
)
def test_penalties_and_dry_act_in_a_chosen_chain_if_it_names_them(samplers: object, penalty: float, dry: float) -> None:
    sampling = completion(samplers=samplers, repeat_penalty=1.5, dry_multiplier=2.0).sampling
    assert (sampling.repeat_penalty, sampling.dry_multiplier) == (penalty, dry)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["infill"], "samplers: the infill sampler is not supported"),
        ("ki", "samplers: the infill sampler is not supported"),
        ([1], "an array of names, or a string of letters"),
        (5, "an array of names, or a string of letters"),
    ],
)
def test_a_chain_that_cannot_be_obeyed_is_refused(value: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        completion(samplers=value)


def test_in_the_shape_of_2024_a_string_is_no_chain() -> None:
    assert not completion(ApiShape.OF_2024, samplers="edk").sampling.HasField("samplers")


def test_settings_of_today_show_a_chosen_chain_with_what_acts_in_it() -> None:
    chosen = SamplingParams(repeat_penalty=1.1, top_n_sigma=0.0)
    chosen.samplers.samplers.extend([SamplerType.SAMPLER_TYPE_TYPICAL_P, SamplerType.SAMPLER_TYPE_TEMPERATURE])
    assert chain_now(chosen) == ["penalties", "typ_p", "temperature"]
    chosen.repeat_penalty = 1.0
    chosen.dry_multiplier = 0.5
    assert chain_now(chosen) == ["dry", "typ_p", "temperature"]


def test_settings_of_today_show_biases_as_objects_and_limits_under_both_names() -> None:
    settings = GenerationSettings(max_tokens=3, logit_bias={5: float("-inf"), 2: 1.5}, stop_texts=["x"], grammar="g")
    shown = settings_now(settings, Asked(is_stream=False, post_sampling_probs=True))
    assert shown["logit_bias"] == [{"bias": 1.5, "token": 2}, {"bias": None, "token": 5}]
    assert (shown["max_tokens"], shown["n_predict"], shown["seed"]) == (3, 3, 2**32 - 1)
    assert (shown["stop"], shown["grammar"], shown["stream"]) == (["x"], "g", False)
    assert (shown["post_sampling_probs"], shown["timings_per_token"]) == (True, False)
