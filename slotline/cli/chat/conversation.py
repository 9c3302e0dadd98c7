"""A conversation: questions, answers, and the system prompt before them. No I/O."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TITLE_CHARACTERS = 60


class Role(Enum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Finish(Enum):
    """Why an answer ended."""

    STOP = "stop"
    """The model had said what it had to say."""
    LENGTH = "length"
    """It was cut at the limit of tokens."""
    STOPPED = "stopped"
    """The user stopped it."""
    ERROR = "error"
    """The server failed."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of an answer; None for what the server did not report, or what did not come.

    Attributes:
        n_tokens: tokens of the answer.
        n_prompt_tokens: tokens of the whole conversation before it.
        n_cached_tokens: how many of them did not have to be evaluated.
        tokens_per_second: from the first token to the last.
        first_token_ms: milliseconds until the first token.
        total_ms: milliseconds in all.
        n_truncated_tokens: tokens of the conversation that did not fit and were left out.
    """

    n_tokens: int
    n_prompt_tokens: int | None
    n_cached_tokens: int | None
    tokens_per_second: float | None
    first_token_ms: float | None
    total_ms: float
    n_truncated_tokens: int | None = None


def new_id() -> str:
    """An id for a message or conversation."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool in an answer.

    Attributes:
        id: names the call in its result.
        name: the tool.
        arguments: JSON text.
        result: what the tool gave, None as long as nobody has said it.
        total_ms: milliseconds in which the model wrote the arguments, None if unknown.
    """

    id: str
    name: str
    arguments: str
    result: str | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A question or an answer.

    Attributes:
        finish: why an answer ended; None for a question.
        error: what failed, for people, or "".
        reasoning: what the model thought before it answered.
        reasoning_ms: milliseconds that this took, None if there is none.
        calls: calls of tools that the answer makes.
        images: pictures of a question, as data URLs.
        origin: the message in the file that it was loaded from, with fields that are unknown here.
    """

    role: Role
    content: str
    finish: Finish | None = None
    error: str = ""
    statistics: Statistics | None = None
    reasoning: str = ""
    reasoning_ms: float | None = None
    calls: tuple[ToolCall, ...] = ()
    images: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def open_call(self) -> ToolCall | None:
        """The first call that has no result."""
        return next((call for call in self.calls if call.result is None), None)

    def for_request(self) -> list[dict[str, Any]]:
        """The message as the API takes it, and the results of its calls."""
        turn: dict[str, Any] = {"role": self.role.value, "content": self._content()}
        if self.reasoning:
            turn["reasoning_content"] = self.reasoning
        # A call without a result would be one that the model waits for.
        calls = [call for call in self.calls if call.result is not None]
        if calls:
            turn["content"] = self.content or None
            turn["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in calls
            ]
        return [turn, *({"role": "tool", "tool_call_id": call.id, "content": call.result} for call in calls)]

    def _content(self) -> str | list[dict[str, Any]]:
        """The text, behind the pictures if there are any."""
        if not self.images:
            return self.content
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image}} for image in self.images]
        return [*parts, {"type": "text", "text": self.content}] if self.content else parts


class Conversation:
    """Messages in their order; an answer follows its question, and a question may lack its answer.

    An answer that calls tools is followed by the next answer, once all its calls have results.

    Args:
        now_ms: gives milliseconds since 1970.
        system_prompt: "" for none.

    Attributes:
        title: given by the user, or "" for one that is made of the first question.
        origin: the conversation in the file that it was loaded from, with fields that are unknown here.
    """

    def __init__(self, now_ms: Callable[[], int], system_prompt: str = "") -> None:
        self._now_ms = now_ms
        self.id = new_id()
        self.created_ms = self.updated_ms = now_ms()
        self.title = ""
        self.system_prompt = system_prompt
        self.messages: list[Message] = []
        self.origin: Mapping[str, Any] = {}

    @property
    def shown_title(self) -> str:
        """The title, or the beginning of the first question."""
        first = next((one for one in self.messages if one.role is Role.USER), None)
        line = " ".join(first.content.split()) if first else ""
        if first and first.images and not line:
            line = "Image"
        return self.title or (line if len(line) <= _TITLE_CHARACTERS else f"{line[: _TITLE_CHARACTERS - 1]}…")

    @property
    def wants_answer(self) -> bool:
        """Whether the last message is a question, or calls tools that all have given their results."""
        if not self.messages:
            return False
        last = self.messages[-1]
        return last.role is Role.USER or (bool(last.calls) and last.open_call is None)

    @property
    def open_call(self) -> ToolCall | None:
        """The call whose result is to be said next."""
        return self.messages[-1].open_call if self.messages else None

    def add_result(self, result: str) -> None:
        """Say what the open call gave."""
        last, open_call = self.messages[-1], self.open_call
        calls = (replace(call, result=result) if call is open_call else call for call in last.calls)
        self.messages[-1] = replace(last, calls=tuple(calls))
        self.updated_ms = self._now_ms()

    def add(self, message: Message) -> None:
        """Append a message."""
        self.messages.append(message)
        self.updated_ms = self._now_ms()

    def drop_answer(self) -> Message | None:
        """Take the last answer away, so that its question wants one again; None if it has none yet."""
        if not self.messages or self.wants_answer:
            return None
        self.updated_ms = self._now_ms()
        return self.messages.pop()

    def undo(self) -> Message | None:
        """Take the last question and its answer away; gives the question, or None if there is none."""
        while self.messages:
            message = self.messages.pop()
            self.updated_ms = self._now_ms()
            if message.role is Role.USER:
                return message
        return None

    def drop_oldest(self) -> Message | None:
        """Take the first turn away; gives its question, or None if there is only one turn, which is never dropped."""
        second = next((i for i, one in enumerate(self.messages) if i > 0 and one.role is Role.USER), None)
        if second is None:
            return None
        first = self.messages[0]
        del self.messages[:second]
        self.updated_ms = self._now_ms()
        return first

    def for_request(self) -> list[dict[str, Any]]:
        """The messages as the API takes them.

        Questions without an answer between them become one: many chat templates insist on turns.
        """
        messages: list[dict[str, Any]] = []
        if self.system_prompt:
            messages.append({"role": "system", "content": self.system_prompt})
        for turn in itertools.chain.from_iterable(message.for_request() for message in self.messages):
            last = messages[-1] if messages else None
            if last and last["role"] == turn["role"] and _is_text(last) and _is_text(turn):
                last["content"] = _joined(last["content"], turn["content"])
            else:
                messages.append(turn)
        return messages


def _is_text(turn: Mapping[str, Any]) -> bool:
    """Whether a turn says something and nothing else."""
    return turn.keys() == {"role", "content"}


def _joined(first: str | list[Any], second: str | list[Any]) -> str | list[Any]:
    """The contents of two turns as those of one."""
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
