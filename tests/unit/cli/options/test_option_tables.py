from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from rest_adapter.config import RestConfig
from service.config import (
    CoreConfig,
    KvOverride,
    Lookup,
    LoraAdapter,
    MediaOptions,
    ModelConfig,
    NumaStrategy,
    RopeScaling,
    SplitMode,
)
from slotline.cli.commands import COMMANDS
from slotline.cli.options.core_options import CORE_GROUPS, core_config
from slotline.cli.options.defaults import OF_CONFIGURATIONS, default_of, shown_default
from slotline.cli.options.groups.sampling import SETTING
from slotline.cli.options.rest_options import REST_GROUPS, rest_config
from slotline.cli.options.serve_options import PASSED_TO_CORE, SERVE_GROUPS
from slotline.cli.options.table import Flag, Option, UsageError, Value, parse
from slotline.cli.options.values import allowed_by

if TYPE_CHECKING:
    from pathlib import Path

MODEL = ("-m", "model.gguf")
TABLES = {name: command.groups for name, command in COMMANDS.items()}
OPTIONS = [(name, option) for name, groups in TABLES.items() for group in groups for option in group.options]
# Settings that are read by commands themselves.
OWN_SETTINGS = {
    "load_mode",
    "verbose",
    "log_format",
    "log_disable",
    "parent_pid",
    "ready_file",
    "grpc_listen",
    "grpc",
    "service",
    "http",
    "probe_timeout_s",
    "chat_url",
    "chat_key",
    "chat_message",
    "chat_images",
    "chat_system",
    "chat_settings",
    "chat_loaded",
    "chat_schema",
    "chat_tools",
    "chat_no_color",
}


# Settings whose values are words.
WORDS = {
    "log_format",
    "flash_attention",
    "cache_type_k",
    "numa",
    "rope_scaling",
    "split_mode",
    "openai_truncates",
    "reasoning_format",
}


def _defaults(kind: type) -> dict[str, Any]:
    return {
        field.name: field.default
        for field in dataclasses.fields(kind)
        if field.init and field.default is not dataclasses.MISSING
    }


