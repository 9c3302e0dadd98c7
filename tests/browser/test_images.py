"""Images: shown with the message if the model can see them, and a plain word if it cannot."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import Route, expect

from tests.browser.chat_page import ChatPage, answer
from tests.support.fake_core import MODEL, FakeCore

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor

#: A red pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def test_a_model_that_cannot_see_says_so(url: str, visit: Visitor) -> None:
    chat = visit(url)
    chat.button("Add image").click()
    expect(chat.page.get_by_text("This model cannot see images.").first).to_be_visible()


@pytest.fixture
def seeing(core: FakeCore, url: str, visit: Visitor) -> ChatPage:
    """A page that is told that the model can see."""
    chat = visit(url)
    expect(chat.message).to_be_visible()

    told = requests.get(f"{url}/props?server", timeout=30).json() | {"modalities": {"vision": True}}

    def accept(route: Route) -> None:
        """A scripted answer: the core knows no images yet."""
        chunk = {"choices": [{"index": 0, "delta": {"content": "A red dot."}, "finish_reason": None}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        events = "".join(f"data: {json.dumps(event)}\n\n" for event in (chunk, end))
        route.fulfill(content_type="text/event-stream", body=events + "data: [DONE]\n\n")

    chat.page.route("**/props*", lambda route: route.fulfill(json=told))
    chat.page.route("**/v1/chat/completions", accept)
    core.script = lambda request: answer("unused")
    with chat.page.expect_response("**/props*"):
        chat.reload()
    expect(chat.page.get_by_role("banner").get_by_role("status")).to_contain_text(MODEL)
    return chat


def test_an_image_is_shown_with_its_message_and_sent(seeing: ChatPage) -> None:
    with seeing.page.expect_file_chooser() as chooser:
        seeing.button("Add image").click()
    chooser.value.set_files({"name": "red.png", "mimeType": "image/png", "buffer": PNG})
    seeing.ask("What is this?")
    expect(seeing.questions.get_by_role("img")).to_be_visible()
    expect(seeing.answers).to_contain_text("A red dot.")
    content = seeing.bodies("/v1/chat/completions")[0]["messages"][-1]["content"]
    kinds = {part["type"]: part for part in content}
    assert kinds["text"]["text"] == "What is this?"
    assert kinds["image_url"]["image_url"]["url"].startswith("data:image/")
    seeing.reload()
    expect(seeing.questions.get_by_role("img")).to_be_visible()
