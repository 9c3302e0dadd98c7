"""How the default model's answers are written, over real sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests

from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server_pool import ServerPool

SMALL = ("-c", "512", "-ngl", "0")


def chat_format(server: Server) -> dict[str, Any]:
    shown: dict[str, Any] = requests.get(f"{server.rest_url}/props?server", timeout=60).json()["chat_format"]
    return shown


def test_the_default_models_template_knows_no_tools(servers: ServerPool) -> None:
    shown = chat_format(servers.get(*SMALL))
    assert (shown["tool_format"], shown["tool_source"]) == ("json", "fallback")
    assert shown["description"]["calls"]["call_open"] == "<tool_call>\n"
    assert (shown["reasoning_open"], shown["reasoning_switches"]) == ("", [])


def test_a_format_is_chosen_by_its_name(servers: ServerPool) -> None:
    shown = chat_format(servers.get(*SMALL, "--tool-format", "mistral"))
    assert (shown["tool_format"], shown["tool_source"]) == ("name_json", "option")


def test_a_format_is_chosen_by_a_file_that_the_core_gets_a_copy_of(tmp_path: Path) -> None:
    file = tmp_path / "format.json"
    file.write_text(json.dumps({"calls": {"style": "name_json", "call_open": "CALL ", "name_close": " WITH "}}))
    with Server(*SMALL, "--verbose", "--tool-format", str(file)) as server:
        server.wait_for_record("HTTP server listening")
        file.unlink()
        server.wait_until_ready()
        assert chat_format(server)["description"]["calls"]["call_open"] == "CALL "
        record = server.wait_for_record("format of answers")
    assert json.loads(record["format"])["source"] == "option"
