"""The settings that answers show."""

from __future__ import annotations

from rest_adapter.apis.common.settings import generation_settings
from slotline.v1.generation_pb2 import GenerationSettings
from slotline.v1.sampling_pb2 import PenaltyPrompt
from tests.unit.rest_adapter.messages import settings


def test_settings_show_limits_biases_and_the_penalty_prompt() -> None:
    given = settings()
    given.max_tokens = 16
    given.n_keep = 4
    given.n_probs = 3
    given.grammar = "root ::= x"
    given.stop_texts.extend(["a", "b"])
    given.penalty_prompt_token_ids.extend([1, 2])
    given.sampling.penalty_prompt.CopyFrom(PenaltyPrompt(text="x"))
    given.logit_bias[7042] = 4.0
    given.logit_bias[260] = float("-inf")
    shown = generation_settings(given, model="m", is_stream=True)
    expected = {
        "n_predict": 16,
        "n_keep": 4,
        "n_probs": 3,
        "grammar": "root ::= x",
        "stop": ["a", "b"],
        "penalty_prompt_tokens": [1, 2],
        "use_penalty_prompt_tokens": True,
        "logit_bias": [[260, None], [7042, 4.0]],
        "model": "m",
        "stream": True,
    }
    assert {key: shown[key] for key in expected} == expected


def test_an_empty_sampler_chain_is_shown_as_empty() -> None:
    given = settings()
    given.sampling.samplers.ClearField("samplers")
    assert generation_settings(given, model="m", is_stream=False)["samplers"] == []


def test_settings_without_a_penalty_prompt_say_so() -> None:
    assert generation_settings(settings(), model="m", is_stream=False)["use_penalty_prompt_tokens"] is False


def test_a_limit_of_zero_is_not_no_limit() -> None:
    assert generation_settings(GenerationSettings(max_tokens=0), model="m", is_stream=False)["n_predict"] == 0
