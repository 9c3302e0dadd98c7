"""Clients of all kinds at the same time, most of them good: their answers are exact, whatever the others do."""

from __future__ import annotations

import gc
import json
import os
import random
import re
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevent import Greenlet

from tests.support.calls import scripted_text
from tests.support.http_stream import HttpConnection, event_data
from tests.support.waiting import wait_until
from tests.support.wrong_requests import WrongRequest, http

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.scripted_service import ScriptedService

WRONG_SHARE = 0.1
# A text that is longer than any client of these waits for.
LONG = 200
_WORKER = re.compile(r"_\d+$")
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Resources:
    """What a process must not have more and more of.

    Attributes:
        threads: those that are not of an executor, which makes the few that it may have whenever it needs them.
        files: open ones, connections among them.
    """

    threads: int
    files: int
    greenlets: int

    @classmethod
    def in_use(cls) -> Resources:
        """Those of this process."""
        gc.collect()
        greenlets = sum(isinstance(found, Greenlet) for found in gc.get_objects())
        threads = sum(_WORKER.search(thread.name) is None for thread in threading.enumerate())
        return cls(threads, len(os.listdir("/proc/self/fd")), greenlets)

    def __le__(self, other: Resources) -> bool:
        return self.threads <= other.threads and self.files <= other.files and self.greenlets <= other.greenlets


def run_load(
    service: ScriptedService, wrong: Sequence[WrongRequest], *, n_clients: int, n_requests: int, seed: int
) -> int:
    """Let clients send requests one after the other, each in a thread; the number of wrong ones among them.

    At the end the service is idle. Any answer that is not exact raises.
    """
    clients = [_Client(service, wrong, random.Random(f"{seed} {number}")) for number in range(n_clients)]
    with ThreadPoolExecutor(n_clients) as pool:
        for done in [pool.submit(client.run, n_requests) for client in clients]:
            done.result()
    service.wait_until_idle()
    return sum(client.n_wrong for client in clients)


def wait_until_released(before: Resources) -> None:
    """Wait until the process uses no more than before."""
    wait_until(f"no more in use than {before}", lambda: Resources.in_use() <= before)


class _Client:
    """One client.

    Args:
        service: gets the requests.
        wrong: wrong requests to choose from.
        chance: decides what is sent.
    """

    def __init__(self, service: ScriptedService, wrong: Sequence[WrongRequest], chance: random.Random) -> None:
        self._service = service
        self._address = service.adapter.address
        self._wrong = wrong
        self._chance = chance
        self._good: tuple[Callable[[], None], ...] = (self._whole, self._stream, self._openai, self._in_pieces)
        self._bad: tuple[Callable[[], None], ...] = (
            self._refused,
            self._refused,
            self._half_a_head,
            self._half_a_body,
            self._half_a_chunk,
            self._leave_a_stream,
            self._leave_an_answer,
        )
        self.n_wrong = 0

    def run(self, n_requests: int) -> None:
        """Send requests, about one in ten of them wrong."""
        for _ in range(n_requests):
            is_wrong = self._chance.random() < WRONG_SHARE
            self.n_wrong += is_wrong
            self._chance.choice(self._bad if is_wrong else self._good)()

    # Good ones.

    def _whole(self) -> None:
        prompt, n_tokens = self._prompt()
        assert self._answer(_completion(prompt, n_tokens))["content"] == scripted_text(prompt.encode(), n_tokens)

    def _openai(self) -> None:
        prompt, n_tokens = self._prompt()
        body = {"prompt": prompt, "max_tokens": n_tokens, "temperature": 0}
        answer = self._answer(_post("/v1/completions", body))
        assert answer["choices"][0]["text"] == scripted_text(prompt.encode(), n_tokens)

    def _stream(self) -> None:
        prompt, n_tokens = self._prompt()
        with HttpConnection(self._address, _completion(prompt, n_tokens, stream=True)) as connection:
            assert connection.head()[0] == 200
            events = [event_data(chunk) for chunk in connection.chunks()]
        assert "".join(event["content"] for event in events) == scripted_text(prompt.encode(), n_tokens)
        assert events[-1]["stop"] is True

    def _in_pieces(self) -> None:
        prompt, n_tokens = self._prompt()
        data = _completion(prompt, n_tokens)
        cuts = sorted(self._chance.sample(range(1, len(data)), 5))
        with HttpConnection(self._address) as connection:
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                connection.socket.sendall(data[start:end])
            status, _, body = connection.answer()
        assert status == 200, body
        assert json.loads(body)["content"] == scripted_text(prompt.encode(), n_tokens)

    # Bad ones.

    def _refused(self) -> None:
        self._chance.choice(self._wrong).check_on(self._address)

    def _half_a_head(self) -> None:
        data = _completion("half", 5)
        HttpConnection(self._address, data[: self._chance.randrange(data.index(b"\r\n\r\n"))]).close()

    def _half_a_body(self) -> None:
        HttpConnection(self._address, _completion("half", 5)[: -self._chance.randrange(1, 20)]).close()

    def _half_a_chunk(self) -> None:
        data = http("POST", "/completion", b'9\r\n{"prom', "Transfer-Encoding: chunked")
        HttpConnection(self._address, data).close()

    def _leave_a_stream(self) -> None:
        connection = HttpConnection(self._address, _completion(self._prompt()[0], LONG, stream=True))
        assert connection.head()[0] == 200
        assert event_data(next(connection.chunks()))["stop"] is False
        if self._chance.random() < 0.5:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.close()

    def _leave_an_answer(self) -> None:
        HttpConnection(self._address, _completion(self._prompt()[0], LONG)).close()

    def _prompt(self) -> tuple[str, int]:
        return f"Client {self._chance.randrange(1000)} says", self._chance.randrange(1, 24)

    def _answer(self, data: bytes) -> Any:
        with HttpConnection(self._address, data) as connection:
            status, _, body = connection.answer()
        assert status == 200, body
        return json.loads(body)


def _completion(prompt: str, n_tokens: int, *, stream: bool = False) -> bytes:
    return _post("/completion", {"prompt": prompt, "n_predict": n_tokens, "temperature": 0, "stream": stream})


def _post(path: str, body: dict[str, object]) -> bytes:
    return http("POST", path, json.dumps(body).encode())
