from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.common.options import OPTIONS, apply_options, json_name, read_timeout_s
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest
from tests.support.properties import untimed

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor


def apply(**body: object) -> GenerateRequest:
    request = GenerateRequest()
    apply_options(request, body)
    return request


def value_at(request: GenerateRequest, path: str) -> object:
    """The value of a set field, None if it is absent."""
    message: object = request
    *parents, field = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    return getattr(message, field) if message.HasField(field) else None  # type: ignore[attr-defined]


SYSTEM_PROMPT_FORMS = "a string or an object with prompt, anti_prompt and assistant_name"
FLOATS = {
    "temperature": "sampling.temperature",
    "dynatemp_range": "sampling.dynatemp_range",
    "dynatemp_exponent": "sampling.dynatemp_exponent",
    "top_p": "sampling.top_p",
    "min_p": "sampling.min_p",
    "tfs_z": "sampling.tfs_z",
    "typical_p": "sampling.typical_p",
    "repeat_penalty": "sampling.repeat_penalty",
    "frequency_penalty": "sampling.frequency_penalty",
    "presence_penalty": "sampling.presence_penalty",
    "mirostat_tau": "sampling.mirostat_tau",
    "mirostat_eta": "sampling.mirostat_eta",
}
INTEGERS = {
    "top_k": "sampling.top_k",
    "min_keep": "sampling.min_keep",
    "repeat_last_n": "sampling.repeat_last_n",
    "mirostat": "sampling.mirostat",
    "seed": "sampling.seed",
    "n_predict": "stop.max_tokens",
    "n_probs": "output.n_probs",
    "n_keep": "n_keep",
    "slot_id": "cache.slot_id",
}
BOOLEANS = {
    "penalize_nl": "sampling.penalize_nl",
    "ignore_eos": "sampling.ignore_eos",
    "cache_prompt": "cache.cache_prompt",
}


@pytest.mark.parametrize(("name", "path"), FLOATS.items())
@pytest.mark.parametrize(
    ("value", "stored"), [(0.5, 0.5), (2, 2.0), (True, 1.0), (False, 0.0), (-1, -1.0), (0, 0.0), (1e-3, 0.001)]
)
def test_float_options(name: str, path: str, value: object, stored: float) -> None:
    assert value_at(apply(**{name: value}), path) == pytest.approx(stored, rel=1e-6)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", ["0.5", "", [], {}, [1], 1e39, -1e39, math.inf, 10**400])
def test_float_options_refuse_other_values(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name}: .* is not a finite number$") as caught:
        apply(**{name: value})
    assert caught.value.name == name


def test_float_options_are_rounded_to_single_precision() -> None:
    assert apply(temperature=0.8).sampling.temperature == 0.800000011920929


@pytest.mark.parametrize(("name", "path"), INTEGERS.items())
@pytest.mark.parametrize(("value", "stored"), [(2, 2), (1, 1), (2.9, 2), (1.0, 1), (True, 1), (0, 0), (False, 0)])
def test_integer_options(name: str, path: str, value: object, stored: int) -> None:
    assert value_at(apply(**{name: value}), path) == stored


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", ["1", "", [], {}, [1], math.inf, 10**400, 1e300, -(10**30)])
def test_integer_options_refuse_other_values(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name}: .* is not an integer from -?\d+ to \d+$"):
        apply(**{name: value})


@pytest.mark.parametrize(("name", "path"), BOOLEANS.items())
@pytest.mark.parametrize("value", [True, False])
def test_boolean_options(name: str, path: str, value: bool) -> None:
    assert value_at(apply(**{name: value}), path) is value


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("value", [1, 0, "true", "", 0.0, [], {}])
def test_boolean_options_refuse_other_values(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name}: .* is not true or false$"):
        apply(**{name: value})


@pytest.mark.parametrize("name", [option.name for option in OPTIONS])
def test_null_means_the_default(name: str) -> None:
    assert apply(**{name: None}) == GenerateRequest()


def test_unknown_keys_are_ignored() -> None:
    assert apply(api_key="x", __oaicompat=True, user="u", prompt=5) == GenerateRequest()


