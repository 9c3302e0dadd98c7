"""Whether and how much a model thinks before it answers, and where that goes in the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.chat_defaults import NO_EFFORT
from rest_adapter.apis.common.fields import read_bool, read_int, read_str, refusal
from rest_adapter.apis.common.settings_now import CONTENT_ONLY
from rest_adapter.config import REASONING_FORMATS
from rest_adapter.errors import INVALID_TYPE, InvalidRequest
from rest_adapter.json.number_bounds import INT32
from slotline.v1.generation_pb2 import (
    REASONING_FORMAT_BOTH,
    REASONING_FORMAT_INLINE,
    REASONING_FORMAT_SEPARATE,
    GenerateRequest,
    ReasoningFormat,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where reasoning goes, by the words that ``reasoning_format`` may be.
FORMATS: Mapping[str, ReasoningFormat.ValueType] = dict(
    zip(
        REASONING_FORMATS,
        (REASONING_FORMAT_INLINE, REASONING_FORMAT_SEPARATE, REASONING_FORMAT_SEPARATE, REASONING_FORMAT_BOTH),
        strict=True,
    )
)
#: Names of the limit on tokens of reasoning: those of llama.cpp's server, and that of vLLM.
BUDGETS = ("reasoning_budget_tokens", "thinking_budget_tokens", "thinking_token_budget")
#: A budget that is none; the others are at least 0.
NO_BUDGET = -1
BUDGET_BOUNDS = (NO_BUDGET, INT32[1])
EFFORT = "reasoning_effort"
_SWITCH = "enable_thinking"
_SWITCH_OF_TEMPLATE = f"chat_template_kwargs.{_SWITCH}"
#: What is in the names that templates give to variables about thinking: enable_thinking, reasoning_effort and others.
_ABOUT_THINKING = re.compile(r"think|reason")


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the fields about reasoning say of the answer.

    Attributes:
        is_parsed: reasoning, content and calls are told apart.
        is_shown: the answer has the reasoning.
        format: where it is, one of ``FORMATS``.
        budget_field: the field that limits reasoning, for errors of the core.
        switch_field: the field that turns reasoning on or off.
        effort_field: the field that says how hard to think.
    """

    is_parsed: bool
    is_shown: bool = True
    format: str = "none"
    budget_field: str = BUDGETS[0]
    switch_field: str = _SWITCH
    effort_field: str = EFFORT

    def shown_parts(self, *, is_stream: bool) -> Mapping[str, object]:
        """What settings show of how the answer is taken apart. Formats of calls have no names that clients know."""
        is_both = FORMATS[self.format] == REASONING_FORMAT_BOTH
        parts = {"reasoning_format": self.format, "reasoning_in_content": is_stream and is_both}
        return parts if self.is_parsed else {**CONTENT_ONLY, **parts}


def read_reasoning(
    request: GenerateRequest,
    body: Mapping[str, object],
    *,
    calls_tools: bool,
    default: str | None = None,
    thinks: bool | None = None,
    effort: tuple[str, object] | None = None,
) -> Reasoning:
    """Set how much the model thinks, and how its answer is taken apart.

    Args:
        request: its conversation is a chat.
        body: the JSON body.
        calls_tools: the answer may call tools, and is taken apart in any case.
        default: the format of bodies that name none, one of ``FORMATS``; None for "auto" if a field asks for tools or
            says something about reasoning, and "none" otherwise.
        thinks: whether the model thinks if the body says nothing about it, and its template has a switch for that; None
            for what the template does.
        effort: path and value of the field that says how hard to think, where that is not ``reasoning_effort``.

    Raises:
        InvalidRequest: a field has a value that is not allowed, or two contradict each other.
    """
    effort_field, wanted = effort or (EFFORT, body.get(EFFORT))
    is_asked_for, switch_field = _read_switches(request, body, effort_field, wanted)
    if thinks is not None and not is_asked_for and not _tells_template(body.get("chat_template_kwargs")):
        request.chat.reasoning.enabled = thinks
        request.chat.reasoning.lenient = True
    budget_field = _read_budget(request, body)
    has_budget = request.chat.reasoning.HasField("budget_tokens")
    shown = None if (value := body.get("include_reasoning")) is None else read_bool("include_reasoning", value)
    name = _read_format(body.get("reasoning_format"), shown)
    if name is None:
        is_asked_for = is_asked_for or has_budget or calls_tools or shown is not None
        name = default or ("auto" if is_asked_for else "none")
        if shown is False:
            name = "auto"
    is_parsed = calls_tools or has_budget or FORMATS[name] != REASONING_FORMAT_INLINE
    if is_parsed:
        request.output.parse_output = True
        request.output.reasoning_format = FORMATS[name]
    return Reasoning(is_parsed, shown is not False, name, budget_field, switch_field, effort_field)


