from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from slotline.cli.options.core_options import CORE_GROUPS, core_config
from slotline.cli.options.rest_options import rest_config
from slotline.cli.options.serve_options import SERVE_GROUPS, by_shape
from slotline.cli.options.table import UsageError, parse
from slotline.cli.serve import serve
from slotline.cli.serve.model_file import check_model
from slotline.cli.serve.private_directory import PrivateDirectory
from slotline.cli.serve.serve import GrpcAddresses
from slotline.cli.start_errors import StartError
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def busy_address(stack: ExitStack) -> str:
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return f"127.0.0.1:{listener.getsockname()[1]}"


def test_addresses_that_were_asked_for_are_mandatory(stack: ExitStack) -> None:
    addresses = serve.reserve(("127.0.0.1:0", "unix:/tmp/s"), stack)
    assert addresses.mandatory[1] == "unix:/tmp/s"
    assert not addresses.mandatory[0].endswith(":0")
    assert (addresses.optional, addresses.missing) == ((), ())


def test_an_address_that_was_asked_for_and_is_busy_stops_the_start(stack: ExitStack, busy_address: str) -> None:
    with pytest.raises(StartError, match=f"^--grpc-listen {busy_address}: Address already in use; choose another"):
        serve.reserve(("127.0.0.1:0", busy_address), stack)


def test_the_default_address_is_optional(stack: ExitStack, busy_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "DEFAULT_GRPC_ADDRESS", "127.0.0.1:0")
    assert len(serve.reserve((), stack).optional) == 1
    monkeypatch.setattr(serve, "DEFAULT_GRPC_ADDRESS", busy_address)
    assert serve.reserve((), stack) == GrpcAddresses(missing=(busy_address,))


@pytest.fixture
def directory() -> Iterator[PrivateDirectory]:
    """What adapter and core share."""
    directory = PrivateDirectory()
    yield directory
    directory.remove()


def test_the_command_of_the_core_describes_the_same_core(directory: PrivateDirectory) -> None:
    arguments = ["-c", "2048", "-np", "4", "--port", "0", "-v", "--grpc-listen", "127.0.0.1:0", "-m", "a b.gguf"]
    parsed = parse(SERVE_GROUPS, arguments)
    config = core_config(parsed.settings)
    grpc = GrpcAddresses(mandatory=("127.0.0.1:50052",), optional=("127.0.0.1:50051",))
    command = serve.core_command(parsed, config, directory, grpc)
    assert command[:5] == [sys.executable, "-P", "-m", "slotline.cli", "core"]
    settings = parse(CORE_GROUPS, command[5:]).settings
    core = core_config(settings)
    assert core.model == config.model
    assert core.listen == (directory.socket_address, "127.0.0.1:50052")
    assert core.optional_listen == ("127.0.0.1:50051",)
    assert settings["parent_pid"] == os.getpid()
    assert settings["verbose"] is True
    assert settings["ready_file"] == directory.ready_file


@pytest.mark.parametrize(
    ("arguments", "cap", "usual"),
    [
        ((), None, None),
        (("-n", "64"), 64, None),
        (("--default-n-predict", "64"), None, 64),
        (("--api-shape", "now"), None, None),
        (("--api-shape", "now", "-n", "64"), None, 64),
        (("-n", "64", "--api-shape", "now", "--predict", "32"), None, 32),
        (("--api-shape", "now", "-n", "-1"), None, None),
        (("--api-shape", "now", "-n", "64", "--default-n-predict", "16"), 64, 16),
        (("--api-shape", "now", "-n", "64", "--default-n-predict", "-1"), 64, None),
    ],
)
def test_today_n_predict_is_what_requests_get_and_no_cap(
    arguments: tuple[str, ...], cap: int | None, usual: int | None, directory: PrivateDirectory
) -> None:
    parsed = by_shape(parse(SERVE_GROUPS, ["-m", "x.gguf", *arguments]))
    config = core_config(parsed.settings)
    command = serve.core_command(parsed, config, directory, GrpcAddresses())
    for core in (config, core_config(parse(CORE_GROUPS, command[5:]).settings)):
        assert (core.max_tokens, core.default_max_tokens) == (cap, usual)