SHOWN_DEFAULTS = [
    (option, default_of(option))
    for _, option in OPTIONS
    if isinstance(option, Value) and default_of(option) not in (None, ()) and not option.repeat
]


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ([], {}),
        (["--model", "other.gguf"], {"path": "other.gguf"}),
        (["-t", "3"], {"n_threads": 3}),
        (["--threads", "3"], {"n_threads": 3}),
        (["-tb", "3"], {"n_threads_batch": 3}),
        (["--threads-batch", "-1"], {"n_threads_batch": None}),
        (["-c", "1024"], {"n_ctx": 1024}),
        (["--ctx-size", "1024"], {"n_ctx": 1024}),
        (["--ctx_size", "0"], {"n_ctx": 0}),
        (["-b", "1024"], {"n_batch": 1024}),
        (["--batch-size", "32"], {"n_batch": 32}),
        (["-np", "4"], {"n_parallel": 4}),
        (["--parallel", "64"], {"n_parallel": 64}),
        (["--rope-scaling", "yarn"], {"rope_scaling": RopeScaling.YARN}),
        (["--rope-freq-base", "10000"], {"rope_freq_base": 10000.0}),
        (["--rope-freq-scale", "0.5"], {"rope_freq_scale": 0.5}),
        (["--yarn-ext-factor", "1"], {"yarn_ext_factor": 1.0}),
        (["--yarn-attn-factor", "2"], {"yarn_attn_factor": 2.0}),
        (["--yarn-beta-slow", "2"], {"yarn_beta_slow": 2.0}),
        (["--yarn-beta-fast", "16"], {"yarn_beta_fast": 16.0}),
        (["-ctk", "q8_0"], {"cache_type_k": "q8_0"}),
        (["--cache-type-k", "q5_1", "-ctv", "q4_1"], {"cache_type_k": "q5_1", "cache_type_v": "q4_1"}),
        (["--cache-type-v", "q4_0"], {"cache_type_v": "q4_0"}),
        (["--memory-f32"], {"cache_type_k": "f32", "cache_type_v": "f32"}),
        (["--memory-f32", "-ctv", "f16"], {"cache_type_k": "f32", "cache_type_v": "f16"}),
        (["--mlock"], {"mlock": True}),
        (["--no-mmap"], {"mmap": False}),
        (["--numa"], {"numa": NumaStrategy.DISTRIBUTE}),
        (["--numa", ""], {"numa": NumaStrategy.DISTRIBUTE}),
        (["--numa", "isolate"], {"numa": NumaStrategy.ISOLATE}),
        (["--numa", "--mlock"], {"numa": NumaStrategy.DISTRIBUTE, "mlock": True}),
        (["-ngl", "99"], {"n_gpu_layers": 99}),
        (["--gpu-layers", "-1"], {"n_gpu_layers": -1}),
        (["-sm", "row"], {"split_mode": SplitMode.ROW}),
        (["--split-mode", "none"], {"split_mode": SplitMode.NONE}),
        (["-ts", "3,2"], {"tensor_split": (3.0, 2.0)}),
        (["--tensor-split", "1/0/1"], {"tensor_split": (1.0, 0.0, 1.0)}),
        (["-mg", "1"], {"main_gpu": 1}),
        (["--main-gpu", "0"], {"main_gpu": 0}),
        (["-nommq"], {}),
        (["--no-mul-mat-q"], {}),
        (["--embedding"], {"embedding": True}),
        (["-cb"], {}),
        (
            ["--override-kv", "a=int:1", "--override-kv", "b=bool:true"],
            {"kv_overrides": (KvOverride("a", 1), KvOverride("b", True))},
        ),
        (["--lora", "a.gguf"], {"lora": (LoraAdapter("a.gguf", 1.0),), "mmap": False}),
        (
            ["--lora", "a.gguf", "--lora-scaled", "b.gguf", "-0.5", "--lora", "a.gguf"],
            {"lora": (LoraAdapter("a.gguf"), LoraAdapter("b.gguf", -0.5), LoraAdapter("a.gguf")), "mmap": False},
        ),
        (["--lora-init-without-apply"], {"lora_init_without_apply": True}),
        (["--lora-base", "base.gguf"], {}),
        (["--lookup"], {"lookup": Lookup.ON}),
        (["--lookup", "--mlock"], {"lookup": Lookup.ON, "mlock": True}),
        (["--lookup", "auto"], {"lookup": Lookup.AUTO}),
        (["--lookup", "off"], {"lookup": Lookup.OFF}),
        (["-fa", "off"], {"flash_attention": False}),
        (["--flash-attn", "on"], {"flash_attention": True}),
        (["-fa", "on", "-fa", "auto"], {"flash_attention": None}),
    ],
)
@pytest.mark.parametrize("command", ["serve", "core"])
def test_options_of_the_model(command: str, arguments: list[str], changed: dict[str, object]) -> None:
    settings = parse(TABLES[command], [*MODEL, *arguments]).settings
    expected: dict[str, Any] = {"path": "model.gguf", **changed}
    assert core_config(settings).model == ModelConfig(**expected)


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ([], {}),
        (["-a", "tiny"], {"alias": "tiny"}),
        (["-n", "32"], {"max_tokens": 32}),
        (["--n-predict", "-1"], {"max_tokens": None}),
        (["--max-queue", "5"], {"max_queue": 5}),
        (["-kvu"], {"kv_unified": True}),
        (["--prefill-budget-ms", "50"], {"prefill_budget_ms": 50.0}),
        (["--no-cache-prompt"], {"cache_prompt": False}),
        (["--cache-ram", "64"], {"cache_ram_mib": 64}),
        (["-cram", "-1"], {"cache_ram_mib": -1}),
        (["--chat-template", "{{ 1 }}"], {"chat_template": "{{ 1 }}"}),
        (["--drain-timeout", "0"], {"drain_timeout_s": 0.0}),
        (["--allow-system-prompt"], {"allow_system_prompt": True}),
        (["--hang-timeout", "2.5"], {"hang_timeout_s": 2.5}),
        (["--hang-timeout", "0"], {"hang_timeout_s": None}),
        (["--hang-timeout", "off"], {"hang_timeout_s": None}),
        (["-gan", "4"], {"group_n": 4}),
        (["--grp-attn-n", "8", "--grp-attn-w", "2048"], {"group_n": 8, "group_width": 2048}),
        (["-gaw", "100"], {"group_width": 100}),
    ],
)
@pytest.mark.parametrize("command", ["serve", "core"])
def test_options_of_the_core(command: str, arguments: list[str], changed: dict[str, Any]) -> None:
    settings = parse(TABLES[command], [*MODEL, *arguments]).settings
    assert core_config(settings) == CoreConfig(model=ModelConfig(path="model.gguf"), **changed)


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (["-v"], {"verbose": True}),
        (["--verbose"], {"verbose": True}),
        (["--log-format", "text"], {"log_format": "text"}),
        (["--log-format", "text", "--log-format", "json"], {"log_format": "json"}),
        (["--log-disable"], {"log_disable": True}),
    ],
)
@pytest.mark.parametrize("command", ["serve", "core", "rest"])
def test_options_of_the_log(command: str, arguments: list[str], settings: dict[str, Any]) -> None:
    assert parse(TABLES[command], arguments).settings == settings


