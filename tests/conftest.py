"""What holds for every test: quiet gRPC, hypothesis without a clock, and an order that keeps all processors busy."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import properties
from tests.support.server_pool import ServerPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

    from tests.support.seeing_model import SeeingModels

# A server that ends while calls run tells its clients so, and gRPC's C core prints that on stderr as information. Its
# errors are still printed. Read when gRPC starts, here and in the processes that tests start.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

properties.load_profile()

#: Folders whose tests run first, because single files of them take long: what is short fills the end.
FIRST = ("tests/e2e/", "tests/integration/", "tests/browser/", "tests/contract/", "tests/features/")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite``, for what tests compare with files that they can write themselves."""
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="let transcripts of the engine and counted figures expect what happens now",
    )


@pytest.fixture
def is_rewriting(request: pytest.FixtureRequest) -> bool:
    """Whether files of expectations are rewritten instead of checked."""
    return bool(request.config.getoption("--rewrite"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long tests first."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next((place for place, folder in enumerate(FIRST) if item.nodeid.startswith(folder)), len(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """How ``--dist loadfile`` deals out tests."""
    from tests.support.parallel import SharingFixtures

    return SharingFixtures(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def servers() -> Iterator[ServerPool]:
    """Servers that tests share."""
    pool = ServerPool()
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture(scope="session")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> SeeingModels:
    """Models that see: projectors for the installed models, and the default model with M-RoPE."""
    from tests.support.seeing_model import SeeingModels

    return SeeingModels(tmp_path_factory.mktemp("seeing"))


@pytest.fixture
def temporary() -> Iterator[Path]:
    """An empty directory whose path is short enough for sockets, which that of ``tmp_path`` need not be."""
    with tempfile.TemporaryDirectory(prefix="slt-", dir="/tmp") as path:
        yield Path(path)
