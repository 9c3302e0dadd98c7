"""Log records as lines on stdout.

Code logs with the standard library; the fields of a record beside its message travel in ``extra``::

    logger.info("HTTP server listening", extra={"hostname": "127.0.0.1", "port": 8080})

Records of level INFO and above are shown, all of ours with ``verbose``; of other libraries only warnings and worse.
"""

from __future__ import annotations

import io
import json
import logging
import math
import re
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from slotline.cli.options.table import Parsed

logger = logging.getLogger(__name__)

LEVELS = {
    logging.DEBUG: "VERB",
    logging.INFO: "INFO",
    logging.WARNING: "WARN",
    logging.ERROR: "ERR",
    logging.CRITICAL: "ERR",
}
OUR_LOGGERS = ("service", "rest_adapter", "slotline")

#: What others sent may be in a record. It must not begin lines of its own, steer terminals, or turn text around.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(log_format: str, *, verbose: bool) -> None:
    """Send this process's records to stdout.

    Args:
        log_format: ``json`` or ``text``.
        verbose: show records of level DEBUG too.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Half a character in a record must not cost the record.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = _StdoutHandler(sys.stdout)
    handler.setFormatter(RecordFormatter(json_line if log_format == "json" else text_line))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


def configure_from(parsed: Parsed) -> None:
    """The same, as a command's options ask for it."""
    configure(parsed.value("log_format"), verbose=parsed.settings.get("verbose", False))


def report_notices(parsed: Parsed) -> None:
    """Log what the user should know about the options that were used."""
    for warning in parsed.warnings:
        logger.warning(warning)
    if parsed.settings.get("log_disable"):
        logger.info("logging to file is disabled.")


def json_line(record: object) -> str:
    """A record, or one of its values, as compact JSON with sorted keys; what JSON cannot hold becomes text."""
    text = json.dumps(
        _finite(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str, allow_nan=False
    )
    # JSON itself escapes no more than the characters below the blank.
    return _UNPRINTABLE.sub(_escaped, text)


def text_line(record: dict[str, object]) -> str:
    """A record as level, function and message in columns, then ``key=value`` with JSON values."""
    rest = {key: value for key, value in record.items() if key not in ("level", "function", "line", "msg")}
    fields = "".join(f" {key}={json_line(rest[key])}" for key in sorted(rest))
    message = str(record["msg"]).replace("\n", "\\n")
    return _UNPRINTABLE.sub(_escaped, f"{record['level']:>4} [{record['function']:>24}] {message} |{fields}")


class RecordFormatter(logging.Formatter):
    """Turns records into flat dictionaries and these into lines.

    Args:
        line: makes the line.
    """

    def __init__(self, line: Callable[[dict[str, object]], str]) -> None:
        super().__init__()
        self._line = line

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        fields: dict[str, object] = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        fields |= {
            "function": record.funcName,
            "level": LEVELS.get(record.levelno, record.levelname),
            "line": record.lineno,
            "msg": record.getMessage(),
            "tid": str(record.thread),
            "timestamp": int(record.created),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return self._line(fields)


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Writes until the reader has gone, then says so once and stays quiet: serving matters more than logging."""

    def handleError(self, record: logging.LogRecord) -> None:
        if isinstance(sys.exc_info()[1], OSError):
            logging.getLogger().removeHandler(self)
            # Without any handler, logging would turn to its last resort and write warnings to stderr.
            logging.getLogger().addHandler(logging.NullHandler())
            print("warning: stdout cannot be written any more; logging stops", file=sys.stderr)
        else:
            super().handleError(record)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _finite(value: object) -> object:
    """The value with None in place of numbers that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
