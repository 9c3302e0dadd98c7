"""A server that wants an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, answer
from tests.support.fake_core import MODEL, FakeCore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visitor

KEY = "sk-right"


@pytest.fixture
def locked(core: FakeCore, serve: Callable[..., str], visit: Visitor) -> ChatPage:
    """The page of a server with a key that it does not know yet."""
    core.script = lambda request: answer("open")
    chat = visit(serve(api_keys=(KEY,)))
    chat.watch.announce("401")
    return chat


def test_the_page_asks_until_the_key_is_right_and_keeps_it(locked: ChatPage) -> None:
    dialog = locked.dialog("API key")
    field = dialog.get_by_label("API key", exact=True)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    field.fill("wrong")
    dialog.get_by_role("button", name="Save").click()
    expect(field).to_have_value("")
    field.fill(KEY)
    field.press("Enter")
    expect(dialog).to_have_count(0)
    expect(locked.page.get_by_role("banner").get_by_role("status")).to_contain_text(MODEL)
    expect(locked.ask("Hello")).to_contain_text("open")
    locked.reload()
    expect(locked.questions).to_have_count(1)
    expect(locked.ask("Again", 2)).to_contain_text("open")
    expect(dialog).to_have_count(0)


def test_a_question_without_a_key_is_asked_once_it_is_there(locked: ChatPage) -> None:
    dialog = locked.dialog("API key")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    locked.send("Hello")
    dialog.get_by_label("API key", exact=True).fill(KEY)
    dialog.get_by_role("button", name="Save").click()
    expect(locked.wait_for_answer()).to_contain_text("open")


def test_a_refused_question_stays_with_a_word(locked: ChatPage) -> None:
    dialog = locked.dialog("API key")
    dialog.get_by_role("button", name="Cancel").click()
    locked.send("Hello")
    expect(dialog).to_be_visible()
    locked.page.keyboard.press("Escape")
    locked.wait_until_idle()
    expect(locked.questions).to_contain_text("Hello")
    expect(locked.page.get_by_text("key").first).to_be_visible()
