"""The page as it comes: what it shows first, what it loads, and from where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Dialog, expect

from tests.browser.chat_page import answer
from tests.support.fake_core import MODEL, FakeCore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.conftest import Visitor
    from tests.support.server import Server

#: Bytes of the whole page, as they are transferred.
LIMIT_BYTES = 400_000


def test_the_first_visit_shows_the_model_and_waits_for_a_message(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    expect(chat.page).to_have_title("Slotline")
    expect(chat.message).to_be_focused()
    expect(chat.answers).to_have_count(0)
    state = chat.page.get_by_role("banner").get_by_role("status")
    expect(state).to_contain_text("SmolLM2-135M", ignore_case=True)
    expect(state).to_contain_text("ready")
    views = chat.page.get_by_role("navigation", name="Views")
    expect(views.get_by_role("link", name="Chat", exact=True)).to_have_attribute("aria-current", "page")


def test_the_whole_page_weighs_little_and_comes_from_its_server_alone(url: str, visit: Visitor) -> None:
    chat = visit(url)
    for view in ("Completion", "Monitor", "Chat"):
        chat.go(view)
    chat.ask("```js\nlet a = 1;\n```")
    chat.open_options()
    sizes = [request.sizes() for request in chat.watch.requests if request.url.startswith(url)]
    # That nothing goes elsewhere is checked at the end of every test.
    assert len(sizes) > 10
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) < LIMIT_BYTES


def test_what_the_page_is_not_made_of_cannot_run(url: str, visit: Visitor) -> None:
    chat = visit(url)
    expect(chat.message).to_be_visible()
    chat.watch.announce("Content Security Policy", "Content-Security-Policy")
    ran = chat.page.evaluate(
        """() => {
          globalThis.ran = [];
          const script = document.createElement("script");
          script.textContent = "globalThis.ran.push('inline')";
          document.body.append(script);
          const image = document.createElement("img");
          image.setAttribute("onerror", "globalThis.ran.push('handler')");
          image.src = "data:image/png;base64,broken";
          document.body.append(image);
          return new Promise((resolve) => {
            image.addEventListener("error", () => setTimeout(() => resolve(globalThis.ran)));
          });
        }"""
    )
    assert ran == []
    other = chat.page.evaluate(
        """() => fetch("http://127.0.0.1:9/elsewhere").then(() => "fetched", () => "refused")""",
    )
    assert other == "refused"
    chat.watch.announce("127.0.0.1:9")


def test_an_answer_cannot_bring_in_anything(core: FakeCore, url: str, visit: Visitor) -> None:
    evil = (
        '<script>alert(1)</script><img src="http://127.0.0.1:9/spy.png" onerror="alert(2)"> [x](javascript:alert(3)) ok'
    )
    core.script = lambda request: answer(evil, " ![spy](http://127.0.0.1:9/spy.png)")
    chat = visit(url)
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    chat.page.on("dialog", note)
    shown = chat.ask("Hello")
    expect(shown).to_contain_text("ok")
    expect(shown.locator("script")).to_have_count(0)
    expect(shown.locator('[href^="javascript"]')).to_have_count(0)
    assert dialogs == []


def test_a_directory_of_the_users_own_comes_first_and_the_rest_stays(
    serve: Callable[..., str], visit: Visitor, tmp_path: Path
) -> None:
    (tmp_path / "mine.html").write_text("<!doctype html><title>Mine</title><link rel=icon href=data:,>")
    served = serve(static_path=str(tmp_path))
    chat = visit(served)
    expect(chat.message).to_be_focused()
    chat.open("/mine.html")
    expect(chat.page).to_have_title("Mine")


@pytest.mark.parametrize(
    ("name", "title"), [("chat", "Slotline"), ("completion", "Completion"), ("monitor", "Monitor")]
)
def test_every_view_has_an_address(name: str, title: str, url: str, visit: Visitor) -> None:
    opened = visit(url, f"/#/{name}")
    expect(opened.page).to_have_title(re.compile(f"^{title}"))
    link = opened.page.get_by_role("navigation", name="Views").get_by_role("link", name=name.capitalize(), exact=True)
    expect(link).to_have_attribute("aria-current", "page")
    expect(opened.page.get_by_role("banner").get_by_role("status")).to_contain_text(MODEL)
