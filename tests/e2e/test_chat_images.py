"""``slotline chat`` and the Python client with pictures, on the default model with a projector that sees colours."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from slotline.client import AsyncClient, Client, SlotlineError, image
from tests.support.server import PATIENCE_S, SLOTLINE, Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.seeing_model import SeeingModels
    from tests.support.server_pool import ServerPool

GREEDY = ("--set", "temperature=0", "--set", "n_predict=12")
QUESTION = "What is the color of the picture? Answer with one word."
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def seeing_server(servers: ServerPool, seeing: SeeingModels) -> Server:
    return servers.get("-c", "8192", "-np", "4", "--embedding", "--mmproj", str(seeing.projector().path))


@pytest.fixture(scope="module")
def pictures(seeing: SeeingModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``red.png`` and so on, and ``odd.png``, which is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for colour in COLOURS:
        Image.fromarray(seeing.projector().draw(colour)).save(folder / f"{colour}.png")
    (folder / "odd.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    return folder


def chat(server: Server, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with pipes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLOTLINE_")}
    command = [*SLOTLINE, "chat", "--url", server.rest_url, *GREEDY, *arguments]
    return subprocess.run(command, env=kept, input=stdin, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_script_has_a_picture_described(colour: str, seeing_server: Server, pictures: Path) -> None:
    done = chat(seeing_server, "--image", f"{pictures}/{colour}.png", QUESTION)
    assert done.returncode == 0
    assert [word for word in COLOURS if word in done.stdout] == [colour]


def test_pictures_go_on_in_a_conversation_that_was_saved(seeing_server: Server, pictures: Path, tmp_path: Path) -> None:
    address = "data:image/png;base64," + base64.b64encode((pictures / "blue.png").read_bytes()).decode()
    messages = [
        {"role": "user", "content": "Look at this.", "images": [address]},
        {"role": "assistant", "content": "I do."},
    ]
    document = {"format": "slotline-conversations", "version": 1, "conversations": [{"messages": messages}]}
    (tmp_path / "c.json").write_text(json.dumps(document))
    done = chat(seeing_server, "--load", f"{tmp_path}/c.json", QUESTION)
    assert done.returncode == 0
    assert "blue" in done.stdout


def test_a_picture_that_the_server_refuses_is_named_by_its_file(seeing_server: Server, pictures: Path) -> None:
    done = chat(seeing_server, "--image", f"{pictures}/red.png", "--image", f"{pictures}/odd.png", QUESTION)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: odd.png: is no picture")
    assert done.stderr.count("\n") == 1


def test_a_model_that_takes_no_pictures_says_so(servers: ServerPool, pictures: Path) -> None:
    done = chat(servers.get("-c", "2048"), "--image", f"{pictures}/red.png", QUESTION)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: red.png: this model takes no pictures as the server was started")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("colour", COLOURS)
def test_the_client_has_pictures_in_prompts_of_parts(colour: str, seeing_server: Server, pictures: Path) -> None:
    before, after = "Look at the picture:", ".\nWhat colour is the picture? The picture is"
    with Client(seeing_server.grpc_address) as client:
        answer = client.complete([before, image(pictures / f"{colour}.png"), after], temperature=0, max_tokens=3)
    assert [word for word in COLOURS if word in answer.text] == [colour]
    assert answer.usage.image_tokens == 4


async def test_the_asynchronous_client_has_pictures_in_messages(seeing_server: Server, pictures: Path) -> None:
    async with AsyncClient(seeing_server.grpc_address) as client:
        content = [image((pictures / "green.png").read_bytes()), QUESTION]
        answer = await client.complete([{"role": "user", "content": content}], temperature=0, max_tokens=12)
    assert "green" in answer.text


def test_a_picture_is_embedded_as_the_words_that_it_stands_for(seeing_server: Server, pictures: Path) -> None:
    with Client(seeing_server.grpc_address) as client:
        picture, words, others = client.embed(
            [["It is", image(pictures / "red.png"), "."], "It is red red red red.", "It is blue blue blue blue."]
        )
    assert picture == pytest.approx(words, abs=1e-2)
    assert picture != pytest.approx(others, abs=1e-2)


def test_the_client_tells_which_part_is_no_picture(seeing_server: Server, pictures: Path) -> None:
    with Client(seeing_server.grpc_address) as client, pytest.raises(SlotlineError) as caught:
        client.complete(["Hi", image(pictures / "odd.png")])
    ((field, problem),) = caught.value.violations
    assert field == "parts.parts[1].image"
    assert problem.startswith("is no picture")


def test_the_model_tells_which_pictures_it_takes(seeing_server: Server) -> None:
    with Client(seeing_server.grpc_address) as client:
        (model,) = client.models()
    assert (model.images.projector_type, model.images.min_tokens, model.images.max_tokens) == ("mlp", 4, 4)
    assert set(model.images.formats) == {"png", "jpeg", "webp", "gif", "bmp"}
