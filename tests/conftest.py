"""What holds for every test: quiet gRPC, hypothesis without a clock, and an order that keeps all processors busy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import properties

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

# A server that ends while calls run tells its clients so, and gRPC's C core prints that on stderr as information. Its
# errors are still printed. Read when gRPC starts, here and in the processes that tests start.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

properties.load_profile()

#: Folders whose tests run first, because single files of them take long: what is short fills the end.
FIRST = ("tests/e2e/", "tests/integration/", "tests/browser/", "tests/features/")


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
