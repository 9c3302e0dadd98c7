"""Environment variables of llama.cpp's server of today, for the options that are there here, too.

Its names do not follow from those of options, so they stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slotline.cli.options.foreign import ADVICE
from slotline.cli.options.offers import Offer, is_on, put_behind
from slotline.cli.options.values import OFF, ON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from slotline.cli.options.table import Group, Parsed

PREFIX = "LLAMA_ARG_"
API_KEY = "LLAMA_API_KEY"
_WORDS = {**dict.fromkeys(ON, True), **dict.fromkeys(OFF, False)}
_ON = "on"

#: What follows the prefix, for options whose names are the same words.
_SAME = """
    THREADS CTX_SIZE N_PREDICT CTX_CHECKPOINTS CACHE_RAM FLASH_ATTN TOP_K TOP_P MIN_P REPEAT_PENALTY PRESENCE_PENALTY
    FREQUENCY_PENALTY POOLING ROPE_FREQ_BASE ROPE_FREQ_SCALE YARN_EXT_FACTOR YARN_ATTN_FACTOR YARN_BETA_SLOW
    YARN_BETA_FAST GRP_ATTN_N GRP_ATTN_W CACHE_TYPE_K CACHE_TYPE_V MMPROJ IMAGE_MIN_TOKENS IMAGE_MAX_TOKENS NUMA
    N_GPU_LAYERS SPLIT_MODE TENSOR_SPLIT MAIN_GPU ALIAS TAGS MODEL HOST PORT CORS_ORIGINS CORS_METHODS CORS_HEADERS
    RERANKING API_KEY_FILE TIMEOUT THREADS_HTTP CACHE_REUSE REASONING CHAT_TEMPLATE CHAT_TEMPLATE_FILE OFFLINE
    SWA_FULL SPEC_DRAFT_N_MAX SPEC_DRAFT_N_MIN SPEC_DRAFT_P_MIN N_GPU_LAYERS_DRAFT SPEC_DRAFT_MODEL DRAFT_MAX DRAFT_MIN
    SPEC_TYPE ROPE_SCALE YARN_ORIG_CTX LOAD_MODE LAZY_MODE DEFRAG_THOLD FIT LOG_COLORS
    CHAT_TEMPLATE_KWARGS REASONING_EFFORT
"""
#: The others.
_OTHERS = {
    "BATCH": "--batch-size",
    "UBATCH": "--ubatch-size",
    "CHECKPOINT_MIN_SPACING_NT": "--checkpoint-min-step",
    "TEMPERATURE": "--temp",
    "ROPE_SCALING_TYPE": "--rope-scaling",
    "N_PARALLEL": "--parallel",
    "STATIC_PATH": "--path",
    "EMBEDDINGS": "--embedding",
    "ENDPOINT_METRICS": "--metrics",
    "ENDPOINT_PROPS": "--props",
    "THINK": "--reasoning-format",
    "SSE_PING_INTERVAL": "--sse-ping",
    "THINK_BUDGET": "--reasoning-budget",
}
#: Switches: what is on or off, the option for on, and that for off, if there is one.
_SWITCHES = {
    "KV_UNIFIED": ("--kv-unified", "--no-kv-unified"),
    "CACHE_IDLE_SLOTS": ("--cache-idle-slots", "--no-cache-idle-slots"),
    "CONTEXT_SHIFT": ("--context-shift", "--no-context-shift"),
    "PERF": ("--perf", "--no-perf"),
    "REPACK": ("--repack", "--no-repack"),
    "CONT_BATCHING": ("--cont-batching", "--no-cont-batching"),
    "MMPROJ_AUTO": ("--mmproj-auto", "--no-mmproj-auto"),
    "MMPROJ_OFFLOAD": ("--mmproj-offload", "--no-mmproj-offload"),
    "KV_OFFLOAD": ("--kv-offload", "--no-kv-offload"),
    "NO_HOST": ("--no-host", ""),
    "LOG_JSONL": ("--log-jsonl", "--no-log-jsonl"),
    "REASONING_PRESERVE": ("--reasoning-preserve", ""),
    "CORS_CREDENTIALS": ("--cors-credentials", "--no-cors-credentials"),
    "UI": ("--ui", "--no-ui"),
    "CACHE_PROMPT": ("--cache-prompt", "--no-cache-prompt"),
    "ENDPOINT_SLOTS": ("--slots", "--no-slots"),
    "JINJA": ("--jinja", "--no-jinja"),
    "PREFILL_ASSISTANT": ("--prefill-assistant", ""),
    "REUSE_PORT": ("--reuse-port", ""),
}

#: Option of each variable that is no switch.
OPTIONS: Mapping[str, str] = {
    API_KEY: "--api-key",
    **{f"{PREFIX}{words}": f"--{words.lower().replace('_', '-')}" for words in _SAME.split()},
    **{f"{PREFIX}{words}": name for words, name in _OTHERS.items()},
}
#: Options for on and off of each that is one; "" where nothing has to be done.
SWITCHES: Mapping[str, tuple[str, str]] = {f"{PREFIX}{words}": names for words, names in _SWITCHES.items()}


def over_llama_variables(given: Parsed, groups: Sequence[Group], environment: Mapping[str, str]) -> Parsed:
    """What was given, and what these variables say of options of these groups that it leaves out.

    Raises:
        UsageError: a variable is wrong; the text names it.
    """
    return put_behind(given, _offers(groups, environment), _WORDS, _unknown(environment))


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """A warning for each that stands for no option of ours."""
    warnings = []
    for name in sorted(environment):
        words = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX) or name in OPTIONS or {name, _positive(name)} & SWITCHES.keys():
            continue
        option = f"--{words.lower().replace('_', '-')}"
        advice = f": {ADVICE[option]}" if option in ADVICE else "; `slotline help serve` lists the options"
        warnings.append(f"the environment variable {name} has no effect{advice}")
    return warnings


def _offers(groups: Sequence[Group], environment: Mapping[str, str]) -> Iterator[Offer]:
    """What these variables say of options of these groups."""
    by_name = {name: option for group in groups for option in group.options for name in option.names}
    for variable, name in OPTIONS.items():
        if name in by_name and variable in environment:
            for value in _values(variable, environment[variable]):
                yield Offer(variable, by_name[name], value)
    for variable, names in SWITCHES.items():
        given = next((name for name in (_negative(variable), variable) if name in environment), None)
        if given is None:
            continue
        # The negative one means off, whatever it says.
        name = names[0] if given == variable and is_on(variable, environment[variable], _WORDS) else names[1]
        if name in by_name:
            yield Offer(given, by_name[name], _ON)


def _values(variable: str, value: str) -> Sequence[str]:
    """What the option of a variable is given, once for each."""
    if variable == API_KEY:
        # Without any it stays one empty key, which is refused: nobody who sets the variable wants an open server.
        return [key for key in value.split(",") if key] or [""]
    return [value]


def _negative(variable: str) -> str:
    return variable.replace(PREFIX, f"{PREFIX}NO_", 1)


def _positive(variable: str) -> str:
    return variable.replace(f"{PREFIX}NO_", PREFIX, 1)
