"""Asks for one answer, shows and measures it as it comes, and keeps it however it ends."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics
from slotline.cli.chat.server import ChatServer, Event, ServerError
from slotline.options import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The server's own defaults for chats are those of the OpenAI API: no limit, and the whole range of the vocabulary.
DEFAULT_SETTINGS: Mapping[str, object] = {
    "n_predict": 1024,
    **{name: BY_NAME[name].default for name in ("temperature", "top_p")},
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question, whole or not.

    Attributes:
        message: the answer as the conversation keeps it; its content may be empty.
        failure: why it is not whole, if the server failed.
    """

    message: Message
    failure: ServerError | None


def ask(
    server: ChatServer,
    conversation: Conversation,
    settings: Mapping[str, object],
    show: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Ask for the answer to the conversation so far.

    Ctrl-C stops the answer, which frees the server at once. The conversation is left as it is.

    Args:
        server: answers.
        conversation: it ends with a question.
        settings: options of the generation.
        show: takes each piece of text.
        clock: monotonic seconds.
    """
    body = {
        **settings,
        "messages": conversation.for_request(),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    progress = _Progress(clock)
    finish, failure = None, None
    try:
        with closing(server.stream(body)) as events:
            for event in events:
                if text := progress.take(event):
                    show(text)
        finish = progress.finish
        if finish is None:
            failure = ServerError("the answer broke off: the server closed the connection")
    except KeyboardInterrupt:
        finish = Finish.STOPPED
    except ServerError as error:
        failure = error
    message = Message(
        role=Role.ASSISTANT,
        content="".join(progress.texts),
        finish=finish or Finish.ERROR,
        error=str(failure or ""),
        statistics=progress.statistics(),
    )
    return Answer(message, failure)


@dataclass(slots=True)
class _Progress:
    """What has come of an answer so far."""

    clock: Callable[[], float]
    texts: list[str] = field(default_factory=list)
    finish: Finish | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    started_s: float = 0.0
    first_s: float | None = None
    last_s: float = 0.0

    def __post_init__(self) -> None:
        self.started_s = self.clock()

    def take(self, event: Event) -> str:
        """Take an event and give its text."""
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return ""
        if choice.get("finish_reason"):
            self.finish = Finish.LENGTH if choice["finish_reason"] == "length" else Finish.STOP
        delta = choice.get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        if not isinstance(text, str) or not text:
            return ""
        self.last_s = self.clock()
        if self.first_s is None:
            self.first_s = self.last_s
        self.texts.append(text)
        return text

    def statistics(self) -> Statistics:
        """The figures. If the server does not count, each piece of text counts as a token."""
        n_tokens = _count(self.usage, "completion_tokens")
        n_tokens = len(self.texts) if n_tokens is None else n_tokens
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
