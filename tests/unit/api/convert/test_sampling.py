"""``SamplingParams`` to ``SamplingSettings`` and back."""

from __future__ import annotations

import math
import struct
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.convert.sampling import DEFAULTS, sampling_params, sampling_settings
from service.api.served_model import Limits, ServedModel
from service.config import SamplingDefaults
from service.errors import InvalidArgument
from service.sampling.settings import DEFAULT_SAMPLERS, SamplerName, SamplingSettings
from service.testing.scripted_model import EOS, N_VOCAB
from slotline.options import BY_PATH, OptionFacts
from slotline.v1 import generation_pb2, sampling_pb2, tokens_pb2
from tests.support.served import served_model

MODEL = served_model()
SCALARS = [
    facts
    for path, facts in BY_PATH.items()
    if path.startswith("sampling.") and facts.is_scalar and facts.default is not None
]
FLOATS = [facts.field for facts in SCALARS if facts.kind == "number"]


def single(value: float) -> float:
    """The nearest float32."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def convert(output: generation_pb2.OutputOptions | None = None, **params: Any) -> SamplingSettings:
    """Settings for a request with these parameters."""
    message = sampling_pb2.SamplingParams(**params)
    return sampling_settings(message, output or generation_pb2.OutputOptions(), MODEL)


def test_without_parameters_every_default_of_the_contract_holds() -> None:
    settings, documented = convert(), SamplingSettings()
    for field in fields(documented):
        value = getattr(documented, field.name)
        assert getattr(settings, field.name) == (single(value) if isinstance(value, float) else value), field.name
    assert settings.seed is None
    assert settings.penalty_prompt is None
    assert settings.chain == DEFAULT_SAMPLERS


@pytest.mark.parametrize("facts", SCALARS, ids=[facts.field for facts in SCALARS])
def test_what_the_contract_declares_is_the_default_and_sending_it_changes_nothing(facts: OptionFacts) -> None:
    assert getattr(SamplingSettings(), facts.field) == facts.default
    assert convert(None, **{facts.field: facts.default}) == convert()


@pytest.mark.parametrize("name", FLOATS)
def test_sending_a_default_changes_nothing(name: str) -> None:
    params: dict[str, Any] = {name: getattr(SamplingSettings(), name)}
    assert convert(**params) == convert()


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, 0.0) for name in FLOATS if name != "repeat_penalty"]
    + [(name, -1.5) for name in FLOATS if -1.5 in BY_PATH[f"sampling.{name}"].allowed]
    + [
        ("repeat_penalty", 0.5),
        ("top_k", 0),
        ("top_k", -7),
        ("min_keep", 3),
        ("repeat_last_n", 0),
        ("repeat_last_n", -1),
        ("penalize_nl", False),
        ("mirostat", 0),
        ("mirostat", 2),
        ("seed", 0),
        ("seed", 2**32 - 1),
        ("ignore_eos", True),
    ],
)
def test_a_value_that_is_sent_is_used_also_if_it_is_zero(name: str, value: float) -> None:
    params: dict[str, Any] = {name: value}
    assert getattr(convert(**params), name) == value


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InvalidArgument, match="allowed is any finite number") as caught:
        convert(None, **{name: value})
    assert caught.value.field == f"sampling.{name}"
    assert f"{value}" in caught.value.problem


@pytest.mark.parametrize(
    ("params", "field", "allowed"),
    [
        ({"repeat_penalty": 0.0}, "sampling.repeat_penalty", "above 0"),
        ({"repeat_penalty": -1.0}, "sampling.repeat_penalty", "above 0"),
        ({"repeat_last_n": -2}, "sampling.repeat_last_n", "-1 or more"),
        ({"mirostat": 3}, "sampling.mirostat", "0 to 2"),
        ({"penalty_prompt": sampling_pb2.PenaltyPrompt()}, "sampling.penalty_prompt", "text, token_ids"),
        (
            {"penalty_prompt": sampling_pb2.PenaltyPrompt(token_ids=tokens_pb2.TokenIds(ids=[1, N_VOCAB]))},
            "sampling.penalty_prompt.token_ids.ids[1]",
            "0 to 257",
        ),
        ({"logit_bias": [sampling_pb2.LogitBias(bias=1)]}, "sampling.logit_bias[0]", "token_id, text"),
        (
            {
                "logit_bias": [
                    sampling_pb2.LogitBias(token_id=1, bias=1),
                    sampling_pb2.LogitBias(token_id=N_VOCAB, bias=1),
                ]
            },
            "sampling.logit_bias[1].token_id",
            "0 to 257",
        ),
        (
            {"logit_bias": [sampling_pb2.LogitBias(token_id=1, bias=math.nan)]},
            "sampling.logit_bias[0].bias",
            "-inf to ban",
        ),
        (
            {"logit_bias": [sampling_pb2.LogitBias(token_id=1, bias=math.inf)]},
            "sampling.logit_bias[0].bias",
            "-inf to ban",
        ),
        (
            {"samplers": sampling_pb2.SamplerList(samplers=[1, 99])},  # type: ignore[list-item]
            "sampling.samplers.samplers[1]",
            "SAMPLER_TYPE_TOP_K, SAMPLER_TYPE_TFS_Z",
        ),
        (
            {"samplers": sampling_pb2.SamplerList(samplers=[sampling_pb2.SAMPLER_TYPE_TOP_K] * 65)},
            "sampling.samplers.samplers",
            "at most 64",
        ),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_path_and_what_is_allowed(
    params: dict[str, Any], field: str, allowed: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        convert(**params)
    assert caught.value.field == field
    assert allowed in caught.value.problem


@pytest.mark.parametrize(
    ("output", "field", "allowed"),
    [
        ({"n_probs": N_VOCAB + 1}, "output.n_probs", "0 to 258"),
        ({"top_logprobs": 101}, "output.top_logprobs", "0 to 100"),
    ],
)
def test_reports_are_bounded(output: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidArgument, match=allowed) as caught:
        convert(generation_pb2.OutputOptions(**output))
    assert caught.value.field == field


def test_reports_are_passed_on_and_no_logprobs_differ_from_zero_alternatives() -> None:
    assert convert(generation_pb2.OutputOptions(n_probs=N_VOCAB)).n_probs == N_VOCAB
    assert convert(generation_pb2.OutputOptions()).top_logprobs is None
    assert convert(generation_pb2.OutputOptions(top_logprobs=0)).top_logprobs == 0


@pytest.mark.parametrize(
    ("entries", "biases"),
    [
        ([], ()),
        ([{"token_id": 5, "bias": 1.5}], ((5, 1.5),)),
        ([{"token_id": 5, "bias": -math.inf}], ((5, -math.inf),)),
        ([{"text": "ab", "bias": 2}], ((97, 2), (98, 2))),
        ([{"text": "", "bias": 2}], ()),
        # The names of special tokens are text here.
        ([{"text": "<", "bias": 1}, {"token_id": EOS, "bias": 3}], ((60, 1), (EOS, 3))),
        ([{"token_id": 97, "bias": 1}, {"text": "a", "bias": 2}], ((97, 2),)),
        ([{"text": "aa", "bias": 2}, {"token_id": 97, "bias": -math.inf}], ((97, -math.inf),)),
    ],
)
def test_biases_go_to_tokens_and_a_later_one_replaces_an_earlier_one(
    entries: list[dict[str, Any]], biases: tuple[tuple[int, float], ...]
) -> None:
    assert convert(logit_bias=[sampling_pb2.LogitBias(**entry) for entry in entries]).logit_bias == biases


def test_text_of_biases_and_penalty_prompts_holds_no_special_tokens() -> None:
    settings = convert(
        logit_bias=[sampling_pb2.LogitBias(text="<eos>", bias=1)],
        penalty_prompt=sampling_pb2.PenaltyPrompt(text="<eos>"),
    )
    assert EOS not in dict(settings.logit_bias)
    assert settings.penalty_prompt == tuple(b"<eos>")


def test_an_empty_penalty_prompt_is_not_the_same_as_none() -> None:
    assert convert(penalty_prompt=sampling_pb2.PenaltyPrompt(text="")).penalty_prompt == ()


@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ([], ()),
        ([4, 1], (SamplerName.TOP_P, SamplerName.TOP_K)),
        ([1, 1], (SamplerName.TOP_K, SamplerName.TOP_K)),
        ([0, 6, 0], (SamplerName.TEMPERATURE,)),
        ([1, 2, 3, 4, 5, 6], DEFAULT_SAMPLERS),
    ],
)
def test_the_sampler_chain_is_taken_as_it_is_given(numbers: list[int], names: tuple[SamplerName, ...]) -> None:
    chain = sampling_pb2.SamplerList(samplers=numbers)  # type: ignore[arg-type]
    assert convert(samplers=chain).samplers == names


def test_the_length_of_the_chain_is_a_limit_of_the_model() -> None:
    model = served_model(limits=Limits(max_samplers=1))
    chain = sampling_pb2.SamplingParams(samplers=sampling_pb2.SamplerList(samplers=[1, 2]))  # type: ignore[list-item]
    with pytest.raises(InvalidArgument, match="at most 1"):
        sampling_settings(chain, generation_pb2.OutputOptions(), model)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
biases = st.dictionaries(st.integers(0, N_VOCAB - 1), finite | st.just(-math.inf))


def values_of(facts: OptionFacts) -> st.SearchStrategy[Any]:
    """What a message may hold as an option, within what is allowed."""
    match facts.kind:
        case "boolean":
            return st.booleans()
        case "number":
            return finite.filter(lambda value: value in facts.allowed)
    unsigned = facts.allowed.min == 0
    least = -(2**31) if facts.allowed.min is None else int(facts.allowed.min)
    most = (2**32 if unsigned else 2**31) - 1 if facts.allowed.max is None else int(facts.allowed.max)
    return st.integers(least, most)


settings_of_any_kind = st.builds(
    SamplingSettings,
    **{facts.field: values_of(facts) for facts in SCALARS},
    penalty_prompt=st.none() | st.lists(st.integers(0, N_VOCAB - 1)).map(tuple),
    seed=st.integers(0, 2**32 - 1),
    logit_bias=st.dictionaries(st.integers(0, N_VOCAB - 1), finite | st.just(-math.inf)).map(
        lambda d: tuple(d.items())
    ),
    samplers=st.lists(st.sampled_from(SamplerName), max_size=64).map(tuple),
)


@given(settings_of_any_kind)
def test_settings_that_were_reported_can_be_sent_again(settings: SamplingSettings) -> None:
    reported = sampling_params(settings, settings.seed)
    again = sampling_settings(reported, generation_pb2.OutputOptions(), MODEL)
    # Found anew from the texts.
    assert replace(again, dry_breakers={}) == settings
    assert bool(again.dry_breakers) is bool(settings.dry_multiplier)


def test_a_report_has_every_field_set_but_a_seed_that_there_is_not_yet() -> None:
    reported = sampling_params(DEFAULTS, None)
    unset = {field.name for field in reported.DESCRIPTOR.fields} - {field.name for field, _ in reported.ListFields()}
    assert unset == {"seed", "penalty_prompt", "logit_bias", "dry_sequence_breakers"}


def given_to_server(**options: Any) -> ServedModel:
    return replace(MODEL, sampling=SamplingDefaults(**options))


def test_the_request_goes_before_the_server_and_that_before_the_defaults_of_the_caller() -> None:
    caller = sampling_pb2.SamplingParams(temperature=0.1, top_k=1, min_p=0.25)
    server = given_to_server(options={"temperature": 0.5, "top_k": 2}, seed=7)
    request = sampling_pb2.SamplingParams(temperature=2.0)
    settings = sampling_settings(request, generation_pb2.OutputOptions(), server, caller)
    assert (settings.temperature, settings.top_k, settings.min_p, settings.seed) == (2.0, 2, 0.25, 7)
    assert settings.top_p == DEFAULTS.top_p


def test_a_request_may_have_another_seed_and_chain_than_the_server() -> None:
    server = given_to_server(seed=7, samplers=("min_p", "temperature"))
    usual, other = sampling_pb2.SamplingParams(), sampling_pb2.SamplingParams(seed=8)
    other.samplers.samplers.append(sampling_pb2.SAMPLER_TYPE_TOP_K)
    found = [sampling_settings(params, generation_pb2.OutputOptions(), server) for params in (usual, other)]
    assert [settings.seed for settings in found] == [7, 8]
    assert [settings.chain for settings in found] == [
        (SamplerName.MIN_P, SamplerName.TEMPERATURE),
        (SamplerName.TOP_K,),
    ]


def test_the_servers_breakers_are_those_of_requests_that_name_none() -> None:
    server = given_to_server(options={"dry_multiplier": 1.0}, dry_sequence_breakers=("x",))
    settings = sampling_settings(sampling_pb2.SamplingParams(), generation_pb2.OutputOptions(), server)
    assert (settings.dry_sequence_breakers, list(settings.dry_breakers)) == (("x",), [ord("x")])


def test_a_default_of_the_caller_is_checked_under_its_own_name() -> None:
    caller = sampling_pb2.SamplingParams(top_p=math.nan)
    with pytest.raises(InvalidArgument) as caught:
        sampling_settings(sampling_pb2.SamplingParams(), generation_pb2.OutputOptions(), MODEL, caller)
    assert caught.value.field == "sampling_defaults.top_p"
