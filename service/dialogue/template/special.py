"""Templates that do not show how their models call tools, known by words in them."""

from __future__ import annotations

from service.dialogue.known_formats import KNOWN_FORMATS

#: Names of known formats, each with words of which a template holds all.
_MARKS = {
    "gpt-oss": ("<|channel|>", "<|message|>", "<|start|>assistant"),
    "functionary-3.2": (">>>all",),
    "kimi-k2": ("<|tool_call_argument_begin|>",),
    "minimax-m3": ("]<]minimax[>[", "invoke"),
}
#: The same for templates that write no calls.
_MARKS_WITHOUT_CALLS = {
    "lfm2": ("List of tools: ",),
    "granite3": ("<|start_of_role|>", "<|tool_call|>"),
    "phi4-mini": ("<|tool|>", "<|/tool|>"),
    "functools": ("functools[{",),
    "mistral-nemo": ("[TOOL_CALLS]",),
}


def special_format(source: str, *, writes_calls: bool) -> str | None:
    """The name of the known format that a template stands for, None if it is no special case.

    Args:
        source: the template.
        writes_calls: whether it writes calls of earlier turns.
    """
    marks = _MARKS if writes_calls else _MARKS | _MARKS_WITHOUT_CALLS
    name = next((name for name, words in marks.items() if all(word in source for word in words)), None)
    assert name is None or name in KNOWN_FORMATS
    return name
