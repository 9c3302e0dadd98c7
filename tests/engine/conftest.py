"""The option that rewrites what transcripts expect."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--rewrite``, which pytest knows if ``tests/engine`` or a file in it is named."""
    parser.addoption("--rewrite", action="store_true", help="let transcripts of the engine expect what happens now")


@pytest.fixture
def is_rewriting(request: pytest.FixtureRequest) -> bool:
    """Whether transcripts are rewritten instead of checked."""
    return bool(request.config.getoption("--rewrite", default=False))
