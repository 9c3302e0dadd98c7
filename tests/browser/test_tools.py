"""Thinking and tool calls: shown folded, with a place for what the tools give."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator, expect

from slotline.v1.generation_pb2 import FINISH_REASON_TOOL_CALLS, GenerateRequest, ToolDelta
from tests.browser.chat_page import ChatPage, answer
from tests.browser.test_accessibility import PHONE, has_room, violations
from tests.support.fake_core import FakeCore, Hold, Step, accepted, finished, parts, said, thought

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor
    from tests.support.server import Server

CHAT = "/v1/chat/completions"
TOOLS = [
    {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {}}}},
    }
]
CALLING: list[Step] = [
    accepted(),
    parts(thought("I need **the weather**, ")),
    parts(thought("so I ask.")),
    parts(said("Let me see."), ToolDelta(call=0, id="call_1", name="get_weather")),
    parts(ToolDelta(call=0, arguments='{"city": '), ToolDelta(call=0, arguments='"Paris"}')),
    parts(ToolDelta(call=1, id="call_2", name="get_weather", arguments='{"city": "Rome"}')),
    finished(9, FINISH_REASON_TOOL_CALLS),
]


@pytest.fixture
def chat(core: FakeCore, url: str, visit: Visitor) -> ChatPage:
    """A page whose model calls a tool twice, and then answers."""
    core.script = script
    return visit(url)


def script(request: GenerateRequest) -> list[Step]:
    """Calls, unless there are results already."""
    return answer("Sunny in both.") if request.chat.messages[-1].role == "tool" else CALLING


def use_tools(chat: ChatPage, tools: Any = TOOLS) -> None:
    """Declare tools and switch them on."""
    chat.switch_on("Use tools")
    chat.set_option("Tools", tools if isinstance(tools, str) else json.dumps(tools))


def calls(chat: ChatPage) -> Locator:
    """The calls that are shown."""
    return chat.answers.locator("details.tool-call")


def test_thinking_is_folded_with_its_time(chat: ChatPage) -> None:
    shown = chat.ask("Hello")
    thinking = shown.locator("details.thinking")
    expect(thinking.locator("summary")).to_have_text(re.compile(r"^\s*Thought for \d+(\.\d+)? m?s\s*$"))
    expect(thinking.get_by_text("so I ask")).to_be_hidden()
    thinking.locator("summary").click()
    expect(thinking.locator("strong")).to_have_text("the weather")
    expect(shown).to_contain_text("Let me see.")
    assert chat.bodies(CHAT)[0]["reasoning_format"] == "auto"


def test_thinking_is_told_while_nothing_else_has_come(core: FakeCore, chat: ChatPage) -> None:
    core.script = lambda request: [accepted(), parts(thought("Hm")), Hold(), *answer("Yes")[1:]]
    chat.send("Hello")
    expect(chat.answers.locator("details.thinking summary")).to_contain_text("Thinking")
    core.open(core.wait_for_call())
    chat.wait_for_answer()
    expect(chat.answers.locator("details.thinking summary")).to_contain_text("Thought")


def test_whether_and_how_long_it_thinks_is_an_option_of_chats(core: FakeCore, chat: ChatPage) -> None:
    chat.option("Think first").select_option(label="No")
    chat.set_option("Most thinking", "100")
    chat.ask("Hello")
    reasoning = core.calls[0].request.chat.reasoning
    assert reasoning.HasField("enabled")
    assert (reasoning.enabled, reasoning.budget_tokens, reasoning.HasField("effort")) == (False, 100, False)


def test_calls_are_shown_with_name_time_and_arguments_and_take_results(core: FakeCore, chat: ChatPage) -> None:
    use_tools(chat)
    chat.ask("Weather in Paris and Rome?")
    expect(calls(chat)).to_have_count(2)
    told = re.compile(r'Called get_weather {"city": "Paris"} in \d+ ms')
    expect(calls(chat).first.locator("summary")).to_contain_text(told)
    expect(calls(chat).first).to_contain_text('"city": "Paris"')
    fields = chat.answers.get_by_role("textbox", name="Result of get_weather")
    send = chat.button("Send results")
    expect(send).to_be_disabled()
    fields.nth(0).fill('{"sky": "clear"}')
    fields.nth(1).fill("sunny")
    send.click()
    expect(chat.wait_for_answer(2)).to_contain_text("Sunny in both.")
    expect(fields).to_have_count(0)
    expect(calls(chat).first.get_by_text('"sky"')).to_be_hidden()

    first, second = (call.request.chat for call in core.calls)
    assert json.loads(first.tools_json) == TOOLS
    assert [message.role for message in second.messages] == ["user", "assistant", "tool", "tool"]
    made = json.loads(second.messages[1].tool_calls_json)
    assert [(call["id"], call["function"]["arguments"]) for call in made] == [
        ("call_1", '{"city": "Paris"}'),
        ("call_2", '{"city": "Rome"}'),
    ]
    assert second.messages[1].reasoning == "I need **the weather**, so I ask."
    results = [(one.tool_call_id, one.content[0].text) for one in second.messages[2:]]
    assert results == [("call_1", '{"sky": "clear"}'), ("call_2", "sunny")]


def test_a_reload_keeps_calls_and_thinking(chat: ChatPage) -> None:
    use_tools(chat)
    chat.ask("Weather?")
    chat.reload()
    expect(calls(chat)).to_have_count(2)
    expect(chat.answers.locator("details.thinking summary")).to_contain_text("Thought for")
    chat.answers.get_by_role("textbox", name="Result of get_weather").nth(0).fill("a")
    chat.answers.get_by_role("textbox", name="Result of get_weather").nth(1).fill("b")
    chat.answers.get_by_role("textbox", name="Result of get_weather").nth(1).press("Control+Enter")
    expect(chat.wait_for_answer(2)).to_contain_text("Sunny in both.")
    chat.answers.last.get_by_role("button", name="Regenerate").click()
    expect(chat.wait_for_answer(2)).to_contain_text("Sunny in both.")


def test_whether_tools_are_called_is_a_choice(core: FakeCore, chat: ChatPage) -> None:
    core.script = lambda request: answer("No")
    use_tools(chat)
    chat.option("The model calls them").select_option(label="Before it answers")
    chat.ask("Hello")
    assert chat.bodies(CHAT)[0]["tool_choice"] == "required"
    chat.button("Reset options").click()
    chat.ask("Hello", 2)
    assert "tools" not in chat.bodies(CHAT)[1]


@pytest.mark.parametrize(
    ("tools", "problem"),
    [
        ("[", "This is not JSON: "),
        ("{}", "Tools are a list in brackets, with one entry at least."),
        ('[{"name": "f"}]', "Tool 1 has no function with a name."),
    ],
)
def test_what_are_no_tools_is_told_at_the_field_and_sends_nothing(
    tools: str, problem: str, core: FakeCore, chat: ChatPage
) -> None:
    use_tools(chat, tools)
    expect(chat.option("Tools")).to_have_attribute("aria-invalid", "true")
    expect(chat.option("Tools")).to_have_accessible_description(re.compile(re.escape(problem)))
    chat.send("Hello")
    expect(chat.page.get_by_role("alert").filter(has_text=f"Tools: {problem}")).to_be_visible()
    expect(chat.message).to_have_value("Hello")
    assert core.calls == []


def test_what_the_server_says_of_tools_is_told_at_the_field(chat: ChatPage) -> None:
    chat.watch.announce("400")
    use_tools(chat, [*TOOLS, {"type": "function", "function": {"name": ""}}])
    chat.send("Hello")
    field = chat.option("Tools")
    expect(field).to_have_attribute("aria-invalid", "true")
    chat.set_option("Tools", json.dumps(TOOLS))
    expect(field).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, (1280, 800)], ids=["phone", "desktop"])
def test_axe_finds_nothing_and_nothing_is_too_wide(
    scheme: str, size: tuple[int, int], core: FakeCore, url: str, visit: Visitor, axe: str
) -> None:
    core.script = script
    page = visit(url, width=size[0], height=size[1], scheme=scheme, script=axe)
    page.ask("Weather?")
    page.answers.locator("details.thinking summary").click()
    assert violations(page) == []
    assert has_room(page)
    page.switch_on("Use tools")
    page.switch_on("Answers obey the schema")
    page.set_option("Schema", "{")
    assert violations(page) == [], "options"
    assert has_room(page)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_default_model_calls_and_goes_on_with_what_it_is_told(seed: str, server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.set_option("Seed", seed)
    chat.switch_on("Use tools")
    chat.button("Weather").click()
    chat.option("The model calls them").select_option(label="Before it answers")
    chat.ask("What is the weather in Paris?")
    fields = chat.answers.get_by_role("textbox", name="Result of get_weather")
    for number in range(fields.count()):
        fields.nth(number).fill('{"sky": "clear", "temperature": 21}')
    assert fields.count() >= 1
    chat.option("The model calls them").select_option(label="Never")
    chat.answers.get_by_role("button", name=re.compile("^Send results?$")).click()
    expect(chat.wait_for_answer(2).locator(".markdown")).not_to_be_empty()
    first, second = chat.bodies(CHAT)
    assert first["tool_choice"] == "required"
    assert {one["role"] for one in second["messages"]} == {"user", "assistant", "tool"}
