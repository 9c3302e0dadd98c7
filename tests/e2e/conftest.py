"""One running server for all tests that only send it requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Four slots of 2,048 tokens, started like `make run` does it."""
    with Server("-c", "8192", "-np", "4", "--embedding", "--metrics") as running:
        running.wait_until_ready()
        yield running
