"""The library's text becomes log records, line by line."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from service.llama.host.logs import LogBridge

if TYPE_CHECKING:
    from service.llama.host.library import Library

DEBUG, INFO, WARN, ERROR, CONTINUED = 1, 2, 3, 4, 5


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All records of the library."""
    caplog.set_level(logging.DEBUG, "service.llama")
    return caplog


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str]]:
    return caplog.record_tuples


def test_levels_are_those_of_python_and_narration_is_for_debugging(records: pytest.LogCaptureFixture) -> None:
    bridge = LogBridge()
    for level, text in ((DEBUG, b"d\n"), (INFO, b"i\n"), (WARN, b"w\n"), (ERROR, b"e\n")):
        bridge.write(level, text)
    assert lines(records) == [
        ("service.llama", logging.DEBUG, "d"),
        ("service.llama", logging.DEBUG, "i"),
        ("service.llama", logging.WARNING, "w"),
        ("service.llama", logging.ERROR, "e"),
    ]


def test_continuations_join_the_line_before(records: pytest.LogCaptureFixture) -> None:
    bridge = LogBridge()
    for text in (b"loading ", b"..", b".\nnext"):
        bridge.write(WARN if text == b"loading " else CONTINUED, text)
    bridge.write(INFO, b"other\n")
    assert [record[1:] for record in lines(records)] == [
        (logging.WARNING, "loading ..."),
        (logging.WARNING, "next"),
        (logging.DEBUG, "other"),
    ]


def test_a_piece_may_hold_several_lines_and_any_bytes(records: pytest.LogCaptureFixture) -> None:
    LogBridge().write(ERROR, b"one\n\n \ntwo \xff 100%s\n")
    assert [record[2] for record in lines(records)] == ["one", "two \ufffd 100%s"]


def test_errors_are_collected_for_each_block_that_asks() -> None:
    bridge = LogBridge()
    bridge.write(ERROR, b"before\n")
    with bridge.collect_errors() as outer:
        bridge.write(ERROR, b"first\n")
        with bridge.collect_errors(limit=1) as inner:
            bridge.write(WARN, b"a warning\n")
            bridge.write(ERROR, b"second\n")
            bridge.write(ERROR, b"third\n")
        bridge.write(ERROR, b"fourth\n")
    bridge.write(ERROR, b"after\n")
    assert list(outer) == ["first", "second", "third", "fourth"]
    assert list(inner) == ["third"]


def test_the_library_logs_through_the_bridge_and_prints_nothing(
    library: Library, records: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def provoke() -> None:
        with library.log.collect_errors() as errors:
            assert not library.api.llama_model_load_from_file(b"/nowhere", library.api.llama_model_default_params())
        collected.extend(errors)

    collected: list[str] = []
    thread = threading.Thread(target=provoke)
    thread.start()
    thread.join()
    assert any("/nowhere" in line for line in collected)
    assert set(collected) <= {record[2] for record in lines(records)}
    assert capfd.readouterr() == ("", "")


def test_warnings_can_be_muted_for_a_while(records: pytest.LogCaptureFixture) -> None:
    bridge = LogBridge()
    with bridge.mute(logging.WARNING), bridge.mute(logging.WARNING):
        bridge.write(WARN, b"one of many\n")
        bridge.write(ERROR, b"still told\n")
    bridge.write(WARN, b"told again\n")
    assert [record[1:] for record in lines(records)] == [
        (logging.DEBUG, "one of many"),
        (logging.ERROR, "still told"),
        (logging.WARNING, "told again"),
    ]
