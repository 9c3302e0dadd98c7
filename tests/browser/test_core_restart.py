"""The core goes away and comes back: the page says so, and goes on."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.chat_page import answer
from tests.support.fake_core import FakeCore, Hold, accepted, delta
from tests.support.server import Server

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor


def test_a_killed_core_is_told_and_the_page_goes_on_with_the_next(visit: Visitor) -> None:
    with Server("-c", "2048", "-np", "2") as server:
        server.wait_until_ready()
        chat = visit(server.rest_url)
        chat.watch.announce("503", "502", "net::ERR_")
        chat.switch_on("Ignore the end")
        chat.send("Tell me a very long story about the sea.")
        expect(chat.answers.locator("p").first).to_be_visible()
        os.kill(server.core_pid(), signal.SIGKILL)
        chat.wait_until_idle()
        expect(chat.questions).to_have_count(1)
        server.wait_until_ready_again()
        state = chat.page.get_by_role("banner").get_by_role("status")
        expect(state).to_contain_text("ready")
        chat.set_option("Most tokens", "8")
        chat.answers.get_by_role("button", name="Regenerate").click()
        chat.wait_for_answer()
        expect(chat.answers.locator("p").first).to_be_visible()


def test_a_core_that_is_away_is_said_until_it_is_back(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: [accepted(), delta("Half"), Hold()]
    chat = visit(url)
    chat.watch.announce("503")
    chat.send("Hello")
    expect(chat.answers).to_contain_text("Half")
    core.kill()
    chat.wait_until_idle()
    expect(chat.answers).to_contain_text("Half")
    # The adapter cannot tell a core that starts from one that is away.
    banner = chat.page.get_by_role("status").filter(has_text="The server is loading its model.")
    expect(banner).to_be_visible()
    core.script = lambda request: answer("Whole")
    core.start()
    expect(banner).to_have_count(0)
    chat.answers.get_by_role("button", name="Regenerate").click()
    expect(chat.wait_for_answer()).to_contain_text("Whole")