def _read_switches(
    request: GenerateRequest, body: Mapping[str, object], effort_field: str, wanted: object
) -> tuple[bool, str]:
    """Whether a field turns reasoning on or off, or says how hard to think; and which one turns it on or off."""
    # The template gets its variables as they are.
    variables = body.get("chat_template_kwargs")
    given = variables.get(_SWITCH) if isinstance(variables, dict) else None
    switches = {
        name: read_bool(name, value)
        for name, value in ((_SWITCH, body.get(_SWITCH)), (_SWITCH_OF_TEMPLATE, given))
        if value is not None
    }
    field = _SWITCH
    if _SWITCH in switches:
        request.chat.reasoning.enabled = switches[_SWITCH]
    if wanted is not None:
        effort = read_str(effort_field, wanted)
        if not effort:
            raise refusal(effort_field, wanted, f'a word for the chat template, or "{NO_EFFORT}"')
        switches[effort_field] = effort != NO_EFFORT
        if effort != NO_EFFORT:
            request.chat.reasoning.effort = effort
        elif not request.chat.reasoning.HasField("enabled"):
            request.chat.reasoning.enabled = False
            field = effort_field
    if len(set(switches.values())) > 1:
        on, off = (next(name for name, value in switches.items() if value is is_on) for is_on in (True, False))
        raise InvalidRequest(on, f"turns reasoning on, and {off} turns it off; send one of them")
    return bool(switches), field


def _tells_template(variables: object) -> bool:
    """Whether one of the template's variables in a body is about thinking; others leave it to the server."""
    return isinstance(variables, dict) and any(map(_ABOUT_THINKING.search, variables))


def _read_budget(request: GenerateRequest, body: Mapping[str, object]) -> str:
    """Set the limit on tokens of reasoning, and return the field that it came from."""
    budgets = {name: read_int(name, value, BUDGET_BOUNDS) for name in BUDGETS if (value := body.get(name)) is not None}
    if len(set(budgets.values())) > 1:
        names = " and ".join(budgets)
        raise InvalidRequest(next(iter(budgets)), f"{names} have different values; send one of them")
    name, budget = next(iter(budgets.items()), (BUDGETS[0], NO_BUDGET))
    if budget != NO_BUDGET:
        request.chat.reasoning.budget_tokens = budget
    if (value := body.get("reasoning_budget_message")) is not None:
        message = read_str("reasoning_budget_message", value)
        # Without a budget there is nothing that it could end.
        if budget != NO_BUDGET:
            request.chat.reasoning.budget_message = message
    return name


def _read_format(value: object, shown: bool | None) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise refusal("reasoning_format", value, "a string", INVALID_TYPE)
    if value not in FORMATS:
        raise refusal("reasoning_format", value, ", ".join(f'"{name}"' for name in FORMATS))
    if shown is False and FORMATS[value] != REASONING_FORMAT_SEPARATE:
        problem = f'false contradicts reasoning_format "{value}", which leaves reasoning in the content'
        raise InvalidRequest("include_reasoning", f"{problem}; send one of them")
    return value
