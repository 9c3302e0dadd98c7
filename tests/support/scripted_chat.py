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