@pytest.mark.parametrize("name", ["--probe-timeout", "--timeout"])
def test_options_of_the_health_check(name: str) -> None:
    arguments = ["--grpc", "h:1", "--service", "slotline.v1.ModelService", "--http", "http://h/health", name, "2.5"]
    assert parse(TABLES["healthcheck"], arguments).settings == {
        "grpc": "h:1",
        "service": "slotline.v1.ModelService",
        "http": "http://h/health",
        "probe_timeout_s": 2.5,
    }


def test_options_of_the_chat(tmp_path: Path) -> None:
    (tmp_path / "system").write_text("Be brief.\n")
    (tmp_path / "keys").write_text("first\nsecond\n")
    arguments = ["--url", "https://h/llm", "--api-key", "other", "--api-key-file", str(tmp_path / "keys")]
    arguments += ["--system", "other", "--system-file", str(tmp_path / "system"), "--no-color"]
    arguments += ["--set", "top_k=5", "What", "is", "--set", "seed=1", "this", "-"]
    assert parse(TABLES["chat"], arguments).settings == {
        "chat_url": "https://h/llm",
        "chat_key": ("first", "second"),
        "chat_system": "Be brief.",
        "chat_no_color": True,
        "chat_settings": (("top_k", 5), ("seed", 1)),
        "chat_message": ("What", "is", "this", "-"),
    }
    assert parse(TABLES["chat"], ["--message", "-1 + 2"]).settings == {"chat_message": ("-1 + 2",)}


def test_a_conversation_is_loaded_with_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text('{"format": "slotline-conversations", "version": 1, "conversations": [{"messages": []}]}')
    loaded_from, conversation = parse(TABLES["chat"], ["--load", str(path)]).settings["chat_loaded"]
    assert (loaded_from, conversation.messages) == (str(path), [])


