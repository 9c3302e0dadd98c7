from __future__ import annotations

import pytest

from slotline.cli.commands import COMMANDS, KNOWN_VARIABLES, Command
from slotline.cli.options.core_options import CORE_GROUPS
from slotline.cli.options.environment import parse_with_environment, variables, without_variables
from slotline.cli.options.serve_options import PASSED_TO_CORE, SERVE_GROUPS, SHARED
from slotline.cli.options.table import Flag, HelpRequested, Parsed, UsageError, parse
from tests.support.containers import ROOT


def _parse(arguments: list[str], **environment: str) -> Parsed:
    named = {f"SLOTLINE_{name}": value for name, value in environment.items()}
    return parse_with_environment(SERVE_GROUPS, arguments, named, KNOWN_VARIABLES)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_but_help_has_a_variable_of_its_own(command: str) -> None:
    groups = COMMANDS[command].groups
    options = [option for group in groups for option in group.options if "--help" not in option.names]
    assert list(variables(groups).values()) == options


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({}, []),
        ({"CTX_SIZE": "1024"}, ["-c", "1024"]),
        ({"N_GPU_LAYERS": "-1"}, ["-ngl", "-1"]),
        (
            {"EMBEDDING": "1", "METRICS": "TRUE", "MLOCK": "yes", "NO_MMAP": " On "},
            "--embedding --metrics --mlock --no-mmap",
        ),
        ({"EMBEDDING": "0", "METRICS": "false", "MLOCK": "no", "NO_MMAP": "off"}, []),
        ({"NUMA": "isolate"}, ["--numa", "isolate"]),
        ({"NUMA": ""}, ["--numa", ""]),
        ({"GRPC_LISTEN": "h:1"}, ["--grpc-listen", "h:1"]),
        ({"API_KEY": "two words"}, ["--api-key", "two words"]),
        ({"LORA_SCALED": "a b.gguf 0.5"}, ["--lora-scaled", "a b.gguf", "0.5"]),
    ],
)
def test_variables_mean_what_the_options_mean(environment: dict[str, str], arguments: list[str] | str) -> None:
    words = arguments.split() if isinstance(arguments, str) else arguments
    parsed = _parse([], **environment)
    assert parsed.settings == parse(SERVE_GROUPS, words).settings
    assert parsed.warnings == []
    # The child is told on its command line.
    child = parse(CORE_GROUPS, parsed.arguments_of(PASSED_TO_CORE)).settings
    assert child == parse(CORE_GROUPS, parse(SERVE_GROUPS, words).arguments_of((*PASSED_TO_CORE,))).settings


@pytest.mark.parametrize(
    ("environment", "arguments", "settings"),
    [
        ({"CTX_SIZE": "1024"}, ["--ctx_size", "64"], {"n_ctx": 64}),
        ({"CTX_SIZE": "many"}, ["-c", "64"], {"n_ctx": 64}),
        ({"LORA": "a"}, ["--lora-scaled", "b", "2"], None),
        ({"CACHE_TYPE_K": "q8_0"}, ["--memory-f32"], {"cache_type_k": "f32", "cache_type_v": "f32"}),
        ({"MEMORY_F32": "1"}, ["-ctk", "f16"], {"cache_type_k": "f16", "cache_type_v": "f32"}),
        ({"API_KEY": "a", "API_KEY_FILE": "/nothing"}, ["--api-key", "b"], {"api_keys": (("b",),)}),
    ],
)
def test_the_command_line_wins(
    environment: dict[str, str], arguments: list[str], settings: dict[str, object] | None
) -> None:
    parsed = _parse(arguments, **environment)
    assert parsed.settings == (settings or parse(SERVE_GROUPS, arguments).settings)
    assert parse(SERVE_GROUPS, parsed.arguments_of(SERVE_GROUPS)).settings == parsed.settings


