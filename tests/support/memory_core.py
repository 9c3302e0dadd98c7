"""A core inside the test: ``rest_adapter.core.calls.CoreCalls`` without gRPC, sockets or threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from rest_adapter.core.calls import GET_MODEL, UnaryMethod
from rest_adapter.errors import RpcFailure, StreamClosed
from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse
from slotline.v1.model_pb2 import GetModelResponse


class Silence:
    """Among the answers: the next one does not come before who waits for it is tired of waiting."""


Answer = GenerateResponse | Exception | Silence
UnaryAnswer = Message | Exception | Callable[[Any], Message]


class MemoryStream:
    """A stream whose messages are known from the start; an exception among them is raised in its turn."""

    def __init__(self, answers: Iterable[tuple[int, Answer]]) -> None:
        self._answers = deque(answers)
        self.is_closed = False

    def __iter__(self) -> Iterator[tuple[int, GenerateResponse]]:
        return self

    def __next__(self) -> tuple[int, GenerateResponse]:
        if self.is_closed:
            raise StreamClosed
        # Who waits without a limit does not notice.
        while self._answers and isinstance(self._answers[0][1], Silence):
            self._answers.popleft()
        if not self._answers:
            raise StopIteration
        number, answer = self._answers.popleft()
        assert not isinstance(answer, Silence)
        if isinstance(answer, RpcFailure):
            raise answer.of_call(number)
        if isinstance(answer, Exception):
            raise answer
        return number, answer

    def wait(self, timeout_s: float) -> bool:
        if not self.is_closed and self._answers and isinstance(self._answers[0][1], Silence):
            self._answers.popleft()
            return False
        return True

    def close(self) -> None:
        self.is_closed = True


class MemoryAnswer:
    """The answer to a call that was started, known from the start."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self.is_closed = False

    def wait(self) -> Any:
        if self.is_closed:
            raise StreamClosed
        return self._answer()

    def close(self) -> None:
        self.is_closed = True


class MemoryCore:
    """Answers from a script.

    Args:
        script: the messages that answer a request.
        unary: answers by the path of the method; an exception is raised, a function makes the answer.

    Attributes:
        requests: the requests of all streams so far.
        deadlines_s: the deadlines of all streams and started calls so far.
        streams: the streams so far.
        started: the started calls so far.
    """

    def __init__(
        self,
        script: Callable[[GenerateRequest], Iterable[Answer]] = lambda request: (),
        unary: Mapping[str, UnaryAnswer] | None = None,
    ) -> None:
        self._script = script
        # Whoever sends a large body is asked of which model it is to be the prompt.
        self._unary: dict[str, UnaryAnswer] = {GET_MODEL.path: GetModelResponse(), **(unary or {})}
        self.requests: list[GenerateRequest] = []
        self.unary_requests: list[Message] = []
        self.deadlines_s: list[float | None] = []
        self.priorities: list[int] = []
        self.tenants: list[str] = []
        self.unary_tenants: list[str] = []
        self.streams: list[MemoryStream] = []
        self.started: list[MemoryAnswer] = []

    def answer_with(self, method: UnaryMethod[Any, Any], answer: UnaryAnswer) -> None:
        """Answer a method otherwise from now on."""
        self._unary[method.path] = answer

    def generate(
        self, requests: Sequence[GenerateRequest], *, deadline_s: float | None, priority: int = 0, tenant: str = ""
    ) -> MemoryStream:
        self.requests.extend(requests)
        self.deadlines_s.append(deadline_s)
        self.priorities.append(priority)
        self.tenants.append(tenant)
        answers = [(number, answer) for number, request in enumerate(requests) for answer in self._script(request)]
        self.streams.append(MemoryStream(answers))
        return self.streams[-1]

    def start(
        self, method: UnaryMethod[Any, Any], request: Any, *, timeout_s: float | None, tenant: str = ""
    ) -> MemoryAnswer:
        self.deadlines_s.append(timeout_s)
        self.started.append(MemoryAnswer(lambda: self.unary(method, request, timeout_s=0.0, tenant=tenant)))
        return self.started[-1]

    def unary(self, method: UnaryMethod[Any, Any], request: Any, *, timeout_s: float, tenant: str = "") -> Any:
        self.unary_requests.append(request)
        self.unary_tenants.append(tenant)
        answer = self._unary[method.path]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Message) else answer(request)
