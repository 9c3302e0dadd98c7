"""A core on the scripted model as a process of its own: ``python -m tests.support.core_process KIND ADDRESS...``.

Logs one line per record: level, message, fields. ``KIND`` says what the model is like:

* ``endless``: every request goes on until it is cancelled or the context is full, ten tokens per second;
* ``impatient``: the same, but a drain waits half a second only;
* ``deadly``: the engine dies at its first token;
* ``stuck``: loading never ends and does not listen to being told so;
* ``impatient-stuck``: the same, but that is noticed after a second;
* ``hanging``: a step that is to choose a token never returns, which is noticed after half a second.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

from service.api.server.run import run_core
from service.testing.scripted_model import next_letter
from tests.support.scripted_core import core_config, load_scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.api.served_model import LoadedModel
    from service.config import ModelConfig


class LineFormatter(logging.Formatter):
    """Level, message and the fields that this test looks at."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = {key: record.__dict__[key] for key in ("address", "reason") if key in record.__dict__}
        return f"{record.levelname} {record.getMessage()} {fields}"


def endless(tokens: Sequence[int]) -> int:
    """A letter after a moment."""
    threading.Event().wait(0.1)
    return next_letter(tokens)


def deadly(tokens: Sequence[int]) -> int:
    """The end of the engine."""
    raise SystemError("simulated")


def hanging(tokens: Sequence[int]) -> int:
    """Nothing, ever."""
    threading.Event().wait()
    raise AssertionError("never")


def load_stuck(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
    """Wait for ever."""
    on_progress(0.5)
    threading.Event().wait()
    raise AssertionError("never")


def main(kind: str, addresses: Sequence[str]) -> int:
    """Run the core."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    loads = {
        "deadly": load_scripted(deadly),
        "stuck": load_stuck,
        "impatient-stuck": load_stuck,
        "hanging": load_scripted(hanging),
    }
    timeout_s = 0.5 if kind == "impatient" else 30.0
    hang_timeout_s = {"hanging": 0.5, "impatient-stuck": 0.1}.get(kind, 60.0)
    config = core_config(addresses, drain_timeout_s=timeout_s, hang_timeout_s=hang_timeout_s)
    return run_core(config, load=loads.get(kind, load_scripted(endless)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
