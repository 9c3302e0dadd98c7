"""Images: added, shown with their message, kept, refused; and what is said where the model cannot see them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image
from playwright.sync_api import Locator, Route, expect

from tests.browser.test_accessibility import PHONE, has_room, violations
from tests.support.fake_core import MODEL, FakeCore

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import FilePayload

    from tests.browser.chat_page import ChatPage
    from tests.browser.conftest import Visitor
    from tests.support.seeing_model import SeeingModels
    from tests.support.server_pool import ServerPool

CHAT = "/v1/chat/completions"


def png(colour: str, width: int = 40, height: int = 40) -> bytes:
    """A file of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "png")
    return file.getvalue()


RED, BLUE = png("red"), png("blue", 1600, 800)
NO_PICTURE = b"\x89PNG and no more"

NO_ROOM_FOR_FILES = """
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (...given) {
    if (this.name === "pictures") throw new DOMException("full", "QuotaExceededError");
    return put.apply(this, given);
  };
"""

SLOW_FILES = """
  const read = FileReader.prototype.readAsDataURL;
  FileReader.prototype.readAsDataURL = function (...given) {
    setTimeout(() => read.apply(this, given), 500);
  };
"""


class Model:
    """Answers chats in the server's place."""

    def __init__(self) -> None:
        self.refusal = ""

    def answer(self, route: Route) -> None:
        """Answer a request as a model that sees, or refuse it."""
        if self.refusal:
            error = {"code": 400, "message": self.refusal, "type": "invalid_request_error"}
            route.fulfill(status=400, json={"error": error})
            return
        chunk = {"choices": [{"index": 0, "delta": {"content": "A red dot."}, "finish_reason": None}]}
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        events = "".join(f"data: {json.dumps(event)}\n\n" for event in (chunk, end))
        route.fulfill(content_type="text/event-stream", body=events + "data: [DONE]\n\n")


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def open_seeing(core: FakeCore, url: str, visit: Visitor, model: Model) -> Callable[..., ChatPage]:
    """Opens a page that is told that the model can see."""

    def start(**settings: Any) -> ChatPage:
        chat = visit(url, **settings)
        expect(chat.message).to_be_visible()
        told = requests.get(f"{url}/props?server", timeout=30).json() | {"modalities": {"vision": True}}
        chat.page.route("**/props*", lambda route: route.fulfill(json=told))
        chat.page.route(f"**{CHAT}?*", model.answer)
        with chat.page.expect_response("**/props*"):
            chat.reload()
        expect(chat.page.get_by_role("banner").get_by_role("status")).to_contain_text(MODEL)
        return chat

    return start


@pytest.fixture
def page(open_seeing: Callable[..., ChatPage]) -> ChatPage:
    return open_seeing()


def choose(chat: ChatPage, **files: bytes) -> None:
    """Choose files by the button; each name lacks its ending."""
    chosen: list[FilePayload] = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": content} for name, content in files.items()
    ]
    with chat.page.expect_file_chooser() as chooser:
        chat.button("Add image").click()
    chooser.value.set_files(chosen)


def give(target: Locator, event: str, name: str, content: bytes, kind: str = "image/png") -> None:
    """Paste a file, or drop it on an element."""
    target.evaluate(
        """(element, [event, name, content, kind]) => {
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], name, { type: kind }));
          const given = event === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent(event, { dataTransfer: data, bubbles: true, cancelable: true });
          element.dispatchEvent(given);
        }""",
        [event, name, base64.b64encode(content).decode(), kind],
    )


def draft(chat: ChatPage) -> Locator:
    """The images of the message that is being written."""
    return chat.page.get_by_role("list", name="Images of this message").get_by_role("img")


def sent(chat: ChatPage, number: int = -1) -> list[bytes | str]:
    """Files and texts of the last message of a request."""
    content = chat.bodies(CHAT)[number]["messages"][-1]["content"]
    urls = [part["image_url"]["url"] if part["type"] == "image_url" else part["text"] for part in content]
    return [base64.b64decode(url.split(",")[1]) if url.startswith("data:image/") else url for url in urls]


