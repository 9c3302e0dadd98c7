"""``slotline chat`` with pictures, at a terminal and with pipes, in front of a core that does what a test says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.chat_command import PROMPT, Open, environment
from tests.support.fake_core import FakeCore, whole
from tests.support.server import PATIENCE_S, SLOTLINE
from tests.support.terminal import CTRL_D

if TYPE_CHECKING:
    from pathlib import Path

    from slotline.v1.generation_pb2 import GenerateRequest
    from tests.support.adapter import AdapterThread

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with ``cat.png`` and ``the dog.png``, whose contents are their names."""
    for name in ("cat.png", "the dog.png"):
        (tmp_path / name).write_bytes(PNG + name.encode())
    return tmp_path


def last_turn(request: GenerateRequest) -> list[bytes | str]:
    """What the last message has, files without their beginning."""
    content = request.chat.messages[-1].content
    return [part.image.data.removeprefix(PNG) if part.HasField("image") else part.text for part in content]


def test_the_prompt_shows_the_pictures_that_go_along(core: FakeCore, open_chat: Open, pictures: Path) -> None:
    core.script = lambda request: whole("Pets.")
    chat = open_chat("--no-color")
    # Tab completes names of files.
    chat.type(f"/image {pictures}/ca\t\r")
    chat.wait_for("[cat.png] > ")
    chat.type(f"/image '{pictures}/the dog.png'\r")
    chat.wait_for("[cat.png, the dog.png] > ")
    chat.type("What are these?\r")
    chat.wait_for("Pets.")
    chat.wait_for(PROMPT)
    assert last_turn(core.wait_for_call().request) == [b"cat.png", b"the dog.png", "What are these?"]
    chat.type("Sure?\r")
    chat.wait_for("Pets.")
    chat.wait_for(PROMPT)
    assert last_turn(core.wait_for_call(1).request) == ["Sure?"]
    chat.type(CTRL_D)
    assert chat.wait() == 0


def test_pictures_of_the_command_line_wait_for_the_first_question(
    core: FakeCore, open_chat: Open, pictures: Path
) -> None:
    core.script = lambda request: whole("A cat.")
    chat = open_chat("--no-color", "--image", f"{pictures}/cat.png")
    assert "[cat.png] > " in chat.screen
    chat.type("/image no.png\r")
    chat.wait_for("error: /image no.png: cannot be read: No such file or directory")
    chat.type("Hi\r")
    chat.wait_for("A cat.")
    assert last_turn(core.wait_for_call().request) == [b"cat.png", "Hi"]


def test_a_script_can_send_pictures_alone(adapter: AdapterThread, core: FakeCore, pictures: Path) -> None:
    core.script = lambda request: whole("A cat.")
    command = [*SLOTLINE, "chat", "--url", adapter.url, "--image", f"{pictures}/cat.png"]
    done = subprocess.run(
        command, env=environment(), input="", capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert done.stdout == "A cat.\n"
    assert last_turn(core.wait_for_call().request) == [b"cat.png"]


def test_a_saved_conversation_is_what_the_page_exports(core: FakeCore, open_chat: Open, pictures: Path) -> None:
    core.script = lambda request: whole("A cat.")
    chat = open_chat("--no-color", "--image", f"{pictures}/cat.png")
    chat.type("What is this?\r")
    chat.wait_for("A cat.")
    chat.type(f"/save {pictures}/chat.json\r")
    chat.wait_for("saved 2 messages")
    (question, _) = json.loads((pictures / "chat.json").read_text())["conversations"][0]["messages"]
    assert question["images"] == ["data:image/png;base64,iVBORw0KGgpjYXQucG5n"]
