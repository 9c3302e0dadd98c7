"""completion.js and json-schema-to-grammar.mjs as they are served: the files of tests/web/served, run by Node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rest_adapter.config import RestConfig
from tests.support.adapter import AdapterThread
from tests.support.documented_page import DOCUMENTED_PAGE
from tests.support.fake_core import whole
from tests.support.node import run_tests, skip_without_node

if TYPE_CHECKING:
    from tests.support.fake_core import FakeCore
    from tests.support.server import Server

FOLDER = Path(__file__).resolve().parent.parent / "web/served"

PIECES = ("<b>Why</b>", " did the ", "龍", " cross?")


def test_the_modules_against_the_server_that_serves_them(server: Server) -> None:
    skip_without_node()
    run_tests(FOLDER / "completion.test.js", os.environ | {"SLOTLINE_URL": server.rest_url})


def test_the_documented_page_in_a_directory_of_the_users_finds_completion_js(tmp_path: Path, core: FakeCore) -> None:
    skip_without_node()
    directory = tmp_path / "public"
    directory.mkdir()
    (directory / "index.html").write_text(DOCUMENTED_PAGE)
    core.script = lambda request: whole(*PIECES)
    adapter = AdapterThread(RestConfig(core=core.address, static_path=str(directory)))
    try:
        variables = {"SLOTLINE_URL": adapter.url, "SLOTLINE_TEXT": "".join(PIECES)}
        run_tests(FOLDER / "page.test.js", os.environ | variables)
        (call,) = core.calls
        assert call.request.text.startswith("### Instruction:\nWrite dad jokes")
    finally:
        adapter.close()
