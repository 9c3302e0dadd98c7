from __future__ import annotations

import json
import logging
import math
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from slotline.cli import logs

if TYPE_CHECKING:
    from collections.abc import Callable


def _record(message: str, **fields: object) -> logging.LogRecord:
    logger = logging.getLogger("service.test")
    record = logger.makeRecord("service.test", logging.INFO, "file.py", 12, message, (), None, "serve", dict(fields))
    record.created = 1700000000.9
    record.thread = 77
    return record


def test_a_record_is_one_json_object_with_sorted_keys() -> None:
    line = logs.RecordFormatter(logs.json_line).format(_record("HTTP server listening", port=8080, hostname="::1"))
    assert line == (
        '{"function":"serve","hostname":"::1","level":"INFO","line":12,"msg":"HTTP server listening","port":8080,'
        '"tid":"77","timestamp":1700000000}'
    )


def test_a_record_as_text() -> None:
    line = logs.RecordFormatter(logs.text_line).format(_record("two\nlines", port=8080, hostname="::1"))
    assert line == (
        'INFO [                   serve] two\\nlines | hostname="::1" port=8080 tid="77" timestamp=1700000000'
    )


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.DEBUG, "VERB"),
        (logging.INFO, "INFO"),
        (logging.WARNING, "WARN"),
        (logging.ERROR, "ERR"),
        (logging.CRITICAL, "ERR"),
    ],
)
def test_names_of_levels(level: int, name: str) -> None:
    record = _record("x")
    record.levelno = level
    assert json.loads(logs.RecordFormatter(logs.json_line).format(record))["level"] == name
    assert logs.RecordFormatter(logs.text_line).format(record).startswith(f"{name:>4} [")


def test_values_that_json_lacks() -> None:
    fields = {"a": math.nan, "b": [math.inf, {"c": -math.inf}], "d": {1: b"x"}, "e": "\u00e4\u2028"}
    line = logs.RecordFormatter(logs.json_line).format(_record("x", **fields))
    assert '"a":null,"b":[null,{"c":null}],"d":{"1":"b\'x\'"},"e":"\u00e4\\u2028"' in line


HOSTILE = "a\r\nINFO [fake] b\x1b[2Jc\x9b31md\x85e\u2028f\u202eg\x7fh\ti\x00"


@pytest.mark.parametrize("line_of", [logs.json_line, logs.text_line])
def test_what_others_sent_cannot_forge_lines_or_steer_a_terminal(line_of: Callable[[dict[str, object]], str]) -> None:
    line = logs.RecordFormatter(line_of).format(_record(HOSTILE, path=HOSTILE, list=[HOSTILE], **{HOSTILE: 1}))
    assert line.splitlines() == [line]
    assert line.isprintable()
    if line_of is logs.json_line:
        fields = json.loads(line)
        assert (fields["msg"], fields["path"], fields["list"], fields[HOSTILE]) == (HOSTILE, HOSTILE, [HOSTILE], 1)


def test_an_exception_stays_on_the_line() -> None:
    record = _record("failed")
    try:
        raise ValueError("so what")
    except ValueError:
        record.exc_info = sys.exc_info()
    line = logs.RecordFormatter(logs.json_line).format(record)
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: so what")


PROGRAM = """
import logging, sys, warnings
from slotline.cli import logs
logs.configure(sys.argv[1], verbose=sys.argv[2] == "verbose")
logging.getLogger("service.engine").debug("ours, in detail")
logging.getLogger("rest_adapter.app").info("ours \\udc80", extra={"n": 1})
logging.getLogger("library").info("theirs")
logging.getLogger("library").warning("theirs, serious")
warnings.warn("old")
"""


def _run(*arguments: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize(("verbosity", "detail"), [("quiet", []), ("verbose", ["ours, in detail"])])
def test_what_is_shown(verbosity: str, detail: list[str]) -> None:
    records = [json.loads(line) for line in _run("json", verbosity)]
    messages = [record["msg"] for record in records]
    assert messages[:-1] == [*detail, "ours \udc80", "theirs, serious"]
    assert "UserWarning: old" in messages[-1]


def test_text_goes_to_stdout_too() -> None:
    lines = _run("text", "quiet")
    assert re.fullmatch(r'INFO \[ +<module>\] ours \\udc80 \| n=1 tid="\d+" timestamp=\d+', lines[0])


def test_a_reader_that_has_gone_costs_the_log_and_nothing_else() -> None:
    program = (
        "import logging, os, sys\n"
        "from slotline.cli import logs\n"
        "logs.configure('json', verbose=False)\n"
        "reading, writing = os.pipe(); os.dup2(writing, 1); os.close(reading); os.close(writing)\n"
        "for n in range(3): logging.getLogger('service').warning('x')\n"
        "print('still here', file=sys.stderr)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stderr == "warning: stdout cannot be written any more; logging stops\nstill here\n"
