from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rest_adapter.apis.common.list_options import SAMPLER_NAMES as SAMPLERS_OF_THE_API
from rest_adapter.apis.common.options import OPTIONS, apply_options, read_timeout_s
from slotline.cli.chat.answer import DEFAULT_SETTINGS
from slotline.cli.chat.sampling import (
    SAMPLING_OPTIONS,
    SETTINGS,
    convert,
    option_named,
    setting,
)
from slotline.cli.options.values import InvalidValue
from slotline.options import BY_NAME, SEEDS, maximum, sampler_names
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from pathlib import Path

# Of the whole conversation, of other models, or only for programs.
NOT_FOR_TERMINALS = {"system_prompt", "image_data", "n_probs", "cache_salt", "n_indent", "t_max_predict_ms", "lora"}
EXAMPLES = [
    ("n_predict", "-1", -1),
    ("temperature", "0.3", 0.3),
    ("temperature", "0", 0.0),
    ("dynatemp_range", "0.5", 0.5),
    ("dynatemp_exponent", "2", 2.0),
    ("top_k", "40", 40),
    ("top_p", "1", 1.0),
    ("min_p", "0.05", 0.05),
    ("tfs_z", "0.9", 0.9),
    ("typical_p", "0.9", 0.9),
    ("min_keep", "2", 2),
    ("repeat_penalty", "1.2", 1.2),
    ("repeat_last_n", "-1", -1),
    ("frequency_penalty", "-0.5", -0.5),
    ("presence_penalty", "0.5", 0.5),
    ("penalize_nl", "off", False),
    ("penalty_prompt", "a text", "a text"),
    ("penalty_prompt", "[1, 2]", [1, 2]),
    ("mirostat", "2", 2),
    ("mirostat_tau", "5", 5.0),
    ("mirostat_eta", "0.1", 0.1),
    ("seed", "18446744073709551615", 2**64 - 1),
    ("samplers", "top_k, temperature", ["top_k", "temperature"]),
    ("samplers", "min_p;top_p", ["min_p", "top_p"]),
    ("logit_bias", '[["Hello", -2.5], [42, false]]', [["Hello", -2.5], [42, False]]),
    ("logit_bias", '{"42": 1}', {"42": 1}),
    ("ignore_eos", "True", True),
    ("stop", "User:", ["User:"]),
    ("stop", '["\\n", "User:"]', ["\n", "User:"]),
    ("stop", '"\\n"', ["\n"]),
    ("dry_sequence_breakers", '["\\n", ":"]', ["\n", ":"]),
    ("grammar", 'root ::= "yes" | "no"', 'root ::= "yes" | "no"'),
    ("n_keep", "4", 4),
    ("truncate", "true", True),
    ("parse_special", "no", False),
    ("slot_id", "1", 1),
    ("cache_prompt", "no", False),
    ("timeout_s", "2.5", 2.5),
]


def test_every_option_of_the_api_can_be_set() -> None:
    assert set(SAMPLING_OPTIONS) == {option.name for option in OPTIONS} - NOT_FOR_TERMINALS | {"timeout_s", "truncate"}
    assert set(DEFAULT_SETTINGS) <= set(SETTINGS)
    assert {name for name, _, _ in EXAMPLES} >= {name for name in SAMPLING_OPTIONS if not BY_NAME[name].is_scalar}


def test_bounds_are_those_of_the_api() -> None:
    assert sorted(sampler_names()) == sorted(SAMPLERS_OF_THE_API)
    assert convert("samplers", ",".join(SAMPLERS_OF_THE_API)) == list(SAMPLERS_OF_THE_API)
    for name, most in (("seed", SEEDS[1]), ("timeout_s", maximum("timeout_s"))):
        assert convert(name, str(most)) == most
        with pytest.raises(InvalidValue, match="out of range"):
            convert(name, str(most + 1))


@pytest.mark.parametrize("name", [name for name in SAMPLING_OPTIONS if BY_NAME[name].is_scalar])
def test_numbers_and_switches_take_their_default_and_what_stands_for_none(name: str) -> None:
    facts = BY_NAME[name]
    for value in (facts.default, facts.unset):
        if value is not None:
            assert convert(name, json.dumps(value)) == value
            apply_options(GenerateRequest(), {name: value})


