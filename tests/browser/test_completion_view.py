"""The completion view: the text is the prompt and grows where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, answer
from tests.support.fake_core import WAIT_S, FakeCore, Hold, accepted, delta

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor


@pytest.fixture
def view(url: str, visit: Visitor) -> ChatPage:
    """The view on the scripted core."""
    return visit(url, "/#/completion")


def test_the_text_grows_and_goes_back(view: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: answer(" upon", " a time")
    text = view.textbox("Text")
    text.fill("Once")
    view.button("Generate").click()
    expect(text).to_have_value("Once upon a time")
    assert core.calls[0].request.text == "Once"
    view.button("Undo").click()
    expect(text).to_have_value("Once")


def test_stop_keeps_what_came(view: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: [accepted(), delta(" upon"), Hold()]
    text = view.textbox("Text")
    text.fill("Once")
    view.button("Generate").click()
    expect(text).to_have_value("Once upon")
    view.button("Stop").click()
    expect(view.button("Generate")).to_be_enabled()
    expect(text).to_have_value("Once upon")
    assert core.wait_for_call().cancelled.wait(WAIT_S)


def test_the_text_goes_on_from_where_it_ends(view: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: answer("!")
    text = view.textbox("Text")
    text.fill("a")
    for expected in ("a!", "a!!"):
        view.button("Generate").click()
        expect(text).to_have_value(expected)
        expect(view.button("Generate")).to_be_enabled()
    assert [call.request.text for call in core.calls] == ["a", "a!"]


def test_options_count_here_too(view: ChatPage, core: FakeCore) -> None:
    view.set_option("Temperature", "0.3")
    view.textbox("Text").fill("a")
    view.button("Generate").click()
    expect(view.textbox("Text")).to_have_value("aabc")
    assert view.bodies("/completion")[0]["temperature"] == 0.3


def test_a_reload_keeps_the_text(view: ChatPage, core: FakeCore) -> None:
    view.textbox("Text").fill("Once upon")
    view.page.reload()
    expect(view.textbox("Text")).to_have_value("Once upon")
