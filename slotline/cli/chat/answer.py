"""Asks for one answer, shows and measures it as it comes, and keeps it however it ends."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics, ToolCall
from slotline.cli.chat.dialogue_options import request_fields
from slotline.cli.chat.server import ChatServer, Event, ServerError
from slotline.options import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: The server's own defaults for chats are those of the OpenAI API: no limit, the whole range of the vocabulary, and
#: thinking as a part of the answer.
DEFAULT_SETTINGS: Mapping[str, object] = {
    "n_predict": 1024,
    **{name: BY_NAME[name].default for name in ("temperature", "top_p")},
    "reasoning_format": "auto",
}


class Shown(Protocol):
    """Takes what comes of an answer."""

    def text(self, piece: str) -> None:
        """A piece of the answer itself."""

    def thought(self, piece: str) -> None:
        """A piece of what the model thinks first."""

    def end_thought(self, total_ms: float) -> None:
        """It has thought so many milliseconds."""

    def call(self, name: str) -> None:
        """The beginning of a tool call."""

    def arguments(self, piece: str) -> None:
        """A piece of the arguments of the last call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, whole or not.

    Attributes:
        message: the answer as the conversation keeps it; its content may be empty. Calls of tools that were cut are
            left out.
        failure: why it is not whole, if the server failed.
    """

    message: Message
    failure: ServerError | None


def ask(
    server: ChatServer,
    conversation: Conversation,
    settings: Mapping[str, object],
    shown: Shown,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Ask for the answer to the conversation so far.

    Ctrl-C stops the answer, which frees the server at once. The conversation is left as it is.

    Args:
        server: answers.
        conversation: it ends with a question.
        settings: options of the generation.
        shown: takes each piece of it.
        clock: monotonic seconds.
    """
    body = {
        **request_fields(settings),
        "messages": conversation.for_request(),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    progress = _Progress(clock)
    finish, failure = None, None
    try:
        with closing(server.stream(body)) as events:
            for event in events:
                progress.take(event, shown)
        finish = progress.finish
        if finish is None:
            failure = ServerError("the answer broke off: the server closed the connection")
    except KeyboardInterrupt:
        finish = Finish.STOPPED
    except ServerError as error:
        failure = error
    progress.end_thought(shown)
    message = Message(
        role=Role.ASSISTANT,
        content="".join(progress.texts),
        finish=finish or Finish.ERROR,
        error=str(failure or ""),
        statistics=progress.statistics(),
        reasoning="".join(progress.thoughts),
        reasoning_ms=progress.thinking_ms,
        calls=tuple(progress.whole_calls()),
    )
    return Answer(message, failure)


@dataclass(slots=True)
class _Call:
    """What has come of a call so far."""

    id: str
    name: str
    first_s: float
    last_s: float = 0.0
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Progress:
    """What has come of an answer so far."""

    clock: Callable[[], float]
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    thinking_ms: float | None = None
    thinking_since_s: float | None = None
    calls: dict[int, _Call] = field(default_factory=dict)
    n_pieces: int = 0
    finish: Finish | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    started_s: float = 0.0
    first_s: float | None = None
    last_s: float = 0.0

    def __post_init__(self) -> None:
        self.started_s = self.clock()

    def take(self, event: Event, shown: Shown) -> None:
        """Take an event and show what it brings."""
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        if choice.get("finish_reason"):
            self.finish = Finish.LENGTH if choice["finish_reason"] == "length" else Finish.STOP
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        # Servers that are built with vLLM name it otherwise.
        if thought := _text(delta, "reasoning_content") or _text(delta, "reasoning"):
            self._tick()
            if self.thinking_since_s is None:
                self.thinking_since_s = self.last_s
            self.thoughts.append(thought)
            shown.thought(thought)
        if text := _text(delta, "content"):
            self._tick()
            self.end_thought(shown)
            self.texts.append(text)
            shown.text(text)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and isinstance(call.get("function"), dict):
                self._tick()
                self.end_thought(shown)
                self._take_call(call, shown)

    def end_thought(self, shown: Shown) -> None:
        """If it thinks: it does no more."""
        if self.thinking_since_s is not None:
            total_ms = round(1000 * (self.last_s - self.thinking_since_s), 1)
            self.thinking_ms = (self.thinking_ms or 0) + total_ms
            self.thinking_since_s = None
            shown.end_thought(total_ms)

    def whole_calls(self) -> Iterator[ToolCall]:
        """The calls whose arguments have come to their end."""
        for call in self.calls.values():
            arguments = "".join(call.arguments)
            if _is_object(arguments):
                yield ToolCall(call.id, call.name, arguments, total_ms=round(1000 * (call.last_s - call.first_s), 1))

    def _take_call(self, call: Mapping[str, Any], shown: Shown) -> None:
        index, function = _count(call, "index") or 0, call["function"]
        known = self.calls.get(index)
        if known is None:
            known = self.calls[index] = _Call(_text(call, "id"), _text(function, "name"), self.last_s)
            shown.call(known.name)
        known.last_s = self.last_s
        if arguments := _text(function, "arguments"):
            known.arguments.append(arguments)
            shown.arguments(arguments)

    def _tick(self) -> None:
        self.last_s = self.clock()
        self.n_pieces += 1
        if self.first_s is None:
            self.first_s = self.last_s

    def statistics(self) -> Statistics:
        """The figures. If the server does not count, each piece counts as a token."""
        n_tokens = _count(self.usage, "completion_tokens")
        n_tokens = self.n_pieces if n_tokens is None else n_tokens
        reported = self.usage.get("prompt_tokens_details")
        details = reported if isinstance(reported, dict) else {}
        rate = first_ms = None
        if self.first_s is not None:
            first_ms = round(1000 * (self.first_s - self.started_s), 1)
            if n_tokens > 1 and self.last_s > self.first_s:
                rate = round((n_tokens - 1) / (self.last_s - self.first_s), 2)
        return Statistics(
            n_tokens=n_tokens,
            n_prompt_tokens=_count(self.usage, "prompt_tokens"),
            n_cached_tokens=_count(details, "cached_tokens"),
            n_truncated_tokens=_count(details, "truncated_tokens"),
            tokens_per_second=rate,
            first_token_ms=first_ms,
            total_ms=round(1000 * (self.clock() - self.started_s), 1),
        )


def _count(counts: Mapping[str, Any], name: str) -> int | None:
    value = counts.get(name)
    return value if isinstance(value, int) else None


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
