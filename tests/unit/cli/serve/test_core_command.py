from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from service.config import CoreConfig, ModelConfig
from slotline.cli.main import main
from slotline.cli.options.core_options import CORE_GROUPS
from slotline.cli.options.table import parse
from slotline.cli.serve import core
from slotline.cli.serve.core import CoreDisplay

if TYPE_CHECKING:
    from service.api.core.loading import Load
    from service.api.server.watcher import Watcher

# What the banner tells of a model file.
FILE: Any = SimpleNamespace(path=Path("/models/tiny.gguf"), size_bytes=2048, n_ctx=1024)


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[CoreConfig]:
    """The configurations with which a core was started; none really is, no file is read, logging stays as it is."""
    started: list[CoreConfig] = []

    def run_core(
        config: CoreConfig, *, load: Load, is_supervised: bool, watcher: Watcher | None, ready_file: Path | None
    ) -> int:
        assert is_supervised == (watcher is None)
        assert is_supervised or ready_file is None
        started.append(config)
        return 7

    monkeypatch.setattr("service.api.server.run.run_core", run_core)
    monkeypatch.setattr(core, "check_model", lambda config: FILE)
    monkeypatch.setattr("slotline.cli.logs.configure_from", lambda parsed: None)
    return started


def test_the_exit_status_is_the_core_s(configs: list[CoreConfig]) -> None:
    assert main(["core", "-m", "model.gguf"]) == 7
    assert configs[0].model.path == "model.gguf"


@pytest.mark.parametrize(
    ("arguments", "listen", "optional"),
    [
        ([], ("127.0.0.1:50051",), ()),
        (["--listen", "unix:/s"], ("unix:/s",), ()),
        (["--optional-listen", "h:1"], (), ("h:1",)),
        (["--listen", "unix:/s", "--optional-listen", "h:1"], ("unix:/s",), ("h:1",)),
    ],
)
def test_the_default_address_is_for_a_core_without_any(
    arguments: list[str], listen: tuple[str, ...], optional: tuple[str, ...], configs: list[CoreConfig]
) -> None:
    main(["core", "-m", "model.gguf", *arguments])
    assert (configs[0].listen, configs[0].optional_listen) == (listen, optional)


def test_a_core_whose_parent_is_gone_does_not_start(configs: list[CoreConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "die_with_parent", lambda pid: False)
    assert main(["core", "-m", "model.gguf", "--exit-with-parent", "77"]) == 1
    assert configs == []


@pytest.mark.parametrize("is_supervised", [False, True])
def test_notices_are_told_once(
    is_supervised: bool,
    configs: list[CoreConfig],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(core, "die_with_parent", lambda pid: True)
    supervision = ["--exit-with-parent", "77"] if is_supervised else []
    with caplog.at_level(logging.INFO):
        main(["core", "-m", "model.gguf", "-nommq", "--log-disable", *supervision])
    expected = ["-nommq is obsolete and has no effect", "logging to file is disabled."]
    assert caplog.messages == ([] if is_supervised else expected)


@pytest.mark.parametrize(
    ("arguments", "has_gpu", "messages"),
    [
        (["-c", "512"], False, []),
        (["-nommq"], False, []),
        (["-ngl", "99"], True, []),
        (
            ["-ngl", "99", "-ts", "3,2", "-ngl", "98"],
            False,
            ["-ngl, -ts: without effect, the llama.cpp library was built without GPU support"],
        ),
        (
            ["-nkvo", "-nommq", "--no-host"],
            False,
            ["-nkvo, --no-host: without effect, the llama.cpp library was built without GPU support"],
        ),
    ],
)
def test_gpu_options_in_vain_are_told(
    arguments: list[str],
    has_gpu: bool,
    messages: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = SimpleNamespace(llama_supports_gpu_offload=lambda: has_gpu)
    monkeypatch.setattr("service.llama.host.library.load_library", lambda: SimpleNamespace(api=api))
    core.warn_without_gpu(parse(CORE_GROUPS, arguments))
    assert caplog.messages == messages


def test_a_model_that_cannot_be_loaded_is_one_line_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("slotline.cli.logs.configure_from", lambda parsed: None)
    assert main(["core", "-m", "/nothing.gguf"]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "error: model file /nothing.gguf does not exist; check --model\n")


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def display(shown: io.StringIO) -> CoreDisplay:
    return CoreDisplay(CoreConfig(model=ModelConfig(path="tiny.gguf", n_parallel=2)), FILE, shown)


def test_the_screen_of_a_core_that_runs_alone(display: CoreDisplay, shown: io.StringIO) -> None:
    display.listening(["127.0.0.1:50051", "unix:/s"])
    assert shown.getvalue() == "loading tiny.gguf (2.0 KiB)\n"
    display.ready()
    screen = shown.getvalue()
    assert (
        "  gRPC    127.0.0.1:50051, unix:/s\n  model   /models/tiny.gguf\n  slots   2 slots of 512 tokens\n" in screen
    )
    assert "REST" not in screen
    display.stopping(is_ready=True)
    assert shown.getvalue().endswith("\nstopping: running requests get up to 30 s; once more Ctrl-C stops at once\n")


def test_a_core_that_cannot_listen_says_why(display: CoreDisplay, shown: io.StringIO) -> None:
    display.refused("cannot listen on h:1")
    assert shown.getvalue() == "error: cannot listen on h:1\n"


def test_a_failed_load_leaves_a_core_that_says_so(display: CoreDisplay, shown: io.StringIO) -> None:
    display.listening(["h:1"])
    display.failed("the template is broken")
    assert shown.getvalue().endswith("\nerror: the template is broken\nhealth is NOT_SERVING now; stop with Ctrl-C\n")


def test_an_engine_that_dies_ends_the_core(display: CoreDisplay, shown: io.StringIO) -> None:
    display.listening(["h:1"])
    display.ready()
    display.failed("the engine died")
    assert shown.getvalue().endswith("\n\nerror: the engine died\n")


def test_what_is_loaded_stays_out_of_later_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def run_core(config: CoreConfig, *, load: Load, **_: object) -> int:
        load(config.model, on_progress=lambda part: True)
        return 0

    monkeypatch.setattr("service.api.server.run.run_core", run_core)
    monkeypatch.setattr("service.api.server.llama.load_llama", lambda config, on_progress: done.append("loaded"))
    monkeypatch.setattr(core, "settle", lambda: done.append("settled"))
    monkeypatch.setattr(core, "check_model", lambda config: FILE)
    monkeypatch.setattr("slotline.cli.logs.configure_from", lambda parsed: None)

    assert main(["core", "-m", "model.gguf"]) == 0
    assert done == ["loaded", "settled"]
