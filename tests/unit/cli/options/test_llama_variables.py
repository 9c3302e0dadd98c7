"""Environment variables of llama.cpp's server."""

from __future__ import annotations

import shlex

import pytest

from slotline.cli.commands import COMMANDS, KNOWN_VARIABLES
from slotline.cli.options.core_options import CORE_GROUPS
from slotline.cli.options.environment import parse_with_environment, without_variables
from slotline.cli.options.llama_variables import OPTIONS, SWITCHES, over_llama_variables
from slotline.cli.options.rest_options import REST_GROUPS
from slotline.cli.options.serve_options import PASSED_TO_CORE, SERVE_GROUPS
from slotline.cli.options.table import Parsed, UsageError, parse

NAMES = {name for group in SERVE_GROUPS for option in group.options for name in option.names}


def read(*arguments: str, **environment: str) -> Parsed:
    given = parse_with_environment(SERVE_GROUPS, arguments, environment, KNOWN_VARIABLES)
    return over_llama_variables(given, SERVE_GROUPS, environment)


def test_every_variable_stands_for_an_option_that_there_is() -> None:
    assert not set(OPTIONS.values()) - NAMES
    assert not {name for names in SWITCHES.values() for name in names if name} - NAMES
    assert not OPTIONS.keys() & SWITCHES.keys()


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({"LLAMA_ARG_CTX_SIZE": "1024", "LLAMA_ARG_N_PARALLEL": "2"}, "-c 1024 -np 2"),
        ({"LLAMA_ARG_BATCH": "64", "LLAMA_ARG_UBATCH": "32"}, "-b 64 -ub 32"),
        ({"LLAMA_ARG_HOST": "0.0.0.0", "LLAMA_ARG_PORT": "9000"}, "--host 0.0.0.0 --port 9000"),
        ({"LLAMA_ARG_SPEC_DRAFT_MODEL": "d.gguf", "LLAMA_ARG_DRAFT_MAX": "8"}, "-md d.gguf --draft-max 8"),
        ({"LLAMA_ARG_THINK": "deepseek", "LLAMA_ARG_TEMPERATURE": "0.5"}, "--reasoning-format deepseek --temp 0.5"),
        ({"LLAMA_API_KEY": "two words"}, "--api-key 'two words'"),
        ({"LLAMA_API_KEY": "a,b,,c"}, "--api-key a --api-key b --api-key c"),
        *(({"LLAMA_ARG_FLASH_ATTN": word}, "-fa on") for word in ("1", "true", "enabled", "on")),
        *(({"LLAMA_ARG_FLASH_ATTN": word}, "-fa off") for word in ("0", "false", "disabled", "off")),
        *(({"LLAMA_ARG_FLASH_ATTN": word}, "-fa auto") for word in ("-1", "auto")),
        ({"LLAMA_ARG_REASONING": "true"}, "--reasoning on"),
        ({"LLAMA_ARG_REASONING": "0"}, "--reasoning off"),
        ({"LLAMA_ARG_REASONING": "-1"}, "--reasoning auto"),
        ({"LLAMA_ARG_N_GPU_LAYERS": "auto", "LLAMA_ARG_N_GPU_LAYERS_DRAFT": "all"}, "-ngl -1 -ngld 999"),
        ({"LLAMA_ARG_THREADS": "-1", "LLAMA_ARG_N_PARALLEL": "-1", "LLAMA_ARG_SPEC_TYPE": "none"}, "-t -1 -np -1"),
        ({"LLAMA_ARG_LOAD_MODE": "mlock", "LLAMA_ARG_ROPE_SCALE": "2"}, "-lm mlock --rope-scale 2"),
        ({"LLAMA_ARG_KV_OFFLOAD": "0", "LLAMA_ARG_NO_HOST": "1"}, "-nkvo --no-host"),
        ({"LLAMA_ARG_LOG_JSONL": "0"}, "--no-log-jsonl"),
        ({"LLAMA_ARG_REUSE_PORT": "1"}, "--reuse-port"),
        ({"LLAMA_ARG_SSE_PING_INTERVAL": "-1"}, "--sse-ping 0"),
        ({"LLAMA_ARG_CHAT_TEMPLATE_KWARGS": '{"a":1}'}, """--chat-template-kwargs '{"a":1}'"""),
        ({"LLAMA_ARG_REASONING_EFFORT": "low"}, "--reasoning-effort low"),
        ({"LLAMA_ARG_REUSE_PORT": "0"}, ""),
        ({"LLAMA_ARG_CORS_METHODS": "*"}, "--cors-methods '*'"),
        ({"LLAMA_ARG_ENDPOINT_METRICS": "1", "LLAMA_ARG_EMBEDDINGS": "enabled"}, "--metrics --embedding"),
        ({"LLAMA_ARG_ENDPOINT_METRICS": "0", "LLAMA_ARG_EMBEDDINGS": "off"}, ""),
        ({"LLAMA_ARG_ENDPOINT_SLOTS": "false"}, "--no-slots"),
        ({"LLAMA_ARG_ENDPOINT_SLOTS": "TRUE"}, "--slots"),
        ({"LLAMA_ARG_NO_ENDPOINT_SLOTS": "0"}, "--no-slots"),
        ({"LLAMA_ARG_CONTEXT_SHIFT": "on"}, "--context-shift"),
        ({"LLAMA_ARG_NO_UI": "1", "LLAMA_ARG_UI": "1"}, "--no-ui"),
        ({"LLAMA_ARG_MMPROJ_OFFLOAD": "0"}, "--no-mmproj-offload"),
        ({"LLAMA_ARG_MMPROJ_OFFLOAD": "1", "LLAMA_ARG_PREFILL_ASSISTANT": "0"}, "--mmproj-offload"),
        ({"LLAMA_ARG_JINJA": "0"}, ""),
    ],
)
def test_variables_mean_what_the_options_mean(environment: dict[str, str], arguments: str) -> None:
    parsed, words = read(**environment), shlex.split(arguments)
    assert parsed.settings == parse(SERVE_GROUPS, words).settings
    assert parsed.warnings == []
    # The child is told on its command line.
    child = parse(CORE_GROUPS, parsed.arguments_of(PASSED_TO_CORE)).settings
    assert child == parse(CORE_GROUPS, parse(SERVE_GROUPS, words).arguments_of(PASSED_TO_CORE)).settings


