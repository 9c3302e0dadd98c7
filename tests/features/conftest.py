"""What a scenario has sent and got so far."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.server import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Most characters of a body in a report.
SHOWN = 4000
#: The last event of a stream in OpenAI's manner.
DONE = "[DONE]"


@dataclass
class Talk:
    """What a scenario sends to its server and what comes back.

    Attributes:
        url: where the server listens.
        answers: of the last step that sent something; several if several clients did.
        kept: values that later steps may use, by the names that the scenario gave them.
        open_stream: the answer that a client still reads, if one does.
    """

    url: str = ""
    answers: list[requests.Response] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    open_stream: requests.Response | None = None
    _lines: Iterator[bytes] | None = None
    _log: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, body: str | None = None, *, clients: int = 1, **headers: str) -> None:
        """Send a request, or the same one from several clients at once, and read the answers."""
        for name, value in self.kept.items():
            body = None if body is None else body.replace(f"${name}", json.dumps(value))
        headers = {"Content-Type": "application/json", **headers} if body is not None else headers
        self._log.append(f"{method} {path} {headers or ''} from {clients} client(s)\n{body or ''}".strip())

        def one(_: int) -> requests.Response:
            data = None if body is None else body.encode()
            return requests.request(method, self.url + path, data=data, headers=headers, timeout=PATIENCE_S)

        with ThreadPoolExecutor(clients) as pool:
            self.answers = list(pool.map(one, range(clients)))
        self._log += [_shown(answer) for answer in self.answers]

    def open(self, path: str, body: str) -> None:
        """Begin to read a stream: one event."""
        self._log.append(f"POST {path}, read without end\n{body}")
        headers = {"Content-Type": "application/json"}
        stream = requests.post(self.url + path, data=body.encode(), headers=headers, timeout=PATIENCE_S, stream=True)
        self.open_stream = stream
        # Kept: the connection is closed with its iterator.
        self._lines = stream.iter_lines(chunk_size=1)
        self._log.append(f"-> {stream.status_code} {next(self._lines)!r}")

    def leave(self) -> None:
        """Close the open stream, if there is one."""
        if self.open_stream is not None:
            self.open_stream.close()
            self.open_stream = self._lines = None

    def values(self, path: str) -> list[Any]:
        """The value at a path such as ``choices.0.text`` in each answer."""
        return [at(answer.json(), path) for answer in self.answers]

    def events(self) -> list[list[str]]:
        """The data of each answer's events; the answers must be streams."""
        lines = [[line for line in answer.text.split("\n") if line] for answer in self.answers]
        assert all(line.startswith("data: ") for some in lines for line in some)
        return [[line.removeprefix("data: ") for line in some] for some in lines]

    def chunks(self) -> list[list[Any]]:
        """The JSON of each answer's events, without the mark at the end that OpenAI's streams have."""
        return [[json.loads(data) for data in some if data != DONE] for some in self.events()]

    def report(self) -> str:
        """Everything so far."""
        return "\n\n".join(self._log) or "nothing was sent"


def at(value: Any, path: str) -> Any:
    """A value inside a JSON value."""
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _shown(answer: requests.Response) -> str:
    headers = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
    return f"-> {answer.status_code} {answer.reason}\n{headers}\n{answer.text[:SHOWN]}"


@pytest.fixture
def talk() -> Iterator[Talk]:
    """The scenario's own."""
    talk = Talk()
    yield talk
    talk.leave()


def pytest_bdd_step_error(request: pytest.FixtureRequest) -> None:
    """Show what was sent and what came back, if a step fails."""
    request.node.add_report_section("call", "requests and answers", request.getfixturevalue("talk").report())