@pytest.mark.parametrize(
    ("environment", "lines"),
    [
        (
            {"CTX_SIZE": "many"},
            ["error: SLOTLINE_CTX_SIZE 'many' is not a whole number; allowed is a whole number from 0 to 2147483392"],
        ),
        ({"HOST": ""}, ["error: SLOTLINE_HOST needs a value that is not empty"]),
        ({"API_KEY_FILE": "/nothing"}, ["error: failed to open file '/nothing'"]),
        ({"LORA_SCALED": "a.gguf"}, ["error: SLOTLINE_LORA_SCALED needs two values: FNAME S"]),
        (
            {"EMBEDDING": "maybe"},
            ["error: SLOTLINE_EMBEDDING 'maybe' is not known; allowed are 1, true, yes, on, 0, false, no, off"],
        ),
        (
            {"EMBEDDING": ""},
            ["error: SLOTLINE_EMBEDDING '' is not known; allowed are 1, true, yes, on, 0, false, no, off"],
        ),
    ],
)
def test_wrong_values_are_told_with_the_name_of_the_variable(environment: dict[str, str], lines: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        _parse([], **environment)
    (name,) = environment
    assert caught.value.lines == (*lines, f"error: invalid parameter for argument: SLOTLINE_{name}")


def test_an_obsolete_option_warns_by_its_variable() -> None:
    assert _parse([], LORA_BASE="x").warnings == [
        "SLOTLINE_LORA_BASE is obsolete and has no effect: adapters are applied beside the weights at run time"
    ]


def test_unknown_variables_are_told_with_the_nearest_known_name() -> None:
    assert _parse([], CTXSIZE="1", APIKEY="secret").warnings == [
        "the environment variable SLOTLINE_APIKEY is no option and has no effect; nearest is SLOTLINE_API_KEY",
        "the environment variable SLOTLINE_CTXSIZE is no option and has no effect; nearest is SLOTLINE_CTX_SIZE",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SLOTLINE_PROT", "SLOTLINE_PORT"),
        ("SLOTLINE_CTX_SZIE", "SLOTLINE_CTX_SIZE"),
        ("SLOTLINE_N_PARALLEL", "SLOTLINE_PARALLEL"),
        ("SLOTLINE_CTX-SIZE", "SLOTLINE_CTX_SIZE"),
        ("SLOTLINE_ctx_size", "SLOTLINE_CTX_SIZE"),
        ("slotline_port", "SLOTLINE_PORT"),
        ("SLOTINE_PORT", "SLOTLINE_PORT"),
        ("SLOT_LINE_PORT", None),
        ("SLOTTLINE_API_KEY", "SLOTLINE_API_KEY"),
    ],
)
def test_a_misspelt_variable_is_told_with_what_may_have_been_meant(name: str, meant: str | None) -> None:
    warnings = parse_with_environment(SERVE_GROUPS, [], {name: "1"}, KNOWN_VARIABLES).warnings
    told = f"the environment variable {name} is no option and has no effect; nearest is {meant}"
    assert warnings == ([] if meant is None else [told])


def test_a_variable_that_is_like_none_is_told_without_a_guess() -> None:
    assert _parse([], UNRELATED_THING="1").warnings == [
        "the environment variable SLOTLINE_UNRELATED_THING is no option and has no effect; "
        "`slotline help COMMAND` lists the options"
    ]


