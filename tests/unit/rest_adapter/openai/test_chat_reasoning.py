"""The fields of POST /v1/chat/completions about reasoning."""

from __future__ import annotations

import pytest

from rest_adapter.apis.common.chat_defaults import ChatDefaults
from rest_adapter.apis.openai.chat.reasoning import BUDGETS
from rest_adapter.apis.openai.chat.request import ChatCall, read_chat, rename_fields
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import (
    REASONING_FORMAT_BOTH,
    REASONING_FORMAT_INLINE,
    REASONING_FORMAT_SEPARATE,
    ReasoningFormat,
)
from slotline.v1.prompt_pb2 import ReasoningOptions
from tests.support.wrong_bodies import TOOL
from tests.unit.rest_adapter.clients import USER
from tests.unit.rest_adapter.messages import invalid_argument

NO_THINKING = ChatDefaults(thinks=False)
INLINE, SEPARATE, BOTH = REASONING_FORMAT_INLINE, REASONING_FORMAT_SEPARATE, REASONING_FORMAT_BOTH
THINKS = {"chat_template_kwargs": {"enable_thinking": True}}


def read(server: str | None = None, /, **body: object) -> ChatCall:
    return read_chat({"messages": USER, **body}, reasoning_format=server)


@pytest.mark.parametrize(
    ("server", "body", "expected"),
    [
        # A plain request has the text as the model wrote it, unless the server says otherwise.
        (None, {}, None),
        ("none", {}, None),
        ("auto", {}, SEPARATE),
        ("deepseek", {}, SEPARATE),
        ("deepseek-legacy", {}, BOTH),
        # The request decides for itself.
        (None, {"reasoning_format": "none"}, None),
        (None, {"reasoning_format": "auto"}, SEPARATE),
        (None, {"reasoning_format": "deepseek"}, SEPARATE),
        (None, {"reasoning_format": "deepseek-legacy"}, BOTH),
        ("auto", {"reasoning_format": "none"}, None),
        ("none", {"reasoning_format": "auto"}, SEPARATE),
        # Who speaks of reasoning or offers tools reads the fields that answers have for them.
        (None, {"enable_thinking": True}, SEPARATE),
        (None, {"enable_thinking": False}, SEPARATE),
        (None, THINKS, SEPARATE),
        (None, {"reasoning_effort": "high"}, SEPARATE),
        (None, {"include_reasoning": True}, SEPARATE),
        (None, {"reasoning_budget_tokens": 0}, SEPARATE),
        (None, {"tools": [TOOL]}, SEPARATE),
        (None, {"tools": [TOOL], "tool_choice": "none"}, None),
        (None, {"chat_template_kwargs": {"other": True}}, None),
        (None, {"reasoning_budget_tokens": -1, "reasoning_budget_message": "x"}, None),
        # Calls and budgets need an answer that is taken apart.
        ("none", {"tools": [TOOL]}, INLINE),
        (None, {"tools": [TOOL], "reasoning_format": "none"}, INLINE),
        (None, {"tools": [TOOL], "reasoning_format": "deepseek-legacy"}, BOTH),
        ("none", {"reasoning_budget_tokens": 5}, INLINE),
        ("none", {"enable_thinking": True}, None),
        # What is left out has to be found first.
        ("none", {"include_reasoning": False}, SEPARATE),
        ("deepseek-legacy", {"include_reasoning": False}, SEPARATE),
    ],
)
def test_where_reasoning_goes(
    server: str | None, body: dict[str, object], expected: ReasoningFormat.ValueType | None
) -> None:
    call = read(server, **body)
    output = call.request.output
    assert call.reasoning.is_parsed is output.parse_output is (expected is not None)
    assert output.reasoning_format == (expected or 0)


@pytest.mark.parametrize(("value", "shown"), [(None, True), (True, True), (False, False)])
def test_reasoning_is_shown_unless_it_is_left_out(value: object, shown: bool) -> None:
    assert read(include_reasoning=value).reasoning.is_shown is shown


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, None),
        ({"enable_thinking": None, "reasoning_effort": None, "reasoning_budget_tokens": None}, None),
        ({"enable_thinking": True}, ReasoningOptions(enabled=True)),
        ({"enable_thinking": False}, ReasoningOptions(enabled=False)),
        ({"reasoning_effort": "none"}, ReasoningOptions(enabled=False)),
        ({"reasoning_effort": "none", "enable_thinking": False}, ReasoningOptions(enabled=False)),
        ({"reasoning_effort": "high"}, ReasoningOptions(effort="high")),
        ({"reasoning_effort": "low", "enable_thinking": True}, ReasoningOptions(enabled=True, effort="low")),
        ({"reasoning_budget_tokens": -1}, None),
        ({"reasoning_budget_message": "Enough."}, None),
        ({"reasoning_budget_tokens": 0}, ReasoningOptions(budget_tokens=0)),
        ({"thinking_budget_tokens": 5}, ReasoningOptions(budget_tokens=5)),
        ({"thinking_token_budget": 5, "thinking_budget_tokens": 5}, ReasoningOptions(budget_tokens=5)),
        (
            {"reasoning_budget_tokens": 5, "reasoning_budget_message": "Enough."},
            ReasoningOptions(budget_tokens=5, budget_message="Enough."),
        ),
    ],
)
def test_how_much_is_thought(body: dict[str, object], options: ReasoningOptions | None) -> None:
    chat = read(**body).request.chat
    assert (chat.reasoning if chat.HasField("reasoning") else None) == options


