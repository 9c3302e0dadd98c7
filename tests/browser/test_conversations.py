"""Several conversations that the browser keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, answer
from tests.support.fake_core import FakeCore, Hold, accepted, delta

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor


@pytest.fixture
def chat(core: FakeCore, url: str, visit: Visitor) -> ChatPage:
    """A page on a core that repeats what it is asked."""
    core.script = lambda request: answer("You said: ", request.chat.messages[-1].content[0].text)
    return visit(url)


def test_a_reload_keeps_the_conversation(chat: ChatPage) -> None:
    chat.ask("apples")
    chat.reload()
    expect(chat.questions).to_contain_text("apples")
    expect(chat.answers).to_contain_text("You said: apples")
    chat.ask("pears", 2)


def test_an_answer_that_a_reload_broke_off_is_stopped_and_can_be_had_again(chat: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: [accepted(), delta("As far as"), Hold()]
    chat.send("apples")
    expect(chat.answers).to_contain_text("As far as")
    chat.reload()
    expect(chat.questions).to_contain_text("apples")
    # How much of it was kept by then is a matter of time.
    expect(chat.answers).to_contain_text("Stopped")
    core.script = lambda request: answer("Whole")
    chat.answers.get_by_role("button", name="Regenerate").click()
    expect(chat.wait_for_answer()).to_contain_text("Whole")


def test_each_conversation_has_its_own_messages(chat: ChatPage) -> None:
    chat.ask("apples")
    chat.conversations.get_by_role("button", name="New conversation").click()
    expect(chat.questions).to_have_count(0)
    expect(chat.message).to_be_focused()
    chat.ask("pears")
    expect(chat.questions).to_have_text([_with("pears")])
    chat.conversation("apples").click()
    expect(chat.questions).to_have_text([_with("apples")])
    chat.conversation("pears").click()
    expect(chat.questions).to_have_text([_with("pears")])


def test_a_conversation_gets_another_name(chat: ChatPage) -> None:
    chat.ask("apples")
    chat.act_on("apples", "Rename")
    field = chat.dialog("Rename conversation").get_by_role("textbox")
    expect(field).to_be_focused()
    field.fill("Fruit")
    field.press("Enter")
    expect(chat.conversation("Fruit")).to_be_visible()
    chat.reload()
    expect(chat.conversation("Fruit")).to_be_visible()
    expect(chat.conversation("apples")).to_have_count(0)


def test_the_search_finds_titles_and_texts(chat: ChatPage) -> None:
    chat.ask("apples")
    chat.button("New conversation").click()
    chat.ask("pears")
    search = chat.page.get_by_role("searchbox", name="Search conversations")
    search.fill("APPLE")
    expect(chat.conversation("pears")).to_have_count(0)
    expect(chat.conversation("apples")).to_be_visible()
    search.fill("said: pears")
    expect(chat.conversation("apples")).to_have_count(0)
    expect(chat.conversation("pears")).to_be_visible()
    search.fill("")
    expect(chat.conversation("apples")).to_be_visible()


def test_a_conversation_is_deleted_after_a_question(chat: ChatPage) -> None:
    chat.ask("apples")
    chat.act_on("apples", "Delete")
    chat.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(chat.conversation("apples")).to_be_visible()
    chat.act_on("apples", "Delete")
    chat.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(chat.conversation("apples")).to_have_count(0)
    expect(chat.questions).to_have_count(0)
    chat.reload()
    expect(chat.message).to_be_visible()
    expect(chat.conversation("apples")).to_have_count(0)


def test_an_export_is_imported_by_another_browser(chat: ChatPage, visit: Visitor, tmp_path: Path) -> None:
    chat.ask("apples")
    chat.button("New conversation").click()
    chat.ask("pears")
    with chat.page.expect_download() as download:
        chat.conversations.get_by_role("button", name="Export all").click()
    file = tmp_path / "all.json"
    download.value.save_as(file)
    exported = json.loads(file.read_text())
    assert (exported["format"], exported["version"]) == ("slotline-conversations", 1)
    assert sorted(conversation["title"] for conversation in exported["conversations"]) == ["apples", "pears"]

    other = visit(chat.url)
    _import(other, file)
    other.conversation("apples").click()
    expect(other.answers).to_contain_text("You said: apples")
    expect(other.conversation("pears")).to_be_visible()


def test_one_conversation_is_exported_alone(chat: ChatPage) -> None:
    chat.ask("apples")
    chat.button("New conversation").click()
    chat.ask("pears")
    with chat.page.expect_download() as download:
        chat.act_on("apples", "Export")
    exported = json.loads(Path(download.value.path()).read_text())
    assert [conversation["title"] for conversation in exported["conversations"]] == ["apples"]


def test_a_file_that_is_no_export_is_refused_with_a_note(chat: ChatPage, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text('{"format": "something else"}')
    _import(chat, file)
    expect(chat.page.get_by_role("alert").filter(has_text="format")).to_be_visible()


def test_two_tabs_keep_both_their_conversations(chat: ChatPage) -> None:
    expect(chat.message).to_be_visible()
    other = chat.another_tab()
    chat.ask("apples")
    other.ask("pears")
    for tab in (chat, other):
        expect(tab.conversation("apples")).to_be_visible()
        expect(tab.conversation("pears")).to_be_visible()
    chat.ask("more apples", 2)
    other.reload()
    expect(other.questions).to_have_text([_with("pears")])
    other.conversation("apples").click()
    expect(other.questions).to_have_text([_with("apples"), _with("more apples")])


def test_both_tabs_answer_at_once(chat: ChatPage, core: FakeCore) -> None:
    other = chat.another_tab()
    core.script = lambda request: [accepted(), delta("wait"), Hold(), *answer("done")[1:]]
    chat.send("apples")
    other.send("pears")
    for number in (0, 1):
        core.open(core.wait_for_call(number))
    for tab in (chat, other):
        expect(tab.wait_for_answer()).to_contain_text("waitdone")
    expect(chat.questions).to_have_text([_with("apples")])
    expect(other.questions).to_have_text([_with("pears")])


def _import(chat: ChatPage, file: Path) -> None:
    with chat.page.expect_file_chooser() as chooser:
        chat.conversations.get_by_role("button", name="Import").click()
    chooser.value.set_files(file)


def _with(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b{text}\b")