@pytest.mark.parametrize(("name", "typed", "value"), EXAMPLES)
def test_values_as_people_write_them(name: str, typed: str, value: object) -> None:
    assert convert(name, typed) == value
    assert setting("--set", f"{name}={typed}") == (name, value)
    # The adapter takes it, too.
    apply_options(GenerateRequest(), {name: value})
    read_timeout_s({name: value})


@pytest.mark.parametrize(
    ("name", "typed", "problem"),
    [
        ("n_predict", "-2", "n_predict -2 is out of range; allowed is a whole number, at least -1"),
        ("temperature", "hot", "temperature 'hot' is not a finite number; allowed is a number of at least 0"),
        ("temperature", "-1", "temperature -1 is out of range; allowed is a number of at least 0"),
        ("top_p", "1.5", "top_p 1.5 is out of range; allowed is a number from 0 to 1"),
        ("repeat_penalty", "0", "repeat_penalty 0 is out of range; allowed is a number above 0"),
        ("timeout_s", "1e9", "timeout_s 1e+09 is out of range; allowed is a number above 0 and up to 604800"),
        ("mirostat", "3", "mirostat '3' is not known; allowed are 0, 1 and 2"),
        (
            "penalize_nl",
            "maybe",
            "penalize_nl 'maybe' is not known; allowed are true, on, yes, 1, false, off, no and 0",
        ),
        ("samplers", "top_k, top_z", "samplers 'top_z' is no sampler; allowed are top_k, tfs_z, typical_p, top_p"),
        ("stop", "[1]", "stop '[1]' is not understood; allowed are a text, or texts as JSON"),
        ("stop", '[""]', "stop '[\"\"]' is not understood"),
        ("stop", "[", "stop '[' is not understood"),
        ("logit_bias", "[[1, NaN]]", "logit_bias '[[1, NaN]]' is not understood; allowed are JSON pairs"),
        ("logit_bias", "[[1, true]]", "logit_bias '[[1, true]]' is not understood"),
        ("logit_bias", "[1]", "logit_bias '[1]' is not understood"),
        ("logit_bias", "5", "logit_bias '5' is not understood"),
        ("penalty_prompt", "[1.5]", "penalty_prompt '[1.5]' is not understood; allowed are a text, or token ids"),
        ("grammar", "@/nothing", "grammar /nothing: cannot be read: No such file or directory"),
        ("temprature", "1", "temprature is no option; did you mean temperature?"),
        ("max_tokens", "1", "max_tokens is no option; did you mean n_predict?"),
        ("xyz", "1", "xyz is no option; known are n_predict, temperature, "),
    ],
)
def test_mistakes_name_the_option_and_what_is_allowed(name: str, typed: str, problem: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        convert(name, typed)
    assert str(caught.value).startswith(problem)
    with pytest.raises(InvalidValue) as caught:
        setting("--set", f"{name}={typed}")
    assert str(caught.value).startswith(f"--set {problem}")


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"^--set 'top_k' has no value; allowed is NAME=VALUE, for example "):
        setting("--set", "top_k")


def test_a_grammar_can_be_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "g.gbnf"
    path.write_bytes('\ufeffroot ::= "ä"\n'.encode())
    assert convert("grammar", f"@{path}") == 'root ::= "ä"\n'
    path.write_bytes(b"root ::= \xff")
    with pytest.raises(InvalidValue, match=r"^grammar .*/g\.gbnf: is not UTF-8: invalid start byte at byte 9$"):
        convert("grammar", f"@{path}")
    path.write_bytes(b"#" * (64 * 1024 + 1))
    with pytest.raises(InvalidValue, match=r"is larger than the 65536 bytes allowed$"):
        convert("grammar", f"@{path}")


@pytest.mark.parametrize("name", SAMPLING_OPTIONS)
def test_every_option_is_explained_in_a_sentence(name: str) -> None:
    option = option_named(name)
    assert option.name == name
    assert option.help.endswith(".")