def test_addresses_of_the_core() -> None:
    arguments = ["--listen", "h:1", "--optional-listen", "h:2", "--listen", "unix:/s", *MODEL]
    config = core_config(parse(CORE_GROUPS, arguments).settings)
    assert (config.listen, config.optional_listen) == (("h:1", "unix:/s"), ("h:2",))


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ([], {}),
        (["--host", "0.0.0.0", "--port", "0"], {"host": "0.0.0.0", "port": 0}),
        (["--cors-origins", "HTTPS://A.example:443, null"], {"cors_origins": ("https://a.example", "null")}),
        (["--cors-origins", "*"], {"cors_origins": ("*",)}),
        (["--allowed-hosts", "A.lan,box."], {"allowed_hosts": ("a.lan", "box")}),
        (
            ["--image-url-allow", "E.org", "--image-url-allow", "http://10.0.0.1:9000"],
            {"image_url_allow": ("https://e.org", "http://10.0.0.1:9000")},
        ),
        (["--path", "./public"], {"static_path": "./public"}),
        (["-to", "5"], {"timeout_s": 5}),
        (["--timeout", "5"], {"timeout_s": 5}),
        (["--header-timeout", "2.5"], {"header_timeout_s": 2.5}),
        (["--request-timeout", "2.5"], {"request_timeout_s": 2.5}),
        (["--max-body-mib", "64"], {"max_body_bytes": 64 << 20}),
        (["--sse-ping", "2.5"], {"sse_ping_s": 2.5}),
        (["--sse-ping", "0"], {"sse_ping_s": 0.0}),
        (["--no-sse-done"], {"sse_done": False}),
        (["--metrics"], {"metrics": True}),
        (["--slots-endpoint-disable"], {"slots_endpoint": False}),
        (["--allow-system-prompt"], {"allow_system_prompt": True}),
        (["--drain-timeout", "1"], {"drain_timeout_s": 1.0}),
    ],
)
@pytest.mark.parametrize("command", ["serve", "rest"])
def test_options_of_the_adapter(command: str, arguments: list[str], changed: dict[str, Any]) -> None:
    assert rest_config(parse(TABLES[command], arguments).settings) == RestConfig(**changed)


@pytest.mark.parametrize("command", ["serve", "core", "rest"])
def test_api_keys_are_collected_from_options_and_files(command: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("from-file\n\nfirst\n")
    arguments = ["--api-key", "first", "--api-key-file", str(tmp_path / "keys"), "--api-key", "last"]
    settings = parse(TABLES[command], arguments).settings
    config = rest_config(settings) if command == "rest" else core_config({**settings, "path": "m"})
    assert config.api_keys == ("first", "from-file", "last")
    # What a log would show of a configuration.
    assert "from-file" not in repr(config)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ([], None),
        (["--api-key", "own", "--api-key", "other"], "own"),
        (["--core-api-key", "its"], "its"),
        (["--api-key", "own", "--core-api-key", "its"], "its"),
    ],
)
def test_the_adapter_has_a_key_for_the_core(arguments: list[str], key: str | None) -> None:
    assert rest_config(parse(REST_GROUPS, arguments).settings).core_api_key == key


def test_the_adapters_key_for_the_core_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("one\ntwo\n")
    arguments = ["--api-key", "own", "--core-api-key-file", str(tmp_path / "keys")]
    assert rest_config(parse(REST_GROUPS, arguments).settings).core_api_key == "one"


def test_a_key_for_the_adapter_alone_needs_keys_for_clients(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("its\n")
    arguments = ["-m", "x.gguf", "--adapter-key-file", str(tmp_path / "key")]
    with pytest.raises(UsageError, match="of no use without --api-key"):
        core_config(parse(CORE_GROUPS, arguments).settings)
    config = core_config(parse(CORE_GROUPS, [*arguments, "--api-key", "k"]).settings)
    assert (config.api_keys, config.adapter_key, config.all_keys) == (("k",), "its", ("k", "its"))


def test_the_adapter_alone_is_told_where_the_core_is() -> None:
    assert rest_config(parse(REST_GROUPS, ["--core", "core:50051"]).settings).core == "core:50051"


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["-c", "32", "-np", "8"], "allowed is at least 64"),
        (["-c", "7"], "allowed is at least 8"),
        (["-np", "65"], "allowed is at least 520"),
    ],
)
def test_a_context_that_leaves_too_little_for_a_slot_is_refused(arguments: list[str], allowed: str) -> None:
    settings = parse(SERVE_GROUPS, [*MODEL, *arguments]).settings
    with pytest.raises(UsageError) as caught:
        core_config(settings)
    assert allowed in caught.value.lines[0]
    assert caught.value.lines[1] == "error: invalid parameter for argument: --ctx-size"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-gan", "3"], "--grp-attn-w 512 is not a multiple of --grp-attn-n 3; allowed are 3, 6, 9 and so on"),
        (["-gaw", "64", "-gan", "128"], "--grp-attn-w 64 is not a multiple of --grp-attn-n 128; allowed are 128, 256,"),
    ],
)
def test_a_width_that_does_not_hold_whole_groups_is_refused(arguments: list[str], problem: str) -> None:
    settings = parse(SERVE_GROUPS, [*MODEL, *arguments]).settings
    with pytest.raises(UsageError) as caught:
        core_config(settings)
    assert caught.value.lines[0].startswith(f"error: {problem}")
    assert caught.value.lines[1] == "error: invalid parameter for argument: --grp-attn-w"