@pytest.mark.parametrize(
    "name", ["SLOTS_PORT", "TIMELINE_PORT", "PIPELINE_API_KEY", "SLOTLINE_MODELS", "SLOTINE_X", "_", ""]
)
def test_variables_of_other_programs_and_uses_are_left_alone(name: str) -> None:
    assert parse_with_environment(SERVE_GROUPS, [], {name: "1"}, KNOWN_VARIABLES).warnings == []


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_knows_the_variables_of_every_other(command: Command) -> None:
    environment = dict.fromkeys(KNOWN_VARIABLES - set(variables(command.groups)), "1")
    assert parse_with_environment(command.groups, [], environment, KNOWN_VARIABLES).warnings == []
    misspelt = {"SLOTLINE_API_KEYS": "x", **{f"SLOTLINE_{name}": value for name, value in LINKS.items()}}
    warnings = parse_with_environment(command.groups, [], misspelt, KNOWN_VARIABLES).warnings
    assert [warning for warning in warnings if "SLOTLINE_API_KEYS" in warning] == [
        "the environment variable SLOTLINE_API_KEYS is no option and has no effect; nearest is SLOTLINE_API_KEY"
    ]
    # A link in the place of an option of this command is told, too, and no other.
    assert len(warnings) == 1 + ("SLOTLINE_PORT" in variables(command.groups))


LINKS = {
    "PORT": "tcp://10.0.0.1:8080",
    "SERVICE_HOST": "10.0.0.1",
    "SERVICE_PORT": "8080",
    "SERVICE_PORT_GRPC": "50051",
    "PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "PORT_8080_TCP_PROTO": "tcp",
    "PORT_8080_TCP_PORT": "8080",
    "PORT_8080_TCP_ADDR": "10.0.0.1",
    "CORE_PORT": "udp://10.0.0.2:53",
    "CORE_SERVICE_HOST": "10.0.0.2",
}


def test_links_to_services_of_kubernetes_are_no_settings() -> None:
    parsed = _parse([], **LINKS)
    assert parsed.settings == {}
    assert parsed.warnings == [
        "the environment variable SLOTLINE_PORT is tcp://10.0.0.1:8080, a link that Kubernetes makes for a service of "
        "this name, and has no effect; use --port, or set enableServiceLinks to false"
    ]


def test_links_to_services_are_nothing_to_tell_if_the_option_was_given_or_does_not_exist() -> None:
    assert _parse(["--port", "80"], **LINKS).warnings == []
    named = {f"SLOTLINE_{name}": value for name, value in LINKS.items()}
    assert parse_with_environment(CORE_GROUPS, [], named, KNOWN_VARIABLES).warnings == []


@pytest.mark.parametrize("value", ["tcp:/10.0.0.1", "http://10.0.0.1:8080", "8080x", ""])
def test_a_port_that_is_neither_number_nor_link_is_wrong(value: str) -> None:
    with pytest.raises(UsageError, match=r"^error: SLOTLINE_PORT .* is not a whole number; allowed is"):
        _parse([], PORT=value)


def test_a_variable_that_only_looks_like_a_link_is_unknown() -> None:
    assert len(_parse([], GRPC_PORT="50051").warnings) == 1


def test_variables_of_other_commands_and_of_others_are_left_alone() -> None:
    environment = {"SLOTLINE_CORE": "h:1", "SLOTLINE_GRPC": "h:1", "PATH": "/bin", "CTX_SIZE": "x"}
    parsed = parse_with_environment(SERVE_GROUPS, [], environment, KNOWN_VARIABLES)
    assert (parsed.settings, parsed.warnings) == ({}, [])


def test_help_is_shown_whatever_the_variables_say() -> None:
    with pytest.raises(HelpRequested):
        _parse(["--help"], CTX_SIZE="many")


def test_a_child_that_is_told_everything_reads_no_variables() -> None:
    environment = {"SLOTLINE_CTX_SIZE": "1", "SLOTINE_PORT": "1", "slotline_port": "1", "HOME": "/h", "SLOTLINE": "x"}
    assert without_variables(environment) == {"HOME": "/h", "SLOTLINE": "x"}


def test_the_variables_of_compose_are_those_of_the_options_that_they_fill() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in ("SLOTLINE_MODEL", "SLOTLINE_CTX_SIZE", "SLOTLINE_PARALLEL"):
        option = variables(SHARED)[name]
        assert not isinstance(option, Flag)
        assert f"${{{name}:-" in text
        assert any(f"- {written}\n" in text for written in option.names)