@pytest.mark.parametrize(
    ("arguments", "environment", "settings"),
    [
        (("-c", "64"), {"LLAMA_ARG_CTX_SIZE": "1024"}, {"n_ctx": 64}),
        (("-c", "64"), {"LLAMA_ARG_CTX_SIZE": "many"}, {"n_ctx": 64}),
        (("--host", "127.0.0.1"), {"LLAMA_ARG_HOST": "192.0.2.1"}, {"host": "127.0.0.1"}),
        ((), {"LLAMA_ARG_CTX_SIZE": "1024", "SLOTLINE_CTX_SIZE": "64"}, {"n_ctx": 64}),
        (("--slots",), {"LLAMA_ARG_ENDPOINT_SLOTS": "0"}, {"slots_endpoint": True}),
        ((), {"SLOTLINE_NO_SLOTS": "1", "LLAMA_ARG_ENDPOINT_SLOTS": "1"}, {"slots_endpoint": False}),
        (("--api-key", "a"), {"LLAMA_API_KEY": "b", "LLAMA_ARG_API_KEY_FILE": "/nothing"}, {"api_keys": (("a",),)}),
        ((), {"SLOTLINE_API_KEY": "a", "LLAMA_API_KEY": "b"}, {"api_keys": (("a",),)}),
        ((), {"SLOTLINE_METRICS": "0", "LLAMA_ARG_ENDPOINT_METRICS": "1"}, {}),
        (("--metrics",), {"SLOTLINE_METRICS": "0", "LLAMA_ARG_ENDPOINT_METRICS": "0"}, {"metrics": True}),
        ((), {"SLOTLINE_CONTEXT_SHIFT": "0", "LLAMA_ARG_CONTEXT_SHIFT": "1"}, {}),
        ((), {"SLOTLINE_NO_SLOTS": "0", "LLAMA_ARG_NO_ENDPOINT_SLOTS": "1"}, {}),
        (("--metrics",), {"LLAMA_ARG_ENDPOINT_METRICS": "maybe"}, {"metrics": True}),
        (
            ("--openai-overflow", "refuse"),
            {"LLAMA_ARG_CONTEXT_SHIFT": "1"},
            {"native_truncates": True, "openai_truncates": False},
        ),
        (
            ("--openai-overflow", "truncate"),
            {"LLAMA_ARG_CONTEXT_SHIFT": "0"},
            {"native_truncates": False, "openai_truncates": True},
        ),
        (("--chat-template", "gemma"), {"LLAMA_ARG_CHAT_TEMPLATE_FILE": "/nothing"}, {"chat_template": "gemma"}),
    ],
)
def test_the_command_line_and_our_own_variables_win(
    arguments: tuple[str, ...], environment: dict[str, str], settings: dict[str, object]
) -> None:
    parsed = read(*arguments, **environment)
    assert parsed.settings == settings
    assert parse(SERVE_GROUPS, parsed.arguments_of(SERVE_GROUPS)).settings == settings