@pytest.mark.parametrize("arguments", [["-gan", "0"], ["-gan", "-1"], ["-gaw", "0"], ["-gan", "1.5"]])
def test_groups_are_positive_whole_numbers(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=rf"^error: {arguments[0]} .* allowed is a whole number, at least 1\n"):
        parse(SERVE_GROUPS, [*MODEL, *arguments])


@pytest.mark.parametrize("argument", ["--beam", "-xy"])
def test_options_that_this_version_lacks_are_unknown(argument: str) -> None:
    with pytest.raises(UsageError, match=f"^error: unknown argument: {argument}$"):
        parse(SERVE_GROUPS, [argument, "x"])


@pytest.mark.parametrize("command", ["serve", "core"])
def test_options_for_pictures_reach_the_configuration(command: str) -> None:
    arguments = (
        "--mmproj clip.gguf --no-mmproj-offload --image-min-tokens 4 --image-max-tokens 64 --media-threads 2 "
        "--media-nice 0 --media-cache-ram 8 --max-images 3 --max-image-mib 1 --max-request-image-mib 2 "
        "--max-image-pixels 1000 --image-cpu-limit 1.5 --max-waiting-images 4"
    )
    settings = parse(TABLES[command], [*MODEL, *arguments.split()]).settings
    assert core_config(settings).media == MediaOptions(
        mmproj="clip.gguf",
        mmproj_offload=False,
        image_min_tokens=4,
        image_max_tokens=64,
        media_threads=2,
        media_nice=0,
        media_cache_mib=8,
        max_images=3,
        max_image_bytes=1 << 20,
        max_request_image_bytes=2 << 20,
        max_image_pixels=1000,
        image_cpu_s=1.5,
        max_waiting_images=4,
    )
    assert core_config(parse(TABLES[command], MODEL).settings).media == MediaOptions()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-gan", "2"], "--grp-attn-n 2 is not possible with --mmproj: positions of pictures cannot be grouped"),
        (
            ["--image-min-tokens", "9", "--image-max-tokens", "8"],
            "--image-min-tokens 9 is more than the 8 of --image-max-tokens",
        ),
    ],
)
def test_what_does_not_go_together_with_pictures_is_refused(arguments: list[str], problem: str) -> None:
    settings = parse(SERVE_GROUPS, [*MODEL, "--mmproj", "clip.gguf", *arguments]).settings
    with pytest.raises(UsageError) as caught:
        core_config(settings)
    assert caught.value.lines[0] == f"error: {problem}"


@pytest.mark.parametrize("command", TABLES)
def test_a_name_belongs_to_one_option(command: str) -> None:
    names = [name for group in TABLES[command] for option in group.options for name in option.names]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=lambda item: getattr(item, "names", [item])[-1])
def test_every_setting_is_read_by_somebody(command: str, option: Option) -> None:
    known = {*OF_CONFIGURATIONS, "path", *OWN_SETTINGS}
    settings = set(option.sets) if isinstance(option, Flag) else {option.setting}
    # No setting: the option is only accepted. Those of sampling are collected in one field.
    assert {name for name in settings if not name.startswith(SETTING)} <= {*known, ""}


