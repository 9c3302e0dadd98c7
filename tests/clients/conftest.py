"""The cores of the suite, for the tests of one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.suite import Ports, running_cores

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    """Cores of their own: cases count what they refuse."""
    with running_cores() as running:
        yield running