def test_a_model_that_cannot_see_greys_the_button_out_and_says_why(url: str, visit: Visitor) -> None:
    chat = visit(url)
    expect(chat.page.get_by_role("banner").get_by_role("status")).to_contain_text(MODEL)
    reason = "This model cannot see images: the server was started without a projector (--mmproj)."
    add = chat.button("Add image")
    expect(add).to_have_attribute("aria-disabled", "true")
    expect(add).to_have_attribute("title", reason)
    expect(add).to_have_accessible_description(reason)
    add.press("Enter")
    expect(chat.page.get_by_text(reason)).to_be_visible()
    chat.button("Dismiss").click()
    for event, target in (("paste", chat.message), ("drop", chat.log)):
        give(target, event, "red.png", RED)
        expect(chat.page.get_by_text(reason)).to_be_visible()
        chat.button("Dismiss").click()
    expect(draft(chat)).to_have_count(0)


def test_an_image_is_sent_as_it_is_and_shown_small_also_after_a_reload(page: ChatPage) -> None:
    choose(page, red=RED, blue=BLUE)
    expect(draft(page)).to_have_count(2)
    page.ask("What is this?")
    expect(draft(page)).to_have_count(0)
    assert sent(page) == [RED, BLUE, "What is this?"]
    for _ in range(2):
        images = page.questions.get_by_role("img")
        expect(images).to_have_count(2)
        assert [image.get_attribute("alt") for image in images.all()] == ["red.png", "blue.png"]
        assert images.nth(1).evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [512, 256]
        page.reload()
    page.answers.get_by_role("button", name="Regenerate").click()
    page.wait_for_answer()
    assert sent(page) == [RED, BLUE, "What is this?"]


def test_images_can_be_pasted_and_dropped_and_taken_out_again(page: ChatPage) -> None:
    give(page.message, "paste", "red.png", RED)
    expect(draft(page)).to_have_count(1)
    give(page.log, "dragover", "blue.png", BLUE)
    expect(page.page.get_by_text("Drop images to add them to your message")).to_be_visible()
    give(page.log, "drop", "blue.png", BLUE)
    expect(page.page.get_by_text("Drop images to add them to your message")).to_have_count(0)
    expect(draft(page)).to_have_count(2)
    page.button("Remove red.png").press("Enter")
    expect(draft(page)).to_have_count(1)
    assert page.focused()["name"] == "Message"
    page.message.press("Enter")
    page.wait_for_answer()
    assert sent(page) == [BLUE]


def test_other_files_are_refused_by_name(page: ChatPage) -> None:
    give(page.log, "drop", "notes.pdf", b"%PDF", "application/pdf")
    expect(page.page.get_by_text("notes.pdf: only PNG, JPEG, WebP, GIF and BMP images can be sent.")).to_be_visible()
    expect(draft(page)).to_have_count(0)


def test_what_the_server_says_against_an_image_stands_there_and_it_can_be_taken_out(
    page: ChatPage, model: Model
) -> None:
    page.watch.announce("400 (Bad Request)")
    model.refusal = "messages[0].content[1].image_url: is no picture; allowed are PNG, JPEG, WebP, GIF and BMP"
    choose(page, red=RED, odd=NO_PICTURE)
    expect(draft(page)).to_have_count(2)
    page.ask("What is this?")
    refused = page.questions.get_by_role("figure").filter(has=page.page.get_by_role("img", name="odd.png"))
    expect(refused.get_by_role("alert")).to_have_text("Is no picture; allowed are PNG, JPEG, WebP, GIF and BMP")
    expect(page.questions.get_by_role("alert")).to_have_count(1)
    model.refusal = ""
    page.questions.get_by_role("button", name="Edit").click()
    page.button("Remove odd.png").click()
    page.button("Save and answer").click()
    expect(page.wait_for_answer()).to_contain_text("A red dot.")
    assert sent(page) == [RED, "What is this?"]
    expect(page.questions.get_by_role("alert")).to_have_count(0)


