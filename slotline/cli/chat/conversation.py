"""A conversation: questions, answers, and the system prompt before them. No I/O."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
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
class Message:
    """A question or an answer.

    Attributes:
        finish: why an answer ended; None for a question.
        error: what failed, for people, or "".
        origin: the message in the file that it was loaded from, with fields that are unknown here.
    """

    role: Role
    content: str
    finish: Finish | None = None
    error: str = ""
    statistics: Statistics | None = None
    id: str = field(default_factory=new_id)
    origin: Mapping[str, Any] = field(default_factory=dict)


class Conversation:
    """Messages in their order; an answer follows its question, and a question may lack its answer.

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
        first = next((one.content for one in self.messages if one.role is Role.USER), "")
        line = " ".join(first.split())
        return self.title or (line if len(line) <= _TITLE_CHARACTERS else f"{line[: _TITLE_CHARACTERS - 1]}…")

    @property
    def wants_answer(self) -> bool:
        """Whether the last message is a question."""
        return bool(self.messages) and self.messages[-1].role is Role.USER

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

    def undo(self) -> str | None:
        """Take the last question and its answer away; gives the question, or None if there is none."""
        while self.messages:
            message = self.messages.pop()
            self.updated_ms = self._now_ms()
            if message.role is Role.USER:
                return message.content
        return None

    def drop_oldest(self) -> str | None:
        """Take the first turn away; gives its question, or None if there is only one turn, which is never dropped."""
        second = next((i for i, one in enumerate(self.messages) if i > 0 and one.role is Role.USER), None)
        if second is None:
            return None
        first = self.messages[0].content
        del self.messages[:second]
        self.updated_ms = self._now_ms()
        return first

    def for_request(self) -> list[dict[str, str]]:
        """The messages as the API takes them.

        Questions without an answer between them become one: many chat templates insist on turns.
        """
        messages = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        for message in self.messages:
            if messages and messages[-1]["role"] == message.role.value:
                messages[-1]["content"] += f"\n\n{message.content}"
            else:
                messages.append({"role": message.role.value, "content": message.content})
        return messages
