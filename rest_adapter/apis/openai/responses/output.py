"""The items of an answer while they grow, and the events that tell it.

Events have no number yet, and items are told with a status: in_progress, completed or incomplete.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from rest_adapter.apis.openai.responses.custom_input import CustomInput
from rest_adapter.http.random_ids import random_letters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.json.encoding import Encoded, JsonObject

_ID_LENGTH = 32
COMPLETED, INCOMPLETE, IN_PROGRESS = "completed", "incomplete", "in_progress"


def new_response_id() -> str:
    """An id that no other answer has."""
    return f"resp_{random_letters(_ID_LENGTH)}"


class OutputItem(ABC):
    """One item.

    Args:
        index: its number in the answer.

    Attributes:
        id: unlike that of any other item.
    """

    #: What ids begin with.
    _prefix: ClassVar[str]

    def __init__(self, index: int) -> None:
        self.id = f"{self._prefix}_{random_letters(_ID_LENGTH)}"
        self._index = index
        self._texts: list[str] = []
        self._place: JsonObject = {"item_id": self.id, "output_index": index}

    def begin(self) -> Iterator[JsonObject]:
        """The events with which it begins."""
        yield {"type": "response.output_item.added", "output_index": self._index, "item": self.json(IN_PROGRESS)}

    def end(self, status: str) -> Iterator[JsonObject]:
        """The events with which it ends."""
        yield from self._end_text()
        yield {"type": "response.output_item.done", "output_index": self._index, "item": self.json(status)}

    @abstractmethod
    def json(self, status: str) -> JsonObject:
        """The item as it is now."""

    def _text(self) -> str:
        return "".join(self._texts)

    @abstractmethod
    def _end_text(self) -> Iterator[JsonObject]:
        """The events that tell all of its text."""


class _PartItem(OutputItem):
    """An item whose text is the one part of its content."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self._place["content_index"] = 0

    def begin(self) -> Iterator[JsonObject]:
        yield from super().begin()
        # Clients of JavaScript need one for reasoning, too.
        yield {"type": "response.content_part.added", "part": self._part(""), **self._place}

    @abstractmethod
    def _part(self, text: str) -> JsonObject:
        """The part with a text."""

    def _content(self, status: str) -> list[JsonObject]:
        return [] if status == IN_PROGRESS else [self._part(self._text())]


class ReasoningItem(_PartItem):
    """What the model thinks."""

    _prefix = "rs"

    def more(self, text: str) -> JsonObject:
        """The event for more text."""
        self._texts.append(text)
        return {"type": "response.reasoning_text.delta", "delta": text, **self._place}

    def json(self, status: str) -> JsonObject:
        return {"content": self._content(status), "id": self.id, "status": status, "summary": [], "type": "reasoning"}

    def _part(self, text: str) -> JsonObject:
        return {"text": text, "type": "reasoning_text"}

    def _end_text(self) -> Iterator[JsonObject]:
        text = self._text()
        yield {"type": "response.reasoning_text.done", "text": text, **self._place}
        yield {"type": "response.content_part.done", "part": self._part(text), **self._place}


class MessageItem(_PartItem):
    """What the model says."""

    _prefix = "msg"

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self._logprobs: list[Encoded] = []

    def more(self, text: str, logprobs: list[Encoded]) -> JsonObject:
        """The event for more text, and the log-probabilities that come with it."""
        self._texts.append(text)
        self._logprobs += logprobs
        return {"type": "response.output_text.delta", "delta": text, "logprobs": logprobs, **self._place}

    def json(self, status: str) -> JsonObject:
        content = self._content(status)
        return {"content": content, "id": self.id, "role": "assistant", "status": status, "type": "message"}

    def _part(self, text: str) -> JsonObject:
        return {"annotations": [], "logprobs": list(self._logprobs), "text": text, "type": "output_text"}

    def _end_text(self) -> Iterator[JsonObject]:
        text = self._text()
        yield {"type": "response.output_text.done", "logprobs": list(self._logprobs), "text": text, **self._place}
        yield {"type": "response.content_part.done", "part": self._part(text), **self._place}


class CallItem(OutputItem):
    """A call of a function.

    Args:
        index: its number in the answer.
        call_id: id by which its output names it.
        name: of the function.
    """

    _prefix = "fc"

    def __init__(self, index: int, call_id: str, name: str) -> None:
        super().__init__(index)
        self._call_id = call_id
        self._name = name

    def more(self, arguments: str) -> Iterator[JsonObject]:
        """The event for more arguments, if there are any."""
        if arguments:
            self._texts.append(arguments)
            yield {"type": "response.function_call_arguments.delta", "delta": arguments, **self._place}

    def json(self, status: str) -> JsonObject:
        return self._call(status) | {"arguments": self._text(), "type": "function_call"}

    def _call(self, status: str) -> JsonObject:
        return {"call_id": self._call_id, "id": self.id, "name": self._name, "status": status}

    def _end_text(self) -> Iterator[JsonObject]:
        arguments = self._text()
        yield {
            "type": "response.function_call_arguments.done",
            "arguments": arguments,
            "name": self._name,
            **self._place,
        }


class CustomCallItem(CallItem):
    """A call of a custom tool, which the model makes as one of a function with the argument ``input``."""

    _prefix = "ctc"

    def __init__(self, index: int, call_id: str, name: str) -> None:
        super().__init__(index, call_id, name)
        self._input = CustomInput()

    def more(self, arguments: str) -> Iterator[JsonObject]:
        if text := self._input.feed(arguments):
            self._texts.append(text)
            yield {"type": "response.custom_tool_call_input.delta", "delta": text, **self._place}

    def json(self, status: str) -> JsonObject:
        return self._call(status) | {"input": self._text(), "type": "custom_tool_call"}

    def _end_text(self) -> Iterator[JsonObject]:
        yield {"type": "response.custom_tool_call_input.done", "input": self._text(), **self._place}
