"""Formats by name, one for each family of models whose way to write calls is known: what ``--tool-format`` takes.

They are what the analysis of a template finds where that is possible, and the only source where it is not, because the
template does not write calls of earlier turns.
"""

# ruff: noqa: RUF001 (names of tokens are spelt as their models spell them)

from __future__ import annotations

from service.dialogue.chat_format import (
    HERMES,
    CallFormat,
    CallIds,
    CallStyle,
    ChatFormat,
    ContentMarkers,
    HistoryFormat,
    ReasoningMarkers,
)

_THINK = ReasoningMarkers("<think>", "</think>")


def _json_list(section_open: str, section_close: str, id_key: str = "") -> CallFormat:
    """Calls as members of a JSON array."""
    return CallFormat(
        CallStyle.JSON,
        section_open=section_open,
        section_close=section_close,
        call_separator=", ",
        id_key=id_key,
    )


def _functions(call_open: str, call_close: str, value: str, call_separator: str = "\n") -> CallFormat:
    """Calls as ``<function=NAME>`` with a ``<parameter=NAME>`` for each argument.

    Args:
        call_open: before ``<function=``.
        call_close: behind ``</function>``.
        value: what stands on both sides of a value.
        call_separator: between two calls.
    """
    return CallFormat(
        CallStyle.TAGGED,
        call_open=f"{call_open}<function=",
        call_close=f"</function>{call_close}",
        call_separator=call_separator,
        name_close=">\n",
        argument_open="<parameter=",
        argument_name_close=f">{value}",
        argument_close=f"{value}</parameter>\n",
    )


def _invocations(mark: str, section: str, *, has_types: bool) -> CallFormat:
    """Calls as ``<invoke name="NAME">`` with a ``<parameter name="NAME">`` for each argument.

    Args:
        mark: in front of all names of elements.
        section: name of the element around all calls.
        has_types: parameters say whether their value is a string.
    """
    return CallFormat(
        CallStyle.TAGGED,
        section_open=f"<{section}>\n",
        section_close=f"\n</{section}>",
        call_open=f'<{mark}invoke name="',
        call_close=f"</{mark}invoke>",
        call_separator="\n",
        name_close='">\n',
        argument_open=f'<{mark}parameter name="',
        argument_close=f"</{mark}parameter>\n",
        argument_name_close='" string="' if has_types else '">',
        string_open='true">' if has_types else "",
        value_open='false">' if has_types else "",
    )


def _keys_and_values(line_break: str, call_separator: str) -> CallFormat:
    """Calls as a name and pairs of ``<arg_key>`` and ``<arg_value>``."""
    return CallFormat(
        CallStyle.TAGGED,
        call_open="<tool_call>",
        call_close="</tool_call>",
        call_separator=call_separator,
        name_close=line_break,
        argument_open="<arg_key>",
        argument_name_close=f"</arg_key>{line_break}<arg_value>",
        argument_close=f"</arg_value>{line_break}",
    )


def _braces(call_open: str, call_close: str, quote: str) -> CallFormat:
    """Calls as ``call:NAME{argument:value,...}`` with ``quote`` around strings."""
    return CallFormat(
        CallStyle.TAGGED,
        call_open=f"{call_open}call:",
        call_close=f"}}{call_close}",
        name_close="{",
        argument_name_close=":",
        argument_separator=",",
        string_open=quote,
        string_close=quote,
    )


