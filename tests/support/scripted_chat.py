"""A server for the terminal client that answers what a test says, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slotline.cli.chat.server import ChatServer, Event

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

Step = Event | BaseException


class ScriptedServer(ChatServer):
    """Gives the same events for every question, or raises.

    Args:
        steps: the events and exceptions.

    Attributes:
        bodies: what was sent.
        is_left: whether the last stream is closed.
        n_ctx: tokens of context that it tells.
    """

    def __init__(self, *steps: Step) -> None:
        super().__init__("http://nowhere")
        self.bodies: list[Mapping[str, Any]] = []
        self.is_left = False
        self.n_ctx: int | None = None
        self._steps = steps

    def stream(self, body: Mapping[str, object]) -> Generator[Event, None, None]:
        self.bodies.append(body)
        try:
            for step in self._steps:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            self.is_left = True

    def context_tokens(self) -> int | None:
        return self.n_ctx


def said(text: str | None, finish: str | None = None) -> Event:
    """A chunk of an answer: a piece of text, or None, and why the answer ends, or None."""
    return {"choices": [{"delta": {} if text is None else {"content": text}, "finish_reason": finish}]}


def thought(text: str) -> Event:
    """A chunk of what the model thinks."""
    return {"choices": [{"delta": {"reasoning_content": text}, "finish_reason": None}]}


def called(index: int = 0, arguments: str = "", **first: str) -> Event:
    """A chunk of a tool call; ``id`` and ``name`` with its first one."""
    function = {"arguments": arguments, **({"name": first["name"]} if "name" in first else {})}
    call = {"index": index, "function": function, **({"id": first["id"], "type": "function"} if "id" in first else {})}
    return {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": None}]}


class Seen:
    """What was shown of an answer, as words and texts."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def text(self, piece: str) -> None:
        """A piece of the answer."""
        self.events.append(("text", piece))

    def thought(self, piece: str) -> None:
        """A piece of thinking."""
        self.events.append(("thought", piece))

    def end_thought(self, total_ms: float) -> None:
        """The end of thinking."""
        self.events.append(("thought for", total_ms))

    def call(self, name: str) -> None:
        """The beginning of a call."""
        self.events.append(("call", name))

    def arguments(self, piece: str) -> None:
        """A piece of arguments."""
        self.events.append(("arguments", piece))
