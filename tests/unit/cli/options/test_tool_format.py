"""``--tool-format``: a name, or a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.dialogue.description import describe, resolve_tool_format
from service.dialogue.known_formats import KNOWN_FORMATS
from slotline.cli.main import main
from slotline.cli.options.tool_format import tool_format
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", KNOWN_FORMATS)
def test_a_name_is_taken_as_it_is(name: str) -> None:
    assert tool_format("--tool-format", name) == name


def test_a_file_is_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "format.json"
    file.write_text(json.dumps(describe(KNOWN_FORMATS["apertus"])))
    content = tool_format("--tool-format", str(file))
    file.unlink()
    assert resolve_tool_format(content).calls == KNOWN_FORMATS["apertus"].calls


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("{", "is not JSON"),
        ('{"reasoning": null}', "has no 'calls'"),
        ('{"calls": {"style": "morse"}}', "has calls.style 'morse'; allowed are none, json"),
        ("{" + " " * 65536, "is larger than the 65536 bytes allowed"),
    ],
)
def test_a_file_that_describes_no_format_says_why(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "format.json"
    file.write_text(content)
    with pytest.raises(InvalidValue) as caught:
        tool_format("--tool-format", str(file))
    assert str(caught.value).startswith(f"--tool-format {file}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["serve", "core"])
def test_neither_a_name_nor_a_file_stops_the_start(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--tool-format", "morse"]) == 1
    assert "--tool-format morse: is neither a file nor one of apertus, apriel" in capsys.readouterr().err