@pytest.mark.parametrize(
    ("name", "path", "value", "stored"),
    [
        ("n_predict", "stop.max_tokens", -1, None),
        ("n_predict", "stop.max_tokens", -7, None),
        ("n_predict", "stop.max_tokens", 0, 0),
        ("n_keep", "n_keep", -1, -1),
        ("n_keep", "n_keep", -5, -1),
        ("top_k", "sampling.top_k", -3, -3),
        ("repeat_last_n", "sampling.repeat_last_n", -9, -1),
        ("min_keep", "sampling.min_keep", -1, 0),
        ("n_probs", "output.n_probs", -1, 0),
        ("slot_id", "cache.slot_id", -1, None),
        ("slot_id", "cache.slot_id", 0, 0),
        ("mirostat", "sampling.mirostat", 3, 0),
        ("mirostat", "sampling.mirostat", -1, 0),
        ("seed", "sampling.seed", -1, None),
        ("seed", "sampling.seed", 4294967295, None),
        ("seed", "sampling.seed", -2, 4294967294),
        ("seed", "sampling.seed", 2**32 + 5, 5),
        ("seed", "sampling.seed", 42.9, 42),
    ],
)
def test_integers_with_a_meaning_of_their_own(name: str, path: str, value: object, stored: int | None) -> None:
    assert value_at(apply(**{name: value}), path) == stored


def test_grammar() -> None:
    assert apply(grammar='root ::= "x"').constraint.gbnf == 'root ::= "x"'
    assert not apply(grammar="").HasField("constraint")
    with pytest.raises(InvalidRequest, match=r"^grammar: \[\] is not a string$"):
        apply(grammar=[])


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"prompt": "P", "anti_prompt": "U:", "assistant_name": "A:"}, ("P", "U:", "A:")),
        ({"prompt": "P", "anti_prompt": None, "extra": 1}, ("P", "", "")),
        ({}, ("", "", "")),
        ("P", ("P", "", "")),
    ],
)
def test_system_prompt(value: object, fields: tuple[str, str, str]) -> None:
    request = apply(system_prompt=value)
    assert request.HasField("system_prompt")
    prompt = request.system_prompt
    assert (prompt.prompt, prompt.anti_prompt, prompt.assistant_name) == fields


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, f"system_prompt: 5 is not {SYSTEM_PROMPT_FORMS}"),
        (True, f"system_prompt: true is not {SYSTEM_PROMPT_FORMS}"),
        ([], f"system_prompt: [] is not {SYSTEM_PROMPT_FORMS}"),
        ({"prompt": 5}, "system_prompt.prompt: 5 is not a string"),
        ({"anti_prompt": []}, "system_prompt.anti_prompt: [] is not a string"),
        ({"assistant_name": False}, "system_prompt.assistant_name: false is not a string"),
    ],
)
def test_system_prompt_refuses_other_values(value: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        apply(system_prompt=value)
    assert caught.value.message == message


@pytest.mark.parametrize(("value", "seconds"), [(None, None), (1, 1.0), (0.25, 0.25), (604800, 604800.0)])
def test_timeout(value: object, seconds: float | None) -> None:
    assert read_timeout_s({"timeout_s": value}) == seconds


@pytest.mark.parametrize("value", [0, -1, 604801, "5", [], math.inf])
def test_timeout_refuses_other_values(value: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^timeout_s: "):
        read_timeout_s({"timeout_s": value})


def test_every_option_has_a_field_of_the_contract() -> None:
    for option in OPTIONS:
        descriptor: Descriptor | None = GenerateRequest.DESCRIPTOR
        for name in option.path.split("."):
            assert descriptor is not None
            descriptor = descriptor.fields_by_name[name].message_type


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sampling.top_p", "top_p"),
        ("sampling.logit_bias[3].bias", "logit_bias[3].bias"),
        ("stop.texts", "stop"),
        ("stop.max_tokens", "n_predict"),
        ("constraint.gbnf", "grammar"),
        ("text", "prompt"),
        ("token_ids.ids[5]", "prompt[5]"),
        ("parts.parts[1].token_ids.ids[0]", "prompt"),
        ("parts", "prompt"),
        ("chat.messages[0].role", "messages[0].role"),
        ("system_prompt.prompt", "system_prompt.prompt"),
        ("system_prompt", "system_prompt"),
        ("infill.prefix.parts[0].text", "input_prefix"),
        ("infill.suffix.parts[2].token_ids.ids[1]", "input_suffix"),
        ("infill", "infill"),
        ("num_sequences above 1", "n above 1"),
        ("constraint.json_object", "response_format"),
        ("constraint.json_schema", "response_format.json_schema"),
        ("textual", "textual"),
        ("something.else", "something.else"),
    ],
)
def test_core_fields_get_their_json_names(path: str, name: str) -> None:
    assert json_name(path) == name


@untimed
@given(
    st.dictionaries(
        st.sampled_from([option.name for option in OPTIONS]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda children: (
                st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_value_is_either_translated_or_refused_by_name(body: dict[str, object]) -> None:
    try:
        apply(**body)
    except InvalidRequest as error:
        assert error.name.split("[")[0].split(".")[0] in body
