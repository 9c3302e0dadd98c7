"""A whole service in this process: an adapter on a core on the scripted model, for ordinary blocking clients."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests

from service.api.status import CoreState
from tests.support.adapter import AdapterThread
from tests.support.calls import scripted_text
from tests.support.scripted_core import WAIT_S, core_config, core_server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rest_adapter.config import RestConfig
    from service.api.served_model import LoadedModel
    from service.config import CoreConfig
    from service.media.encoder import PictureEncoder

PROMPT = "Hello"
N_PREDICT = 8


class CoreThread:
    """A core on an event loop in a thread of its own.

    Args:
        config: the core; it has its addresses.
        load, encoder: as for ``core_server``.
    """

    def __init__(
        self,
        config: CoreConfig,
        load: Callable[..., LoadedModel] | None = None,
        encoder: PictureEncoder | None = None,
    ) -> None:
        self._config = config
        self._load = load
        self._encoder = encoder
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="core", daemon=True)
        self._thread.start()
        assert self._is_ready.wait(WAIT_S), "the core does not start"
        wait_until("the model is loaded", lambda: self.server.core.state is CoreState.READY)

    def close(self) -> None:
        """Stop it."""
        self._loop.call_soon_threadsafe(self._should_stop.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the core does not stop"

    def n_tasks(self) -> int:
        """Tasks on its event loop: one per running call, and a few that are always there."""
        return len(asyncio.all_tasks(self._loop))

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._should_stop = asyncio.Event()
        self.server = core_server(self._config, self._load, self._encoder)
        await self.server.start()
        self._is_ready.set()
        await self._should_stop.wait()
        assert await self.server.stop(), "the engine's thread did not end"


class ScriptedService:
    """Core and adapter.

    Args:
        directory: for the core's socket.
        config: the adapter; its core is replaced.
        core: changes to ``core_config``.
        load, encoder: as for ``core_server``.
    """

    def __init__(
        self,
        directory: Path,
        config: RestConfig,
        *,
        load: Callable[..., LoadedModel] | None = None,
        encoder: PictureEncoder | None = None,
        **core: Any,
    ) -> None:
        address = f"unix:{directory}/core.sock"
        self.core = CoreThread(core_config([address], **core), load, encoder)
        self.adapter = AdapterThread(replace(config, core=address))
        self._headers = {"Authorization": f"Bearer {config.api_keys[0]}"} if config.api_keys else {}
        self.check_answers()
        self._n_tasks = self.core.n_tasks()

    def close(self) -> None:
        """Stop both."""
        self.adapter.close()
        self.core.close()

    def complete(self, prompt: str = PROMPT, n_predict: int = N_PREDICT) -> requests.Response:
        """Ask for a text that ``scripted_text`` knows."""
        body = {"prompt": prompt, "n_predict": n_predict, "temperature": 0}
        return requests.post(self.adapter.url + "/completion", json=body, headers=self._headers, timeout=WAIT_S)

    def check_answers(self) -> None:
        """A well-formed request gets its text."""
        answer = self.complete()
        assert answer.status_code == 200, answer.text
        assert answer.json()["content"] == scripted_text(PROMPT.encode(), N_PREDICT)

    def wait_until_idle(self) -> None:
        """Wait until nothing runs or waits in the core, and no call is left there."""
        wait_until("the service is idle", self._is_idle)

    def _is_idle(self) -> bool:
        snapshot = self.core.server.core.status().snapshot
        is_busy = snapshot.slots_processing or snapshot.queue_depth
        return not is_busy and self.core.n_tasks() <= self._n_tasks
