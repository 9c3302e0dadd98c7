"""What the adapter's suites have in common: an adapter on a core that does what a test says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rest_adapter.config import RestConfig
from tests.support.adapter import AdapterThread
from tests.support.chat_command import KEY, PROMPT, Open, environment
from tests.support.fake_core import FakeCore, running_fake_core
from tests.support.server import SLOTLINE
from tests.support.terminal import TerminalProgram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def core(tmp_path: Path) -> Iterator[FakeCore]:
    """A core without an engine. Suites of the gRPC core have fixtures of their own by this name."""
    with running_fake_core(tmp_path) as made:
        yield made


@pytest.fixture
def adapter(core: FakeCore) -> Iterator[AdapterThread]:
    """An adapter on that core."""
    made = AdapterThread(RestConfig(core=core.address))
    yield made
    made.close()


@pytest.fixture
def guarded(core: FakeCore) -> Iterator[AdapterThread]:
    """An adapter that wants a key."""
    made = AdapterThread(replace(RestConfig(core=core.address), api_keys=(KEY,)))
    yield made
    made.close()


@pytest.fixture
def open_chat(adapter: AdapterThread) -> Iterator[Open]:
    """Opens ``slotline chat`` in a terminal and waits for its prompt."""
    opened: list[TerminalProgram] = []

    def start(*arguments: str, **variables: str) -> TerminalProgram:
        command = [*SLOTLINE, "chat", "--url", adapter.url, *arguments]
        opened.append(TerminalProgram(command, environment(**variables)))
        opened[-1].wait_for(PROMPT)
        return opened[-1]

    yield start
    for chat in opened:
        chat.close()