def test_keys_reach_the_core_in_a_file_that_only_we_can_read(directory: PrivateDirectory) -> None:
    parsed = parse(SERVE_GROUPS, ["-m", "x.gguf", "--api-key", "first-secret", "--api-key", "other secret"])
    command = serve.core_command(parsed, core_config(parsed.settings), directory, GrpcAddresses())
    assert not any("secret" in argument for argument in command)
    assert core_config(parse(CORE_GROUPS, command[5:]).settings).api_keys == ("first-secret", "other secret")
    assert (directory.path / "api_keys").stat().st_mode & 0o777 == 0o600


def test_the_adapters_own_key_reaches_the_core_in_a_file_as_well(directory: PrivateDirectory) -> None:
    parsed = parse(SERVE_GROUPS, ["-m", "x.gguf", "--api-key", "first-secret"])
    config = serve.with_adapter_key(core_config(parsed.settings))
    assert config.adapter_key is not None
    assert len(config.adapter_key) > 40
    assert config.adapter_key not in repr(config)
    command = serve.core_command(parsed, config, directory, GrpcAddresses())
    assert config.adapter_key not in " ".join(command)
    core = core_config(parse(CORE_GROUPS, command[5:]).settings)
    assert (core.api_keys, core.adapter_key) == (("first-secret",), config.adapter_key)
    assert (directory.path / "adapter_key").stat().st_mode & 0o777 == 0o600


def test_what_requests_may_do_is_the_same_for_adapter_and_core(directory: PrivateDirectory) -> None:
    for arguments in ([], ["--allow-system-prompt"]):
        parsed = parse(SERVE_GROUPS, ["-m", "x.gguf", *arguments])
        command = serve.core_command(parsed, core_config(parsed.settings), directory, GrpcAddresses())
        core = core_config(parse(CORE_GROUPS, command[5:]).settings)
        assert core.allow_system_prompt == rest_config(parsed.settings).allow_system_prompt == bool(arguments)


def test_without_keys_the_adapter_needs_none(directory: PrivateDirectory) -> None:
    parsed = parse(SERVE_GROUPS, ["-m", "x.gguf"])
    config = serve.with_adapter_key(core_config(parsed.settings))
    assert config.adapter_key is None
    assert "--adapter-key-file" not in serve.core_command(parsed, config, directory, GrpcAddresses())


def test_the_default_model_is_named_to_the_core(directory: PrivateDirectory) -> None:
    parsed = parse(SERVE_GROUPS, [])
    config = core_config(parsed.settings)
    command = serve.core_command(parsed, config, directory, GrpcAddresses())
    assert command[-2:] == ["--model", config.model.path]


def test_a_good_model_file_is_described(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    facts = check_model(core_config({"path": str(path), "n_ctx": 256}))
    assert (facts.path, facts.n_ctx) == (path, 256)


def test_a_bad_model_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="does not exist"):
        check_model(core_config({"path": str(tmp_path / "nothing.gguf")}))


def test_a_missing_temporary_directory_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "x"))
    monkeypatch.setattr("slotline.cli.serve.private_directory.MAX_UNIX_PATH_BYTES", 4096)
    with pytest.raises(StartError, match=r"^no temporary directory for the socket of the core: .*; set TMPDIR to one"):
        serve.make_private_directory()


@pytest.mark.parametrize("template", ["chatml", "{{ messages }}", "{% for m in messages %}{% endfor %}"])
def test_chat_templates_by_name_and_as_text(template: str) -> None:
    assert core_config({"chat_template": template}).chat_template == template


def test_a_chat_template_that_is_none_stops_the_start() -> None:
    with pytest.raises(
        UsageError, match=r"--chat-template or \S+ 'template\.jinja' is neither Jinja text nor one of chatml"
    ):
        core_config({"chat_template": "template.jinja"})