def test_the_template_gets_its_variables_as_they_are() -> None:
    chat = read(**THINKS).request.chat
    assert chat.template_kwargs_json == '{"enable_thinking":true}'
    assert not chat.HasField("reasoning")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"reasoning_format": "some"}, 'reasoning_format: "some" is not "none", "auto", "deepseek", "deepseek-legacy"'),
        ({"reasoning_format": True}, "reasoning_format: true is not a string"),
        ({"enable_thinking": "false"}, 'enable_thinking: "false" is not true or false'),
        (
            {"chat_template_kwargs": {"enable_thinking": "false"}},
            'chat_template_kwargs.enable_thinking: "false" is not true or false',
        ),
        ({"reasoning_effort": 5}, "reasoning_effort: 5 is not a string"),
        ({"reasoning_effort": ""}, 'reasoning_effort: "" is not a word for the chat template, or "none"'),
        ({"include_reasoning": "no"}, 'include_reasoning: "no" is not true or false'),
        ({"reasoning_budget_message": 5}, "reasoning_budget_message: 5 is not a string"),
        *(({name: -2}, f"{name}: -2 is not an integer from -1 to 2147483647") for name in BUDGETS),
        (
            {"thinking_budget_tokens": 5, "thinking_token_budget": -1},
            "thinking_budget_tokens: thinking_budget_tokens and thinking_token_budget have different values",
        ),
        (
            {"enable_thinking": True, "reasoning_effort": "none"},
            "enable_thinking: turns reasoning on, and reasoning_effort turns it off; send one of them",
        ),
        (
            {"enable_thinking": False, "reasoning_effort": "low"},
            "reasoning_effort: turns reasoning on, and enable_thinking turns it off",
        ),
        (
            {**THINKS, "enable_thinking": False},
            "chat_template_kwargs.enable_thinking: turns reasoning on, and enable_thinking turns it off",
        ),
        (
            {"include_reasoning": False, "reasoning_format": "none"},
            'include_reasoning: false contradicts reasoning_format "none"',
        ),
        (
            {"include_reasoning": False, "reasoning_format": "deepseek-legacy"},
            'include_reasoning: false contradicts reasoning_format "deepseek-legacy"',
        ),
    ],
)
def test_refusals_name_the_field_and_what_is_allowed(body: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**body)
    assert caught.value.message.startswith(message)
    assert message.startswith(f"{caught.value.name}: ")


@pytest.mark.parametrize(
    ("body", "path", "name"),
    [
        ({"enable_thinking": True}, "chat.reasoning.enabled", "enable_thinking"),
        ({"reasoning_effort": "none"}, "chat.reasoning.enabled", "reasoning_effort"),
        ({"reasoning_effort": "high"}, "chat.reasoning.effort", "reasoning_effort"),
        *(({name: 5}, "chat.reasoning.budget_tokens", name) for name in BUDGETS),
        ({"thinking_budget_tokens": 5}, "chat.reasoning.budget_message", "reasoning_budget_message"),
        ({"reasoning_format": "auto"}, "output.reasoning_format", "reasoning_format"),
        (THINKS, "chat.template_kwargs_json", "chat_template_kwargs"),
    ],
)
def test_failures_of_the_core_name_the_field_that_was_sent(body: dict[str, object], path: str, name: str) -> None:
    renamed = rename_fields(invalid_argument(path), read(**body))
    assert [field for field, _ in renamed.violations] == [name]


@pytest.mark.parametrize("thinks", [True, False])
@pytest.mark.parametrize(
    ("body", "is_left"),
    [
        ({}, True),
        ({"reasoning_format": "none"}, True),
        ({"enable_thinking": None}, True),
        ({"enable_thinking": True}, False),
        ({"reasoning_effort": "low"}, False),
        (THINKS, False),
        # It may be the switch of another template.
        ({"chat_template_kwargs": {"thinking": True}}, False),
    ],
)
def test_the_server_says_whether_models_think_if_the_body_says_nothing(
    thinks: bool, body: dict[str, object], is_left: bool
) -> None:
    asked = read_chat({"messages": USER, **body}, defaults=ChatDefaults(thinks=thinks)).request.chat.reasoning
    plain = read(**body).request.chat.reasoning
    # A template without a switch does what it does.
    assert asked == (ReasoningOptions(enabled=thinks, lenient=True) if is_left else plain)


def test_of_responses_the_server_says_the_same() -> None:
    asked = read_response({"input": "Hi"}, defaults=NO_THINKING).request.chat.reasoning
    assert asked == ReasoningOptions(enabled=False, lenient=True)
    assert not read_response(
        {"input": "Hi", "enable_thinking": True}, defaults=NO_THINKING
    ).request.chat.reasoning.lenient