def test_an_export_has_the_images_and_an_import_brings_them_back(page: ChatPage, tmp_path: Path) -> None:
    choose(page, blue=BLUE)
    page.ask("What is this?")
    with page.page.expect_download() as download:
        page.act_on("What is this?", "Export")
    file = Path(download.value.path())
    (question, _) = json.loads(file.read_text())["conversations"][0]["messages"]
    assert [base64.b64decode(image.split(",")[1]) for image in question["images"]] == [BLUE]
    page.act_on("What is this?", "Delete")
    page.dialog("Delete this conversation?").get_by_role("button", name="Delete").click()
    expect(page.questions).to_have_count(0)
    with page.page.expect_file_chooser() as chooser:
        page.button("Import").click()
    chooser.value.set_files(file)
    page.conversation("What is this?").click()
    expect(page.questions.get_by_role("img")).to_be_visible()
    page.ask("And now?", 2)
    first = page.bodies(CHAT)[-1]["messages"][0]["content"][0]["image_url"]["url"]
    assert base64.b64decode(first.split(",")[1]) == BLUE


def test_a_message_waits_for_its_pictures(open_seeing: Callable[..., ChatPage]) -> None:
    chat = open_seeing(script=SLOW_FILES)
    choose(chat, blue=BLUE, red=RED)
    chat.ask("What are these?")
    assert sent(chat) == [BLUE, RED, "What are these?"]


def test_where_the_browser_has_no_room_a_small_copy_is_left(open_seeing: Callable[..., ChatPage]) -> None:
    chat = open_seeing(script=NO_ROOM_FOR_FILES)
    choose(chat, blue=BLUE)
    chat.ask("What is this?")
    assert sent(chat) == [BLUE, "What is this?"]
    expect(chat.page.get_by_text("The browser's storage has no room for these pictures.")).to_be_visible()
    chat.reload()
    expect(chat.questions.get_by_role("img")).to_be_visible()
    chat.answers.get_by_role("button", name="Regenerate").click()
    chat.wait_for_answer()
    expect(chat.page.get_by_text("Small copies were sent in their place.")).to_be_visible()
    small, text = sent(chat)
    assert isinstance(small, bytes)
    with Image.open(io.BytesIO(small)) as image:
        assert (image.format, image.size) == ("JPEG", (512, 256))
    assert text == "What is this?"


def test_a_model_that_sees_answers_about_a_picture_and_refuses_what_is_none(
    servers: ServerPool, seeing: SeeingModels, visit: Visitor
) -> None:
    projector = seeing.projector()
    server = servers.get("-c", "8192", "-np", "4", "--mmproj", str(projector.path))
    chat = visit(server.rest_url)
    chat.watch.announce("400 (BAD REQUEST)")
    expect(chat.button("Add image")).not_to_have_attribute("aria-disabled", "true")
    chat.set_option("Temperature", "0")
    file = io.BytesIO()
    Image.fromarray(projector.draw("blue")).save(file, "png")
    choose(chat, blue=file.getvalue())
    chat.ask("What is the color of the picture? Answer with one word.")
    expect(chat.answers).to_contain_text("blue")
    choose(chat, odd=NO_PICTURE)
    chat.ask("And this?", 2)
    expect(chat.questions.nth(1).get_by_role("alert")).to_contain_text("Is no picture")
    expect(chat.answers.nth(1)).to_contain_text("odd.png: is no picture")
    expect(chat.questions.nth(0).get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_about_images(
    open_seeing: Callable[..., ChatPage], model: Model, axe: str, scheme: str
) -> None:
    chat = open_seeing(width=PHONE[0], height=PHONE[1], scheme=scheme, script=axe)
    chat.watch.announce("400 (Bad Request)")
    model.refusal = "messages[0].content[1].image_url: is no picture"
    choose(chat, red=RED, odd=NO_PICTURE, blue=BLUE)
    expect(draft(chat)).to_have_count(3)
    assert violations(chat) == []
    chat.ask("What is this?")
    expect(chat.questions.get_by_role("alert")).to_be_visible()
    # Notes fade in.
    chat.button("Dismiss").click()
    assert violations(chat) == []
    chat.questions.get_by_role("button", name="Edit").click()
    assert violations(chat) == []
    assert has_room(chat)
