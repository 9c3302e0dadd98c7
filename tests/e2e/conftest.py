"""One running server for all tests that only send it requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server_pool import AS_MAKE_RUNS_IT

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool


@pytest.fixture(scope="module")
def server(servers: ServerPool) -> Server:
    """Started like `make run` does it."""
    return servers.get(*AS_MAKE_RUNS_IT)
