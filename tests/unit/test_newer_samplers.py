"""XTC, DRY and adaptive-p from a REST body to what REST reports."""

from __future__ import annotations

from typing import Any

import pytest

from rest_adapter.apis.common.options import apply_options
from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.errors import InvalidRequest
from service.api.convert.quick import is_quick_generation
from service.api.convert.sampling import sampling_params, sampling_settings
from service.config import SamplingDefaults
from service.errors import InvalidArgument
from service.sampling.settings import DEFAULT_BREAKERS, SamplingSettings
from slotline.v1 import generation_pb2
from tests.support.served import served_model

MODEL = served_model()
NEW = {
    *("xtc_probability", "xtc_threshold", "adaptive_target", "adaptive_decay", "dry_multiplier", "dry_base"),
    *("dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers"),
}


def request(**body: Any) -> generation_pb2.GenerateRequest:
    """The message of a REST body."""
    made = generation_pb2.GenerateRequest(text="Hello")
    apply_options(made, body)
    return made


def asked_for(**body: Any) -> SamplingSettings:
    """The settings of a REST body."""
    made = request(**body)
    return sampling_settings(made.sampling, made.output, MODEL)


def reported(**body: Any) -> dict[str, Any]:
    """What REST shows as the settings in force."""
    told = generation_pb2.GenerationSettings(sampling=sampling_params(asked_for(**body), 1))
    return generation_settings(told, model="m", is_stream=False)


def test_who_does_not_ask_for_them_sees_nothing_of_them() -> None:
    assert not NEW & reported().keys()
    assert not {"xtc", "adaptive_p"} & set(reported()["samplers"])
    # Not on, so their other numbers change nothing.
    assert not NEW & reported(xtc_threshold=0.3, dry_base=3.0, adaptive_decay=0.5, dry_sequence_breakers=["x"]).keys()


def test_each_is_reported_with_all_that_belongs_to_it_while_it_is_on() -> None:
    assert NEW & reported(xtc_probability=0.5).keys() == {"xtc_probability", "xtc_threshold"}
    assert NEW & reported(adaptive_target=0.25).keys() == {"adaptive_target", "adaptive_decay"}
    dry = reported(dry_multiplier=0.75)
    assert {name: dry[name] for name in NEW if name.startswith("dry")} == {
        "dry_multiplier": 0.75,
        "dry_base": 1.75,
        "dry_allowed_length": 2,
        "dry_penalty_last_n": 64,
        "dry_sequence_breakers": list(DEFAULT_BREAKERS),
    }


def test_they_stand_at_their_places_in_the_usual_chain() -> None:
    assert reported(xtc_probability=0.5, adaptive_target=0.0)["samplers"] == [
        *("top_k", "tfs_z", "typical_p", "top_p", "min_p", "xtc", "temperature", "adaptive_p")
    ]


def test_negative_targets_and_probabilities_turn_them_off() -> None:
    assert asked_for(adaptive_target=-0.5, xtc_probability=-1).chain == asked_for().chain


def test_breakers_are_those_of_the_request() -> None:
    assert asked_for(dry_multiplier=1).dry_breakers.keys() == {ord(text) for text in DEFAULT_BREAKERS}
    assert asked_for(dry_multiplier=1, dry_sequence_breakers=["ab"]).dry_breakers == {ord("a"): ((ord("b"),),)}
    assert asked_for(dry_multiplier=1, dry_sequence_breakers=[]).dry_breakers == {}


def test_a_request_whose_breakers_are_looked_for_is_not_quick() -> None:
    assert is_quick_generation(request(), SamplingDefaults())
    assert not is_quick_generation(request(dry_multiplier=0.5), SamplingDefaults())
    assert not is_quick_generation(request(), SamplingDefaults({"dry_multiplier": 0.5}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"dry_sequence_breakers": ["x"] * 65}, "has 65 entries; allowed are at most 64"),
        ({"dry_sequence_breakers": ["x" * 5000]}, "has 5000 bytes; allowed are at most 4096"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(body: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        asked_for(**body)
    assert caught.value.field.startswith(f"sampling.{next(iter(body))}")


def test_a_bound_may_be_sent_although_a_message_holds_the_next_number_above() -> None:
    assert asked_for(adaptive_decay=0.99).adaptive_decay == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"dry_sequence_breakers": "x"}, "dry_sequence_breakers"),
        ({"dry_sequence_breakers": ["x", 1]}, "dry_sequence_breakers[1]"),
        ({"xtc_probability": "much"}, "xtc_probability"),
        ({"adaptive_target": 1.5}, "adaptive_target: 1.5 is not a number of at most 1"),
        ({"adaptive_decay": 1.0}, "adaptive_decay: 1.0 is not a number of at least 0 and at most 0.99"),
        ({"dry_allowed_length": "2"}, "dry_allowed_length"),
    ],
)
def test_what_has_the_wrong_type_or_size_is_refused_by_name(body: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        request(**body)
    assert name in str(caught.value)
