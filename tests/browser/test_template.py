"""Chatting through a prompt template of one's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage, answer
from tests.browser.test_accessibility import PHONE, has_room, violations
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Step, accepted, delta, whole

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor

CHAT, COMPLETION = "/v1/chat/completions", "/completion"
SWITCH = "Use my own template"
USUAL = "{{prompt}}\n\n{{history}}\n{{char}}:"


@pytest.fixture
def chat(url: str, visit: Visitor) -> ChatPage:
    """A page on the scripted core."""
    return visit(url)


def note(chat: ChatPage, text: str) -> Locator:
    """The notes about errors that hold a text."""
    return chat.page.get_by_role("alert").filter(has_text=text)


def test_the_models_own_template_is_used_at_first(chat: ChatPage, core: FakeCore) -> None:
    expect(chat.open_options().get_by_label("Template", exact=True)).to_be_hidden()
    switch = chat.option(SWITCH)
    expect(switch).not_to_be_checked()
    expect(switch).to_have_accessible_description("The model's own chat template is used.")
    expect(chat.option("Template")).to_have_value(USUAL)
    chat.ask("Hello")
    assert core.calls[0].request.HasField("chat")
    assert chat.bodies(COMPLETION) == []


def test_the_conversation_is_sent_through_the_template(chat: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: answer(" answer", f" {len(core.calls)}", "\n")
    chat.system_prompt().fill("{{char}} helps {{user}}.")
    chat.switch_on(SWITCH)
    for label, value in {
        "Template": "{{prompt}}\n{{history}}\n[{{char}}]",
        "History template": "[{{name}}]{{message}}",
        "Your name": "Ann",
        "Bot's name": "Bob",
        "Stop texts": "END",
    }.items():
        chat.set_option(label, value)
    expect(chat.ask("Hello")).to_contain_text("answer 1")
    expect(chat.ask("Again", 2)).to_contain_text(re.compile(r"answer 2.*\d+ tokens", re.DOTALL))
    assert [call.request.text for call in core.calls] == [
        "Bob helps Ann.\n[Ann]Hello\n[Bob]",
        "Bob helps Ann.\n[Ann]Hello\n[Bob]answer 1\n[Ann]Again\n[Bob]",
    ]
    assert {"END", "</s>", "Ann:", "Bob:"} <= set(core.calls[0].request.stop.texts)
    assert chat.bodies(CHAT) == []


def test_a_cut_answer_goes_on_behind_its_end(chat: ChatPage, core: FakeCore) -> None:
    texts = [whole(" It was", " a dark"), answer(" and stormy night")]
    core.script = lambda request: texts[len(core.calls) - 1]
    chat.switch_on(SWITCH)
    chat.ask("Begin")
    chat.answers.get_by_role("button", name="Continue").click()
    expect(chat.answers).to_contain_text("It was a dark and stormy night")
    chat.wait_for_answer()
    assert core.calls[1].request.text == "\n\nUser: Begin\nLlama: It was a dark"


def test_stop_regenerate_and_edit_work_as_ever(chat: ChatPage, core: FakeCore) -> None:
    texts: list[list[Step]] = [[accepted(), delta(" Kept"), Hold()], answer(" again"), answer(" anew")]
    core.script = lambda request: texts[len(core.calls) - 1]
    chat.switch_on(SWITCH)
    chat.send("Hello")
    expect(chat.answers).to_contain_text("Kept")
    chat.button("Stop").click()
    chat.wait_until_idle()
    expect(chat.answers).to_contain_text("Kept")
    assert core.wait_for_call().cancelled.wait(WAIT_S)

    chat.answers.get_by_role("button", name="Regenerate").click()
    expect(chat.answers).to_contain_text("again")
    chat.wait_for_answer()
    chat.questions.get_by_role("button", name="Edit").click()
    chat.textbox("Edit message").fill("Changed")
    chat.button("Save and answer").click()
    expect(chat.answers).to_contain_text("anew")
    chat.wait_for_answer()
    prompts = [call.request.text for call in core.calls]
    assert prompts == [f"\n\nUser: {text}\nLlama:" for text in ("Hello", "Hello", "Changed")]


def test_the_template_is_kept(chat: ChatPage) -> None:
    chat.switch_on(SWITCH)
    chat.set_option("Your name", "Ann")
    chat.reload()
    expect(chat.option(SWITCH)).to_be_checked()
    expect(chat.option("Your name")).to_have_value("Ann")


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("Template", "{{prompt}}", "The template needs {{history}}"),
        ("History template", "", "The history template needs {{message}}"),
        ("Your name", "", "Your name must not be empty"),
        ("Bot's name", " ", "The bot's name must not be empty"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_at_its_field_and_sends_nothing(
    label: str, value: str, words: str, chat: ChatPage, core: FakeCore
) -> None:
    chat.switch_on(SWITCH)
    chat.set_option(label, value)
    field = chat.option(label)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(re.escape(words)))
    chat.send("Hello")
    note(chat, words).get_by_role("button", name="Dismiss").click()
    expect(chat.message).to_have_value("Hello")
    expect(chat.questions).to_have_count(0)
    assert core.calls == []

    chat.button("Reset template").click()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    chat.message.press("Enter")
    chat.wait_for_answer()
    assert core.calls[0].request.text == "\n\nUser: Hello\nLlama:"


def test_an_edit_that_cannot_be_sent_stays_in_its_editor(chat: ChatPage, core: FakeCore) -> None:
    chat.ask("Hello")
    chat.switch_on(SWITCH)
    chat.set_option("Template", "")
    chat.questions.get_by_role("button", name="Edit").click()
    field = chat.textbox("Edit message")
    field.fill("Changed")
    chat.button("Save and answer").click()
    expect(note(chat, "The template needs {{history}}")).to_be_visible()
    expect(field).to_have_value("Changed")
    assert len(core.calls) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_editor(scheme: str, url: str, visit: Visitor, axe: str) -> None:
    page = visit(url, scheme=scheme, script=axe)
    page.switch_on(SWITCH)
    assert violations(page) == []
    page.set_option("Template", "")
    assert violations(page) == [], "with a problem"


def test_the_editor_is_no_wider_than_a_phone(url: str, visit: Visitor) -> None:
    page = visit(url, width=PHONE[0], height=PHONE[1])
    page.option("Template").fill("x" * 200)
    expect(page.option("Template")).to_be_in_viewport()
    assert has_room(page)