@pytest.mark.parametrize(("option", "default"), SHOWN_DEFAULTS, ids=lambda item: getattr(item, "names", [""])[-1])
def test_a_default_that_the_help_shows_is_the_one_in_force(option: Value, default: object) -> None:
    shown = shown_default(option).split(",")[0]
    if option.setting == "numa":
        # Off cannot be asked for; it is what there is without the option.
        assert (shown, default) == ("off", NumaStrategy.DISABLED)
        return
    assert option.convert(option.names[0], shown) == default


@pytest.mark.parametrize("kinds", [(ModelConfig, RestConfig), (CoreConfig, RestConfig), (ModelConfig, CoreConfig)])
def test_configurations_agree_on_the_defaults_of_fields_that_they_share(kinds: tuple[type, type]) -> None:
    one, other = (_defaults(kind) for kind in kinds)
    assert {name: one[name] for name in one if name in other} == {name: other[name] for name in other if name in one}


def test_an_option_states_no_default_that_a_configuration_states() -> None:
    own = {option.setting: option.default for _, option in OPTIONS if isinstance(option, Value) and option.default}
    assert {"listen", "grpc_listen", "log_format"} <= own.keys()
    assert {setting for setting in own if OF_CONFIGURATIONS.get(setting) not in (None, ())} == set()


def test_what_can_be_chosen_is_in_the_help_of_an_option() -> None:
    chosen = [
        (option, word)
        for _, option in OPTIONS
        if isinstance(option, Value) and option.setting in WORDS
        for word in allowed_by(option.convert).replace(" or ", ", ").split(", ")
    ]
    assert len(chosen) > 20
    assert [(option.names[-1], word) for option, word in chosen if word not in option.help] == []


def test_the_child_gets_what_describes_the_core_and_nothing_else() -> None:
    arguments = [
        "--port",
        "1",
        "--metrics",
        "--embedding",
        "-c",
        "64",
        "--grpc-listen",
        "h:1",
        "-v",
        "--path",
        "p",
        "--numa",
        "-np",
        "2",
    ]
    adapters = ["--lora-scaled", "a b.gguf", "0.50", "--lora", "c.gguf"]
    passed = parse(SERVE_GROUPS, [*arguments, *adapters]).arguments_of(PASSED_TO_CORE)
    assert passed == ["--embedding", "-c", "64", "-v", "--numa", "-np", "2", *adapters]
    # The core understands all of it.
    assert parse(CORE_GROUPS, passed).settings["n_ctx"] == 64


def test_a_base_of_adapters_is_accepted_with_a_warning() -> None:
    parsed = parse(SERVE_GROUPS, ["--lora-base", "base.gguf"])
    assert parsed.settings == {}
    assert parsed.warnings == [
        "--lora-base is obsolete and has no effect: adapters are applied beside the weights at run time"
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--lora"], "--lora needs a value: --lora FNAME"),
        (["--lora", ""], "--lora needs a value that is not empty"),
        (["--lora-base"], "--lora-base needs a value: --lora-base FNAME"),
        (["--lora-scaled", "a.gguf"], "--lora-scaled needs two values: --lora-scaled FNAME S"),
        (["--lora-scaled", "", "1"], "--lora-scaled needs a value that is not empty"),
        (["--lora-scaled", "a.gguf", "half"], "--lora-scaled 'half' is not a finite number; allowed is a number"),
        (["--lora-scaled", "a.gguf", "nan"], "--lora-scaled 'nan' is not a finite number; allowed is a number"),
    ],
)
def test_adapters_that_are_not_said_right_are_refused(arguments: list[str], problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(SERVE_GROUPS, arguments)
    assert caught.value.lines == (f"error: {problem}", f"error: invalid parameter for argument: {arguments[0]}")