def test_a_wrong_value_is_told_with_the_name_of_the_variable() -> None:
    with pytest.raises(UsageError) as caught:
        read(LLAMA_ARG_PORT="many")
    assert caught.value.lines[0].startswith("error: LLAMA_ARG_PORT 'many' is not a whole number")
    with pytest.raises(UsageError) as caught:
        read(LLAMA_ARG_UI="maybe")
    assert caught.value.lines == (
        "error: LLAMA_ARG_UI 'maybe' is not known; allowed are 1, true, on, enabled, 0, false, off, disabled",
        "error: invalid parameter for argument: LLAMA_ARG_UI",
    )


@pytest.mark.parametrize("value", ["", ",", "a,b "])
def test_a_list_of_keys_without_any_or_with_a_wrong_one_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"^error: LLAMA_API_KEY is empty or holds what a client could not send"):
        read(LLAMA_API_KEY=value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("FLASH_ATTN", "maybe", "auto, on and off"),
        ("N_GPU_LAYERS", "some", "a whole number, at least 0, or -1"),
        ("SPEC_TYPE", "ngram-simple", "draft-simple"),
    ],
)
def test_what_cannot_be_translated_is_refused_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(UsageError, match=f"^error: LLAMA_ARG_{name} '{value}' .* allowed (is|are) {allowed}"):
        read(**{f"LLAMA_ARG_{name}": value})


def test_what_there_is_not_is_told_with_what_to_do() -> None:
    assert read(LLAMA_ARG_HF_REPO="a/b", LLAMA_ARG_LOG_PREFIX="0", LLAMA_ARG_NO_UI="1").warnings == [
        "the environment variable LLAMA_ARG_HF_REPO has no effect: nothing is downloaded: fetch the GGUF file, and "
        "give it with --model",
        "the environment variable LLAMA_ARG_LOG_PREFIX has no effect; `slotline help serve` lists the options",
    ]


def test_each_command_takes_what_is_about_its_options_and_says_nothing_of_the_others() -> None:
    environment = {"LLAMA_ARG_MODEL": "m.gguf", "LLAMA_ARG_PORT": "9000", "LLAMA_ARG_UI": "0"}
    for groups, settings in (
        (CORE_GROUPS, {"path": "m.gguf"}),
        (REST_GROUPS, {"port": 9000, "page": False}),
    ):
        parsed = over_llama_variables(Parsed(), groups, environment)
        assert (parsed.settings, parsed.warnings) == (settings, [])
    assert [name for name, command in COMMANDS.items() if command.reads_llama_variables] == ["serve", "core", "rest"]


def test_a_child_that_is_told_everything_reads_none() -> None:
    environment = {"LLAMA_ARG_N_PREDICT": "1", "LLAMA_API_KEY": "a", "LLAMA_CACHE": "/c"}
    assert without_variables(environment) == {"LLAMA_CACHE": "/c"}
