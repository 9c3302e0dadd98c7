from __future__ import annotations

import io
from pathlib import Path

import pytest

from slotline.cli.serve.banner import BannerFacts, BannerModel, banner
from slotline.cli.serve.display import StartupDisplay

MODEL = BannerModel(path=Path("/models/tiny.gguf"), size_bytes=92 * 2**20, n_slots=4, n_ctx_slot=2048)
FACTS = BannerFacts(rest_url="http://127.0.0.1:8080", grpc=("127.0.0.1:50051",), model=MODEL)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _display(stream: io.StringIO, facts: BannerFacts = FACTS) -> StartupDisplay:
    return StartupDisplay(facts, stream, clock=iter((10.0, 11.25)).__next__)


def test_a_file_gets_a_line_at_the_start_and_one_at_the_end() -> None:
    stream = io.StringIO()
    display = _display(stream)
    for progress in (0.0, 0.5, 1.0):
        display.loading(progress)
    display.ready()
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["loading tiny.gguf (92 MiB)", "loaded tiny.gguf (92 MiB) in 1.2 s"]
    assert stream.getvalue().endswith("\n" + banner(FACTS))
    assert "\r" not in stream.getvalue()


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


def test_a_failed_load_without_rest_tells_it_too() -> None:
    stream = io.StringIO()
    _display(stream, BannerFacts(grpc=("h:1",), model=MODEL)).failed("the file is broken")
    assert stream.getvalue() == "error: the file is broken\nhealth is NOT_SERVING now; stop with Ctrl-C\n"


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
