from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from slotline.cli.display import Facts, StartupDisplay

FACTS = Facts(
    version="1.2.3",
    rest_url="http://127.0.0.1:8080",
    grpc=("127.0.0.1:50051", "unix:/run/slotline.sock"),
    grpc_missing=(),
    model=Path("/models/tiny.gguf"),
    model_bytes=92 * 2**20,
    n_slots=4,
    n_ctx_slot=2048,
)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _display(stream: io.StringIO, facts: Facts = FACTS) -> StartupDisplay:
    return StartupDisplay(facts, stream, clock=iter((10.0, 11.25)).__next__)


def test_a_file_gets_a_line_at_the_start_and_one_at_the_end() -> None:
    stream = io.StringIO()
    display = _display(stream)
    for progress in (0.0, 0.5, 1.0):
        display.loading(progress)
    display.ready()
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["loading tiny.gguf (92 MiB)", "loaded tiny.gguf (92 MiB) in 1.2 s"]
    assert "\r" not in stream.getvalue()


def test_the_banner_says_that_keys_are_needed_and_nothing_if_none_are() -> None:
    for facts, has_line in ((FACTS, False), (replace(FACTS, api_keys="****word"), True)):
        stream = io.StringIO()
        _display(stream, facts).ready()
        line = "  keys    ****word; clients send `Authorization: Bearer KEY`"
        assert (line in stream.getvalue().splitlines()) == has_line


def test_a_terminal_gets_one_line_that_changes() -> None:
    stream = Terminal()
    display = _display(stream)
    for progress in (0.0, 0.501, 0.502, 1.0):
        display.loading(progress)
    display.ready()
    first, _, _ = stream.getvalue().partition("\n")
    states = first.split("\r")
    assert states == [
        "loading tiny.gguf (92 MiB)  [....................]   0 %\x1b[K",
        "loading tiny.gguf (92 MiB)  [##########..........]  50 %\x1b[K",
        "loading tiny.gguf (92 MiB)  [####################] 100 %\x1b[K",
        "loaded tiny.gguf (92 MiB) in 1.2 s\x1b[K",
    ]


def test_the_banner_tells_where_everything_is() -> None:
    stream = io.StringIO()
    _display(stream).ready()
    assert stream.getvalue().split("\n", 1)[1] == (
        "\n"
        "Slotline 1.2.3 is ready\n"
        "  REST    http://127.0.0.1:8080   (OpenAI clients: http://127.0.0.1:8080/v1)\n"
        "  gRPC    127.0.0.1:50051, unix:/run/slotline.sock\n"
        "  model   /models/tiny.gguf\n"
        "  slots   4 slots of 2048 tokens\n"
        "  stop    Ctrl-C lets running requests finish, a second one does not\n"
        "\n"
    )


def test_the_banner_tells_which_address_was_busy() -> None:
    stream = io.StringIO()
    facts = Facts(
        version="1.2.3",
        rest_url="http://[::1]:8080",
        grpc=(),
        grpc_missing=("127.0.0.1:50051",),
        model=FACTS.model,
        model_bytes=999,
        n_slots=1,
        n_ctx_slot=512,
    )
    _display(stream, facts).ready()
    assert "gRPC    on no TCP port (127.0.0.1:50051 is taken by another program;" in stream.getvalue()
    assert "slots   1 slot of 512 tokens\n" in stream.getvalue()


def test_a_death_by_sigkill_hints_at_memory() -> None:
    stream = io.StringIO()
    _display(stream).gave_up("was killed by signal 9 (SIGKILL)")
    assert stream.getvalue() == (
        "error: the core never became ready; the last one was killed by signal 9 (SIGKILL); this is what happens when "
        "memory runs out: a smaller -c or a smaller model may help\n"
    )


def test_a_failed_load_tells_what_now() -> None:
    stream = io.StringIO()
    _display(stream).failed("the file is broken")
    assert stream.getvalue() == (
        "error: the file is broken\nhttp://127.0.0.1:8080/health answers 500 now; stop with Ctrl-C\n"
    )


@pytest.mark.parametrize(
    ("is_ready", "text"),
    [
        (True, "stopping: running requests get up to 2.5 s; once more Ctrl-C stops at once\n"),
        (False, "stopping\n"),
    ],
)
def test_the_end_is_announced(is_ready: bool, text: str) -> None:
    stream = io.StringIO()
    _display(stream).stopping(2.5, is_ready=is_ready)
    assert stream.getvalue() == text


def test_a_stream_without_reader_stops_nothing() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    _display(Closed()).failed("the file is broken")


def test_another_death_hints_at_the_log() -> None:
    stream = io.StringIO()
    _display(stream).gave_up("exited with status 1")
    assert stream.getvalue() == (
        "error: the core never became ready; the last one exited with status 1; the log on stdout may say why\n"
    )