#: Formats by name. ``source`` and ``control_tokens`` are for those to set who know where a format is used.
KNOWN_FORMATS: dict[str, ChatFormat] = {
    "none": ChatFormat(),
    "hermes": ChatFormat(HERMES, reasoning=_THINK),
    "qwen3-coder": ChatFormat(_functions("<tool_call>\n", "\n</tool_call>", "\n"), reasoning=_THINK),
    "seed-oss": ChatFormat(
        _functions("<seed:tool_call>\n", "\n</seed:tool_call>", ""),
        reasoning=ReasoningMarkers("<seed:think>", "</seed:think>"),
    ),
    "llama3": ChatFormat(CallFormat(CallStyle.JSON, arguments_key="parameters"), history=HistoryFormat(parallel=False)),
    "mistral-nemo": ChatFormat(
        _json_list("[TOOL_CALLS][", "]", id_key="id"), history=HistoryFormat(call_ids=CallIds.NINE)
    ),
    "mistral": ChatFormat(
        CallFormat(CallStyle.NAME_JSON, call_open="[TOOL_CALLS]", name_close="[ARGS]"),
        reasoning=ReasoningMarkers("[THINK]", "[/THINK]"),
        history=HistoryFormat(call_ids=CallIds.NINE),
    ),
    "mistral-small": ChatFormat(
        CallFormat(CallStyle.NAME_JSON, call_open="[TOOL_CALLS]", id_open="[CALL_ID]", name_close="[ARGS]"),
        history=HistoryFormat(call_ids=CallIds.NINE),
    ),
    "command-r7b": ChatFormat(
        CallFormat(
            CallStyle.JSON,
            section_open="<|START_ACTION|>[\n    ",
            section_close="\n]<|END_ACTION|>",
            call_separator=",\n    ",
            name_key="tool_name",
            arguments_key="parameters",
            id_key="tool_call_id",
            id_first=True,
        ),
        reasoning=ReasoningMarkers("<|START_THINKING|>", "<|END_THINKING|>"),
        content=ContentMarkers("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ),
    "deepseek-v3.1": ChatFormat(
        CallFormat(
            CallStyle.NAME_JSON,
            section_open="<｜tool▁calls▁begin｜>",
            section_close="<｜tool▁calls▁end｜>",
            call_open="<｜tool▁call▁begin｜>",
            call_close="<｜tool▁call▁end｜>",
            name_close="<｜tool▁sep｜>",
        ),
        reasoning=_THINK,
    ),
    "deepseek-r1": ChatFormat(
        CallFormat(
            CallStyle.NAME_JSON,
            section_open="<｜tool▁calls▁begin｜>",
            section_close="<｜tool▁calls▁end｜>",
            call_open="<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
            call_close="\n```<｜tool▁call▁end｜>",
            call_separator="\n",
            name_close="\n```json\n",
        ),
        reasoning=_THINK,
    ),
    "deepseek-v3.2": ChatFormat(_invocations("｜DSML｜", "｜DSML｜function_calls", has_types=True), reasoning=_THINK),
    "deepseek-v4": ChatFormat(_invocations("｜DSML｜", "｜DSML｜tool_calls", has_types=True), reasoning=_THINK),
    "minimax-m2": ChatFormat(_invocations("", "minimax:tool_call", has_types=False), reasoning=_THINK),
    "minimax-m3": ChatFormat(
        CallFormat(
            CallStyle.TAGGED,
            section_open="]<]minimax[>[<tool_call>\n",
            section_close="\n]<]minimax[>[</tool_call>",
            call_open=']<]minimax[>[<invoke name="',
            call_close="]<]minimax[>[</invoke>",
            call_separator="\n",
            name_close='">',
            argument_open="]<]minimax[>[<",
            argument_name_close=">",
            argument_close="]<]minimax[>[</{name}>",
        ),
        reasoning=ReasoningMarkers("<mm:think>", "</mm:think>"),
    ),
    "gpt-oss": ChatFormat(CallFormat(CallStyle.HARMONY), history=HistoryFormat(parallel=False)),
    "functionary-3.1": ChatFormat(
        CallFormat(CallStyle.NAME_JSON, call_open="<function=", name_close=">", call_close="</function>")
    ),
    "functionary-3.2": ChatFormat(
        CallFormat(CallStyle.NAME_JSON, call_open=">>>", name_close="\n"),
        content=ContentMarkers(">>>all\n"),
        history=HistoryFormat(arguments_as_text=True),
    ),
    "glm-4.6": ChatFormat(_keys_and_values("\n", "\n"), reasoning=_THINK),
    "glm-4.7": ChatFormat(_keys_and_values("", ""), reasoning=_THINK),
    "gemma4": ChatFormat(
        _braces("<|tool_call>", "<tool_call|>", '<|"|>'),
        reasoning=ReasoningMarkers("<|channel>thought", "<channel|>"),
    ),
    "functiongemma": ChatFormat(_braces("<start_function_call>", "<end_function_call>", "<escape>")),
    "lfm2": ChatFormat(
        CallFormat(
            CallStyle.PYTHON,
            section_open="<|tool_call_start|>[",
            section_close="]<|tool_call_end|>",
            call_separator=", ",
        ),
        reasoning=_THINK,
    ),
    "kimi-k2": ChatFormat(
        CallFormat(
            CallStyle.NAME_JSON,
            section_open="<|tool_calls_section_begin|>",
            section_close="<|tool_calls_section_end|>",
            call_open="<|tool_call_begin|>",
            call_close="<|tool_call_end|>",
            name_prefix="functions.",
            name_suffix=":{index}",
            name_close="<|tool_call_argument_begin|>",
        ),
        reasoning=_THINK,
        history=HistoryFormat(call_ids=CallIds.NUMBERED),
    ),
    "granite3": ChatFormat(_json_list("<|tool_call|>[", "]"), reasoning=_THINK),
    "phi4-mini": ChatFormat(_json_list("<|tool_call|>[", "]<|/tool_call|>")),
    "functools": ChatFormat(_json_list("functools[", "]")),
    "nemotron-v2": ChatFormat(_json_list("<TOOLCALL>[", "]</TOOLCALL>"), reasoning=_THINK),
    "apriel": ChatFormat(_json_list("<tool_calls>[", "]</tool_calls>", id_key="id")),
    "minimax-m1": ChatFormat(
        CallFormat(
            CallStyle.JSON,
            section_open="<tool_calls>\n",
            section_close="\n</tool_calls>",
            call_separator="\n",
        ),
        reasoning=_THINK,
    ),
    "apertus": ChatFormat(
        CallFormat(
            CallStyle.NAME_KEY,
            section_open="<|tools_prefix|>[",
            section_close="]<|tools_suffix|>",
            call_separator=", ",
        ),
        reasoning=ReasoningMarkers("<|inner_prefix|>", "<|inner_suffix|>"),
    ),
    "solar": ChatFormat(
        CallFormat(
            CallStyle.NAME_JSON,
            section_open="<|tool_calls|>",
            section_close="<|calls|>",
            call_open="<|tool_call:begin|>",
            call_close="<|tool_call:end|>",
            id_close="<|tool_call:name|>",
            name_close="<|tool_call:args|>",
        ),
    ),
}
