"""Options of llama.cpp's server of today: what is obeyed, what is only accepted, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.config import CoreConfig, SamplingDefaults
from slotline.cli.options.core_options import core_config
from slotline.cli.options.foreign import ADVICE
from slotline.cli.options.groups.llama_server import LLAMA_SERVER
from slotline.cli.options.rest_options import rest_config
from slotline.cli.options.serve_options import PASSED_TO_CORE, SERVE_GROUPS
from slotline.cli.options.table import VERSION, Flag, Option, UsageError, long_name, parse

if TYPE_CHECKING:
    from rest_adapter.config import RestConfig

MODEL = ("-m", "model.gguf")

VARIABLES = {"a": [1], "enable_thinking": True}


def core(*arguments: str) -> CoreConfig:
    return core_config(parse(SERVE_GROUPS, [*MODEL, *arguments]).settings)


def rest(*arguments: str) -> RestConfig:
    return rest_config(parse(SERVE_GROUPS, arguments).settings)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("--temp", "0.5"), {"temperature": 0.5}),
        (("--temperature", "0.5", "--temp", "0.25"), {"temperature": 0.25}),
        (("--top-k", "7", "--top-p", "0.5", "--min-p", "0.1"), {"top_k": 7, "top_p": 0.5, "min_p": 0.1}),
        (("--top-nsigma", "1", "--typical", "0.5"), {"top_n_sigma": 1.0, "typical_p": 0.5}),
        (
            ("--dynatemp-exp", "2", "--mirostat", "2", "--mirostat-lr", "0.2", "--mirostat-ent", "4"),
            {
                "dynatemp_exponent": 2.0,
                "mirostat": 2,
                "mirostat_eta": 0.2,
                "mirostat_tau": 4.0,
            },
        ),
        (("--repeat-last-n", "-1", "--repeat-penalty", "1.0"), {"repeat_last_n": -1, "repeat_penalty": 1.0}),
        (("--dry-multiplier", "0.8", "--xtc-probability", "0.5"), {"dry_multiplier": 0.8, "xtc_probability": 0.5}),
        (("--ignore-eos",), {"ignore_eos": True}),
    ],
)
def test_options_of_sampling_are_the_defaults_of_requests(arguments: tuple[str, ...], options: dict[str, Any]) -> None:
    assert core(*arguments).sampling == SamplingDefaults(options=options)


@pytest.mark.parametrize(
    ("arguments", "defaults"),
    [
        (("-s", "42"), {"seed": 42}),
        (("--seed", "-1"), {"seed": None}),
        (("--seed", str(2**32 + 5)), {"seed": 5}),
        (("--samplers", "top_k;typ_p;temperature"), {"samplers": ("top_k", "typical_p", "temperature")}),
        (("--sampler-seq", "kt"), {"samplers": ("top_k", "temperature")}),
        (("--dry-sequence-breaker", "a", "--dry-sequence-breaker", "b"), {"dry_sequence_breakers": ("a", "b")}),
        (("--dry-sequence-breaker", "none"), {"dry_sequence_breakers": ()}),
    ],
)
def test_seed_chain_and_breakers_are_defaults_too(arguments: tuple[str, ...], defaults: dict[str, Any]) -> None:
    assert core(*arguments).sampling == SamplingDefaults(**defaults)


def test_the_core_of_serve_gets_the_options_of_sampling() -> None:
    parsed = parse(SERVE_GROUPS, ["--temp", "0.5", "--port", "1", "--offline"])
    assert parsed.arguments_of(PASSED_TO_CORE) == ["--temp", "0.5", "--offline"]


@pytest.mark.parametrize(
    ("arguments", "name", "aliases"),
    [(("-a", "tiny"), "tiny", ()), (("--alias", "b, a,c,a"), "a", ("b", "c")), ((), "model", ())],
)
def test_a_model_may_have_several_names(arguments: tuple[str, ...], name: str, aliases: tuple[str, ...]) -> None:
    config = core(*arguments)
    assert (config.model_name, config.aliases) == (name, aliases)


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (("--no-slots",), {"slots_endpoint": False}),
        (("--no-slots", "--slots"), {"slots_endpoint": True}),
        (("--no-ui",), {"page": False}),
        (("--props",), {"props_endpoint": True}),
        (("--context-shift",), {"native_truncates": True, "openai_truncates": True}),
        (("--reasoning", "on"), {"reasoning": True}),
        (("-rea", "off"), {"reasoning": False}),
        (("--reasoning", "off", "--reasoning", "auto"), {"reasoning": None}),
        (("--cors-methods", "get, POST"), {"cors_methods": ("GET", "POST")}),
        (("--cors-headers", "*,Authorization"), {"cors_headers": ("*", "Authorization")}),
        ((), {"cors_credentials": None}),
        (("--cors-credentials",), {"cors_credentials": True}),
        (("--cors-credentials", "--no-cors-credentials"), {"cors_credentials": False}),
        (("--sse-ping-interval", "30"), {"sse_ping_s": 30.0}),
        (("--sse-ping-interval", "-1"), {"sse_ping_s": 0.0}),
        (("--sse-ping", "-1"), {"sse_ping_s": 0.0}),
        (("--reasoning-effort", "low"), {"reasoning_effort": "low"}),
        (("--reasoning-effort", "low", "--reasoning-effort", "default"), {"reasoning_effort": None}),
        (("--reasoning-effort", "none", "--reasoning", "off"), {"reasoning_effort": "none", "reasoning": False}),
        ((), {"template_variables": None}),
        (("--chat-template-kwargs", '{"a": [1], "enable_thinking": true}'), {"template_variables": VARIABLES}),
        ((), {"embd_normalize": None}),
        (("--embd-normalize", "-1"), {"embd_normalize": -1}),
        ((), {"reuse_port": False}),
        (("--reuse-port",), {"reuse_port": True}),
        (("--no-context-shift",), {"native_truncates": False, "openai_truncates": False}),
    ],
)
def test_switches_of_the_adapter(arguments: tuple[str, ...], changed: dict[str, object]) -> None:
    config = rest(*arguments)
    assert {name: getattr(config, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{a: 1}", " '{a: 1}' is not JSON; allowed is a JSON object"),
        ('{"a": NaN}', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("", " '' is not JSON"),
        ("[1]", " '[1]' is not an object; allowed is a JSON object"),
        ("null", "is not an object"),
        ('{"messages": []}', "sets 'messages', which the server sets itself"),
        ('{"enable_thinking": "false"}', "sets 'enable_thinking' to \"false\"; allowed are true and false"),
        ('{"enable_thinking": null}', "sets 'enable_thinking' to null; allowed are true and false"),
    ],
)
def test_variables_that_no_template_can_get_end_the_start(value: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        rest("--chat-template-kwargs", value)
    assert caught.value.lines[0].startswith("error: --chat-template-kwargs ")
    assert problem in caught.value.lines[0]


def test_thinking_is_not_turned_on_and_off_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        rest("--reasoning", "on", "--reasoning-effort", "none")
    assert "--reasoning-effort none turns thinking off, and --reasoning on turns it on" in str(caught.value)


def test_a_chat_template_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "template.jinja"
    path.write_text("{{ messages }}")
    assert core("--chat-template-file", str(path)).chat_template == "{{ messages }}"


@pytest.mark.parametrize("option", LLAMA_SERVER.options, ids=long_name)
def test_what_is_only_accepted_changes_nothing(option: Option) -> None:
    values = {
        "--cache-reuse": "0",
        "--spec-type": "draft-simple",
        "--log-colors": "auto",
        "--fit": "off",
        "--lazy-mode": "auto",
    }
    for name in option.names:
        value = [] if isinstance(option, Flag) else [values.get(long_name(option), "-1")]
        if long_name(option) in ("--ubatch-size", "--ctx-checkpoints", "--checkpoint-min-step"):
            value = ["8"]
        settings = parse(SERVE_GROUPS, [name, *value]).settings
        assert settings == {}


NAMES = Path(__file__).with_name("llama_server_names.txt").read_text().split()


@pytest.mark.parametrize("name", NAMES)
def test_every_option_of_llama_servers_gets_an_answer(name: str) -> None:
    """None is an unknown argument: it is obeyed, accepted, or refused with what to do instead."""
    known = {name for group in SERVE_GROUPS for option in group.options for name in option.names}
    assert name == VERSION or (name in known) is not (name in ADVICE)


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (("--rope-scale", "4"), {"rope_freq_scale": 0.25}),
        (("--yarn-orig-ctx", "4096"), {"yarn_orig_ctx": 4096}),
        (("--check-tensors", "--no-host"), {"check_tensors": True, "host_buffers": False}),
        (("-nkvo", "--no-op-offload"), {"kv_offload": False, "op_offload": False}),
        (("-nkvo", "-kvo", "--no-op-offload", "--op-offload"), {"kv_offload": True, "op_offload": True}),
        (("--load-mode", "none"), {"mmap": False, "mlock": False}),
        (("-lm", "mmap+mlock"), {"mmap": True, "mlock": True}),
        (("--no-mmap", "--mlock", "-lm", "auto"), {"mmap": True, "mlock": False}),
        (("-lm", "mmap", "--lora", "a.gguf"), {"mmap": False}),
        (("-ctk", "bf16", "-ctv", "iq4_nl"), {"cache_type_k": "bf16", "cache_type_v": "iq4_nl"}),
        (("-t", "-1", "-np", "-1"), {"n_threads": None, "n_parallel": 1}),
        (("-t", "0"), {"n_threads": None}),
        (("--rope-scale", "0"), {"rope_freq_scale": 0.0}),
        (("-ngl", "all", "-ngld", "auto", "-md", "d.gguf"), {"n_gpu_layers": 999, "n_gpu_layers_draft": -1}),
        (("-fa", "1"), {"flash_attention": True}),
        (("-fa", "disabled"), {"flash_attention": False}),
        (("-fa", "-1"), {"flash_attention": None}),
    ],
)
def test_options_of_the_model(arguments: tuple[str, ...], changed: dict[str, object]) -> None:
    config = core(*arguments).model
    assert {name: getattr(config, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--rope-scale", "-1"), "--rope-scale -1 is out of range; allowed is a number of at least 0"),
        (("--load-mode", "dio"), "--load-mode 'dio' is not known; allowed are auto, none, mmap, mlock and mmap+mlock"),
        (("--fit", "on"), "--fit 'on' is not supported: options are not fitted to the memory of GPUs; allowed is off"),
        (("--log-colors", "on"), "--log-colors 'on' is not known; allowed are auto and off"),
        (("-t", "-2"), "-t -2 is out of range; allowed is a whole number from 1 to 512, or -1 (the physical cores)"),
    ],
)
def test_what_they_do_not_take_is_told_with_what_they_do(arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        core(*arguments)
    assert caught.value.lines[0] == f"error: {problem}"


@pytest.mark.parametrize("name", sorted(ADVICE))
def test_what_is_not_supported_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(SERVE_GROUPS, [name, "x"])
    assert caught.value.lines == (f"error: {name} is not supported: {ADVICE[name]}",)
