"""Which requests a core lets in, and how it waits for their end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from service.errors import Draining

if TYPE_CHECKING:
    from collections.abc import Iterator


class Admission:
    """Counts the requests that a drain waits for. Belongs to the event loop."""

    def __init__(self) -> None:
        self._n_admitted = 0
        self._is_closed = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request until the end of the block.

        Raises:
            Draining: no new requests are let in.
        """
        if self._is_closed:
            raise Draining
        self._n_admitted += 1
        self._is_idle.clear()
        try:
            yield
        finally:
            self._n_admitted -= 1
            if not self._n_admitted:
                self._is_idle.set()

    def close(self) -> None:
        """Let no new requests in."""
        self._is_closed = True

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Wait until no admitted request is left, but not longer than ``timeout_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_idle.wait()
