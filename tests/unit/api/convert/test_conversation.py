"""Conversations of the contract, as chat templates see them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.api.convert.conversation import conversation
from service.api.served_model import Limits
from service.dialogue.chat_format import ChatFormat, HistoryFormat, ReasoningMarkers, ReasoningSwitches
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.template.analysis import UNKNOWN
from service.errors import InvalidArgument
from slotline.v1 import prompt_pb2
from tests.support.served import served_model

if TYPE_CHECKING:
    from service.prompts.templates import Conversation

#: A template that shows tools and calls.
NATIVE = ChatFormat(KNOWN_FORMATS["hermes"].calls, renders_tools=True)
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
TOOLS = json.dumps([TOOL])
CALL = '[{"id": "1", "type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 1}"}}]'


def turn(role: str, text: str | None = None, **options: Any) -> prompt_pb2.ChatMessage:
    """One message."""
    content = [] if text is None else [prompt_pb2.PromptPart(text=text)]
    return prompt_pb2.ChatMessage(role=role, content=content, **options)


def seen(*messages: prompt_pb2.ChatMessage, form: ChatFormat = NATIVE, **options: Any) -> Conversation:
    """What the template of a model with this format gets."""
    chat = prompt_pb2.ChatPrompt(messages=messages or [turn("user", "Hi")], **options)
    return conversation(chat, served_model(chat_format=form, limits=Limits(max_tools=2)), lambda image, path: path)


def test_texts_for_pictures_stand_where_these_were() -> None:
    items = [
        prompt_pb2.PromptPart(text="a"),
        prompt_pb2.PromptPart(image=prompt_pb2.Image(data=b"png")),
        prompt_pb2.PromptPart(text="b"),
    ]
    rendered = seen(turn("user", "Hi"), prompt_pb2.ChatMessage(role="user", content=items))
    assert rendered.messages[1]["content"] == "achat.messages[1].content[1].imageb"


def test_a_conversation_reaches_the_template_in_full() -> None:
    rendered = seen(
        prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text=text) for text in "ab"], name="Ann"),
        turn("assistant", tool_calls_json=CALL, reasoning="Hm"),
        turn("tool", "3", tool_call_id="1"),
        add_generation_prompt=False,
        tools_json=TOOLS,
        template_kwargs_json='{"enable_thinking": false}',
    )
    calls = [{"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}]
    assert rendered.messages == [
        {"role": "user", "content": "ab", "name": "Ann"},
        {"role": "assistant", "content": "", "tool_calls": calls, "reasoning_content": "Hm"},
        {"role": "tool", "content": "3", "tool_call_id": "1", "name": "add"},
    ]
    assert rendered.add_generation_prompt is False
    assert rendered.tools == [TOOL]
    assert rendered.variables == {"enable_thinking": False}


def test_a_conversation_asks_for_an_answer_unless_told_otherwise() -> None:
    assert seen().add_generation_prompt is True


@pytest.mark.parametrize("tools_json", ["[]", "", None])
@pytest.mark.parametrize("form", [NATIVE, UNKNOWN])
def test_no_tools_are_none(tools_json: str | None, form: ChatFormat) -> None:
    rendered = seen(form=form, tools_json=tools_json)
    assert rendered.tools is None
    assert rendered.messages == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('"{\\"a\\": 1}"', {"a": 1}), ('{"a": 1}', {"a": 1}), ('"{}"', {}), ('""', {})],
)
def test_arguments_are_objects_for_the_template(arguments: str, expected: dict[str, Any]) -> None:
    call = f'[{{"function": {{"name": "f", "arguments": {arguments}}}}}]'
    (message,) = seen(turn("assistant", tool_calls_json=call)).messages
    assert message["tool_calls"] == [{"function": {"name": "f", "arguments": expected}}]


@pytest.mark.parametrize(
    ("calls", "path", "problem"),
    [
        ("1", "", "is 1; allowed is a JSON array"),
        ("[1]", "[0]", "is 1; allowed is a JSON object"),
        ("[{}]", "[0].function", "is null; allowed is a JSON object"),
        ('[{"function": {}}]', "[0].function.name", "is null; allowed is the name of a tool"),
        ('[{"function": {"name": ""}}]', "[0].function.name", "allowed is the name of a tool"),
        ('[{"id": 1, "function": {"name": "f"}}]', "[0].id", "is 1; allowed is a text"),
        ('[{"function": {"name": "f", "arguments": "{"}}]', "[0].function.arguments", "is not JSON"),
        ('[{"function": {"name": "f", "arguments": "[]"}}]', "[0].function.arguments", "is []; allowed is the text"),
        ('[{"function": {"name": "f", "arguments": 1}}]', "[0].function.arguments", "is 1; allowed is a JSON object"),
    ],
)
def test_malformed_calls_are_refused_by_their_place(calls: str, path: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        seen(turn("user", "Hi"), turn("assistant", tool_calls_json=calls))
    assert caught.value.field == f"chat.messages[1].tool_calls_json{path}"
    assert problem in caught.value.problem


def test_too_many_tools_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"chat\.tools_json: .*3.* 2"):
        seen(tools_json=json.dumps([TOOL] * 3))


class TestATemplateWithoutTools:
    """The server describes them, and writes calls and results."""

    def test_tools_are_in_front(self) -> None:
        rendered = seen(turn("system", "Be brief."), turn("user", "Hi"), form=UNKNOWN, tools_json=TOOLS)
        assert rendered.tools is None
        system, user = rendered.messages
        assert system["role"] == "system"
        assert system["content"].startswith("Be brief.\n\n")
        assert json.dumps(TOOL) in system["content"].splitlines()
        assert '<tool_call>\n{"name": "NAME", "arguments": {"ARGUMENT": "VALUE"}}\n</tool_call>' in system["content"]
        assert user == {"role": "user", "content": "Hi"}

    def test_a_system_turn_is_made_if_there_is_none(self) -> None:
        rendered = seen(form=UNKNOWN, tools_json=TOOLS)
        assert [message["role"] for message in rendered.messages] == ["system", "user"]

    def test_a_template_without_system_turns_gets_them_from_the_user(self) -> None:
        form = replace(UNKNOWN, history=replace(UNKNOWN.history, knows_system=False))
        (message,) = seen(form=form, tools_json=TOOLS).messages
        assert message["role"] == "user"
        assert message["content"].endswith("\n\nHi")

    def test_calls_are_in_the_form_of_the_model(self) -> None:
        form = replace(UNKNOWN, calls=KNOWN_FORMATS["mistral"].calls)
        system, _ = seen(form=form, tools_json=TOOLS).messages
        assert '[TOOL_CALLS]NAME[ARGS]{"ARGUMENT": "VALUE"}' in system["content"]

    def test_tools_that_may_not_be_called_are_shown_without_instruction(self) -> None:
        policy = prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_NONE)
        system, _ = seen(form=UNKNOWN, tools_json=TOOLS, tool_policy=policy).messages
        assert json.dumps(TOOL) in system["content"]
        assert "<tool_call>" not in system["content"]

    def test_calls_and_results_of_the_history_are_texts(self) -> None:
        rendered = seen(
            turn("user", "1+1?"),
            turn("assistant", tool_calls_json=CALL),
            turn("tool", "2", tool_call_id="1"),
            form=UNKNOWN,
        )
        assert rendered.messages[1:] == [
            {"role": "assistant", "content": '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'},
            {"role": "user", "content": "<tool_response>\n2\n</tool_response>"},
        ]


def test_a_template_that_shows_tools_gets_them_whatever_the_policy() -> None:
    policy = prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_NONE)
    rendered = seen(tools_json=TOOLS, tool_policy=policy)
    assert rendered.tools == [TOOL]
    assert rendered.messages == [{"role": "user", "content": "Hi"}]


THINK = ReasoningMarkers("<think>", "</think>")
SWITCHED = replace(NATIVE, reasoning=THINK, reasoning_switches=ReasoningSwitches(on_off="enable_thinking"))
WORDS = replace(
    NATIVE, reasoning=THINK, reasoning_switches=ReasoningSwitches(on_off="thinking", on="yes", off="no", effort="hard")
)
GRADED = replace(NATIVE, reasoning=THINK, reasoning_switches=ReasoningSwitches(effort="effort", no_effort="none"))
ALWAYS = replace(NATIVE, reasoning=THINK)
NEVER = NATIVE
HARMONY = KNOWN_FORMATS["gpt-oss"]


@pytest.mark.parametrize(
    ("form", "options", "variables"),
    [
        (SWITCHED, {}, {}),
        (SWITCHED, {"enabled": True}, {"enable_thinking": True}),
        (SWITCHED, {"enabled": False}, {"enable_thinking": False}),
        (WORDS, {"enabled": False}, {"thinking": "no"}),
        (WORDS, {"enabled": True, "effort": "low"}, {"thinking": "yes", "hard": "low"}),
        (GRADED, {"enabled": False}, {"effort": "none"}),
        (GRADED, {"enabled": True}, {"effort": "high"}),
        (GRADED, {"enabled": True, "effort": "low"}, {"effort": "low"}),
        (GRADED, {"enabled": False, "effort": "none"}, {"effort": "none"}),
        (ALWAYS, {"enabled": True}, {}),
        (HARMONY, {"enabled": True}, {}),
        (NEVER, {"enabled": False}, {}),
        (SWITCHED, {"enabled": False, "effort": "low", "lenient": True}, {"enable_thinking": False}),
        (GRADED, {"enabled": True, "effort": "low", "lenient": True}, {"effort": "low"}),
        (ALWAYS, {"enabled": False, "lenient": True}, {}),
        (NEVER, {"enabled": True, "effort": "low", "lenient": True}, {}),
    ],
)
def test_reasoning_is_switched_by_the_variables_of_the_template(
    form: ChatFormat, options: dict[str, Any], variables: dict[str, Any]
) -> None:
    assert seen(form=form, reasoning=prompt_pb2.ReasoningOptions(**options)).variables == variables


@pytest.mark.parametrize("word", ["low", "high", "max"])
def test_who_says_how_hard_to_think_may_also_say_to_think(word: str) -> None:
    given = json.dumps({"effort": word})
    options = prompt_pb2.ReasoningOptions(enabled=True)
    assert seen(form=GRADED, reasoning=options, template_kwargs_json=given).variables == {"effort": word}


@pytest.mark.parametrize(
    ("form", "options", "given", "field", "problem"),
    [
        (GRADED, {"enabled": True}, {"effort": "none"}, "chat.template_kwargs_json", "sets 'effort' to 'none'"),
        (GRADED, {"enabled": False}, {"effort": "low"}, "chat.template_kwargs_json", "sets 'effort' to 'low'"),
        (ALWAYS, {"enabled": False}, {}, "chat.reasoning.enabled", "this model always thinks; allowed is true"),
        (HARMONY, {"enabled": False}, {}, "chat.reasoning.enabled", "this model always thinks"),
        (NEVER, {"enabled": True}, {}, "chat.reasoning.enabled", "knows no reasoning; allowed is false"),
        (SWITCHED, {"effort": "low"}, {}, "chat.reasoning.effort", "on and off only (chat.reasoning.enabled)"),
        (NEVER, {"effort": "low"}, {}, "chat.reasoning.effort", "'low', but this model's chat template"),
        (WORDS, {"effort": ""}, {}, "chat.reasoning.effort", "allowed is a word"),
        (WORDS, {"effort": "x" * 65}, {}, "chat.reasoning.effort", "allowed is a word"),
        (GRADED, {"effort": "low", "enabled": False}, {}, "chat.reasoning.effort", "enabled is false; send one"),
        (GRADED, {"effort": "none", "enabled": True}, {}, "chat.reasoning.effort", "enabled is true; send one"),
        (SWITCHED, {}, {"enable_thinking": "false"}, "chat.template_kwargs_json", "text 'false'; allowed are true and"),
        (
            SWITCHED,
            {"enabled": True},
            {"enable_thinking": False},
            "chat.template_kwargs_json",
            "sets 'enable_thinking' to 'False', and chat.reasoning.enabled asks for True; send one",
        ),
        (
            WORDS,
            {"effort": "low"},
            {"hard": "high"},
            "chat.template_kwargs_json",
            "chat.reasoning.effort asks for 'low'",
        ),
    ],
)
def test_what_the_template_has_no_switch_for_is_refused_by_name(
    form: ChatFormat, options: dict[str, Any], given: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        seen(form=form, reasoning=prompt_pb2.ReasoningOptions(**options), template_kwargs_json=json.dumps(given))
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_a_variable_may_say_the_same_as_the_option() -> None:
    options = prompt_pb2.ReasoningOptions(enabled=False)
    rendered = seen(form=SWITCHED, reasoning=options, template_kwargs_json='{"enable_thinking": false, "x": 1}')
    assert rendered.variables == {"enable_thinking": False, "x": 1}
    # Words are words for a template that compares them, or does not know the variable.
    for form, variables in ((WORDS, {"thinking": "no"}), (NEVER, {"enable_thinking": "false"})):
        assert seen(form=form, template_kwargs_json=json.dumps(variables)).variables == variables


@pytest.mark.parametrize("knows", [True, False])
def test_developers_are_the_system_for_templates_that_do_not_know_them(knows: bool) -> None:
    form = replace(NATIVE, history=HistoryFormat(knows_developer=knows))
    (message,) = seen(turn("developer", "Be brief."), form=form).messages
    assert message["role"] == ("developer" if knows else "system")
