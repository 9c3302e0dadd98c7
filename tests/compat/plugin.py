"""A plugin for the process that runs the tests of llama.cpp's server, in place of their own ``conftest.py``.

Nothing is downloaded: models are local ones, and texts that only the models of the tests say are not compared. What
became of each test is written to a file.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import socket
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.compat import replacements
from tests.compat.remarks import read_remarks

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

#: Environment variables by which the runner tells where models are, where to write what became of the tests, and that
#: tests which do not apply to Slotline are left out.
MODELS, OUTCOMES, ONLY_OURS = "UPSTREAM_TESTS_MODELS", "UPSTREAM_TESTS_OUTCOMES", "UPSTREAM_TESTS_ONLY_OURS"

#: What every model must say, because a grammar makes it; other patterns stand for texts of the models of the tests.
FORCED = frozenset({'"42"', '"foooooo"', r"(\{|John)+", "a{5,5}"})


def pytest_configure() -> None:
    """Change what the modules of the tests are about to import."""
    os.environ["PORT"] = str(_free_port())
    # Downloads files for the tests; not installed, and not called any more.
    sys.modules["wget"] = types.ModuleType("wget")
    utils: Any = importlib.import_module("utils")

    folder = Path(os.environ[MODELS])
    matches = utils.match_regex
    utils.download_file = lambda address, _=None: str(replacements.download_for(folder, address))
    requests.get = _local_first(requests.get, folder)
    # Theirs is made by the first download.
    Path("tmp").mkdir(exist_ok=True)
    utils.match_regex = lambda pattern, text: matches(pattern, text) if pattern in FORCED else isinstance(text, str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what does not apply."""
    if ONLY_OURS not in os.environ:
        return
    remarks = read_remarks()
    left_out = [item for item in items if remarks.why_not_ours(_name_of(item)) is not None]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def stop_servers() -> Iterator[None]:
    """Stop what a test started, as the tests' own fixture does."""
    utils: Any = importlib.import_module("utils")

    yield
    for server in set(utils.server_instances):
        server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down what became of a test."""
    report = yield
    if report.failed or report.when == "call" or report.skipped:
        place = _place_of(report, Path(item.path).name)
        _write({"test": _name_of(item), "outcome": report.outcome, **place})
    return report


def _local_first(get: Callable[..., requests.Response], folder: Path) -> Callable[..., requests.Response]:
    """A function that gets files which have a replacement from the folder, and all else as ``get`` does."""

    def get_local_first(url: str, **options: Any) -> requests.Response:
        file = replacements.download_for(folder, url)
        if file is None:
            return get(url, **options)
        response = requests.Response()
        response.status_code, response.raw = 200, io.BytesIO(file.read_bytes())
        return response

    return get_local_first


def _name_of(item: pytest.Item) -> str:
    return f"{Path(item.path).name}::{item.name}"


def _place_of(report: pytest.TestReport, file: str) -> dict[str, Any]:
    """Where in its file a test failed, and with what."""
    if not report.failed:
        return {}
    entries = getattr(report.longrepr, "reprtraceback", None)
    places = [entry.reprfileloc for entry in entries.reprentries if entry.reprfileloc] if entries else []
    inside = [place for place in places if Path(place.path).name == file]
    last = places[-1].message if places else "the test did not end in time"
    return {"line": inside[-1].lineno if inside else None, "error": last}


def _write(record: dict[str, Any]) -> None:
    with open(os.environ[OUTCOMES], "a") as outcomes:
        outcomes.write(json.dumps(record) + "\n")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
