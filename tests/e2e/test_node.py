"""JavaScript clients: the files of tests/node, run by Node's own test runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.node import run_tests, skip_without_node, skip_without_package

if TYPE_CHECKING:
    from tests.support.seeing_model import SeeingModels
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

FOLDER = Path(__file__).resolve().parent.parent / "node"
#: Its server has a projector.
IMAGES = "images.test.js"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.js") if path.name != IMAGES))
def test_the_file_passes(name: str, server: Server) -> None:
    skip_what_cannot_run()
    run_tests(FOLDER / name, os.environ | {"SLOTLINE_URL": server.rest_url})


def test_the_file_about_images_passes(servers: ServerPool, seeing: SeeingModels, tmp_path: Path) -> None:
    skip_what_cannot_run()
    projector, picture, colour = seeing.projector(), tmp_path / "picture.png", "red"
    Image.fromarray(projector.draw(colour)).save(picture)
    server = servers.get("-c", "8192", "-np", "4", "--embedding", "--mmproj", str(projector.path))
    facts = {"SLOTLINE_URL": server.rest_url, "SLOTLINE_PICTURE": str(picture), "SLOTLINE_COLOUR": colour}
    run_tests(FOLDER / IMAGES, os.environ | facts)


def skip_what_cannot_run() -> None:
    skip_without_node()
    for package in ("openai", "@anthropic-ai/sdk"):
        skip_without_package(FOLDER, package)
