"""Answers that loop, and parts of the page that fail: the rest goes on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Route, expect

from tests.browser.chat_page import answer

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor
    from tests.support.fake_core import FakeCore

LOOPS = {
    "quotes": ">" * 6000,
    "lists": "- " * 3000 + "x",
    "blanks": "a" + " " * 50_000 + "b",
    "brackets": "[" * 50_000,
    "code": "```python\n" + "a_" * 25_000 + "\n```",
    "a long list": "- item\n" * 7000,
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_an_answer_that_loops_is_shown_and_kept(visit: Visitor, core: FakeCore, url: str, loop: str) -> None:
    text = f"**before**\n\n{loop}\n\n**after**"
    core.script = lambda request: answer(*(text[at : at + 500] for at in range(0, len(text), 500)))
    chat = visit(url)
    shown = chat.ask("Say it again and again")
    # As one word: an element that is 50,000 characters wide is compared without its blanks.
    words = re.sub(r"\s+", "", re.sub(r"^```.*$", "", loop, flags=re.MULTILINE))
    for _ in range(2):
        expect(shown.locator("strong")).to_have_text(["before", "after"])
        assert words[:2000] in re.sub(r"\s+", "", shown.inner_text())
        chat.reload()
        shown = chat.answers.nth(0)
    # A message that is sent before the page has opened its conversation begins another one.
    expect(chat.answers).to_have_count(1)
    core.script = lambda request: answer("fine")
    expect(chat.ask("And now?", 2)).to_contain_text("fine")


def test_an_answer_that_is_too_long_has_its_form_at_the_beginning(visit: Visitor, core: FakeCore, url: str) -> None:
    core.script = lambda request: answer("**bold** words\n\n" * 15_000)
    shown = visit(url).ask("Tell me everything")
    expect(shown.get_by_text("it is too long to be formatted")).to_be_visible()
    expect(shown.locator("strong").first).to_have_text("bold")
    assert "**bold** words\n\n**bold** words" in shown.inner_text()


def test_code_that_grows_is_readable_at_once(visit: Visitor, core: FakeCore, url: str) -> None:
    lines = [f"value_{number} = {number}\n" for number in range(1000)]
    core.script = lambda request: answer("Look:\n\n```python\n", *lines, "```\n\nThat is **all**.")
    shown = visit(url).ask("Write a long program")
    expect(shown.locator("code")).to_contain_text("value_999 = 999")
    expect(shown.get_by_role("button", name="Copy code")).to_be_visible()
    expect(shown.locator("strong")).to_have_text("all")


def _broken(name: str, condition: str = "true") -> str:
    return f"export function {name}(props) {{ if ({condition}) throw new Error('planted'); return props.text; }}"


def test_a_view_that_fails_leaves_the_rest_alone(visit: Visitor, core: FakeCore, url: str) -> None:
    core.script = lambda request: answer("fine")
    chat = visit(url)
    chat.watch.announce("planted")
    chat.page.route(
        "**/page/views/monitor.js",
        lambda route: route.fulfill(body=_broken("MonitorView"), content_type="text/javascript"),
    )
    chat.page.reload()
    chat.go("Monitor")
    alert = chat.page.get_by_role("alert")
    expect(alert).to_contain_text("This view cannot be shown.")
    expect(chat.button("Load the page again")).to_be_visible()
    expect(chat.page.get_by_text("Error: planted")).to_be_visible()
    chat.button("Try again").click()
    expect(alert).to_be_visible()
    chat.go("Chat")
    expect(alert).to_have_count(0)
    expect(chat.ask("Hello")).to_contain_text("fine")


def test_a_message_that_fails_leaves_the_others_alone(visit: Visitor, core: FakeCore, url: str) -> None:
    def break_renderer(route: Route) -> None:
        body = _broken("MarkdownText", "props.text.includes('bad')")
        route.fulfill(body=body, content_type="text/javascript")

    chat = visit(url)
    chat.watch.announce("planted")
    chat.page.route("**/page/views/markdown_text.js", break_renderer)
    chat.page.reload()
    for number, text in enumerate(["good one", "bad one", "good two"]):
        core.script = lambda request, text=text: answer(text)  # type: ignore[misc]
        chat.send("Next")
        expect(chat.log.get_by_text(text)).to_be_visible()
        expect(chat.questions).to_have_count(number + 1)
        chat.wait_until_idle()
    chat.reload()
    expect(chat.log.get_by_role("alert")).to_contain_text("This message cannot be shown.")
    for text in ("good one", "bad one", "good two"):
        expect(chat.log.get_by_text(text)).to_be_visible()
    expect(chat.answers).to_have_count(2)


def test_stored_conversations_with_such_answers_open(visit: Visitor, core: FakeCore, url: str) -> None:
    core.script = lambda request: answer(LOOPS["quotes"])
    chat = visit(url)
    chat.ask("First")
    chat.button("New conversation").click()
    core.script = lambda request: answer("second")
    chat.ask("Second")
    chat.reload()
    chat.conversation("First").click()
    expect(chat.answers).to_have_count(1)
    assert ">" * 6000 in chat.answers.nth(0).inner_text()
