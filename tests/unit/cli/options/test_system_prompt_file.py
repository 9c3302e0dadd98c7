from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from service.config import SystemPromptText
from slotline.cli.commands import COMMANDS
from slotline.cli.main import main
from slotline.cli.options.core_options import CORE_GROUPS, core_config
from slotline.cli.options.serve_options import SERVE_GROUPS
from slotline.cli.options.system_prompt_file import MAX_BYTES, system_prompt_file
from slotline.cli.options.table import parse
from slotline.cli.options.values import InvalidValue
from slotline.cli.serve.private_directory import PrivateDirectory
from slotline.cli.serve.serve import GrpcAddresses, core_command

if TYPE_CHECKING:
    from pathlib import Path

FORM = "allowed is a JSON object with the strings prompt, anti_prompt and assistant_name, each optional"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "system.json"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"prompt":"P","anti_prompt":"User:","assistant_name":"Llama:"}',
            SystemPromptText("P", anti_prompt="User:", assistant_name="Llama:"),
        ),
        ('{"prompt":"Grüße\\n"}', SystemPromptText("Grüße\n")),
        ('\ufeff{"prompt":"P"}', SystemPromptText("P")),
        ('{"prompt":null,"anti_prompt":"U","other":5}', SystemPromptText("", anti_prompt="U")),
        ("{}", SystemPromptText("")),
    ],
)
def test_what_a_file_may_hold(path: Path, content: str, expected: SystemPromptText) -> None:
    path.write_text(content)
    assert system_prompt_file("-spf", str(path)) == expected


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not JSON: Expecting value at line 1, column 1"),
        (b"You are a bot.", "is not JSON: Expecting value at line 1, column 1"),
        (b'{"prompt":\n"P"', "is not JSON: Expecting ',' delimiter at line 2, column 4"),
        (b'{"prompt":"\xff"}', "is not UTF-8: invalid start byte at byte 11"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'"P"', "is not an object"),
        (b"[]", "is not an object"),
        (b"5", "is not an object"),
        (b'{"prompt":5}', "prompt is not a string"),
        (b'{"anti_prompt":["U"]}', "anti_prompt is not a string"),
        (b'{"assistant_name":true}', "assistant_name is not a string"),
        (b'{"prompt":"\\ud800"}', "prompt holds half of a surrogate pair"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_other_contents_are_refused_with_one_line(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InvalidValue) as caught:
        system_prompt_file("-spf", str(path))
    assert str(caught.value) == f"-spf {path}: {problem}; {FORM}"


def test_a_file_that_is_too_large_is_refused(path: Path) -> None:
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(InvalidValue, match=rf"^-spf {re.escape(str(path))}: is larger than the {MAX_BYTES} bytes"):
        system_prompt_file("-spf", str(path))


@pytest.mark.parametrize("command", ["serve", "core"])
@pytest.mark.parametrize("name", ["nothing.json", ".", "a\0b"])
def test_a_file_that_cannot_be_read_stops_the_start(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f"{tmp_path}/{name}"
    assert main([command, "--system-prompt-file", missing]) == 1
    output = capsys.readouterr()
    assert output.err == (
        f"error: failed to open file '{missing}'\nerror: invalid parameter for argument: --system-prompt-file\n"
    )
    assert output.out == COMMANDS[command].usage


def test_the_core_of_a_server_reads_what_the_server_has_read(path: Path) -> None:
    path.write_text('{"prompt":"P \\u00e9","anti_prompt":"U"}')
    parsed = parse(SERVE_GROUPS, ["-m", "model.gguf", "-spf", str(path), "-c", "512"])
    config = core_config(parsed.settings)
    assert config.system_prompt == SystemPromptText("P é", anti_prompt="U")
    # A pipe can be read only once, and a core may be started again at any time.
    path.unlink()
    directory = PrivateDirectory()
    try:
        command = core_command(parsed, config, directory, GrpcAddresses())
        assert core_config(parse(CORE_GROUPS, command[5:]).settings).system_prompt == config.system_prompt
    finally:
        directory.remove()
