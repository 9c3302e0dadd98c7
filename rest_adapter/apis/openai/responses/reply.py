"""POST /v1/responses: from the core's messages to events or one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import Ending, check_finished
from rest_adapter.apis.common.timings import prompt_progress, with_times
from rest_adapter.apis.common.tokens import token_logprobs
from rest_adapter.apis.openai.choices import Choice, usage_json
from rest_adapter.apis.openai.placed_tokens import PlacedTokens
from rest_adapter.apis.openai.responses.output import (
    COMPLETED,
    IN_PROGRESS,
    INCOMPLETE,
    CallItem,
    CustomCallItem,
    MessageItem,
    OutputItem,
    ReasoningItem,
)
from slotline.v1.generation_pb2 import CHANNEL_REASONING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.apis.openai.responses.request import ResponseCall
    from rest_adapter.http.http_errors import HttpError
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Delta, GenerateResponse, Piece, ToolDelta

FAILED = "failed"
#: What errors without a code of their own are called.
_SERVER_ERROR = "server_error"


class ResponsesReply:
    """Translates the core's messages for one body.

    Args:
        call: the body.
        response_id: the answer's id.
        created: Unix time in seconds.
    """

    def __init__(self, call: ResponseCall, *, response_id: str, created: int) -> None:
        self._call = call
        self._model = call.model
        self._id = response_id
        self._created = created
        self._answer = Choice(0)
        self._n_events = 0
        self._done: list[JsonObject] = []
        self._item: OutputItem | None = None
        self._placed = PlacedTokens()

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message and yield the events it makes. ``number`` is that of the call, always 0.

        Raises:
            RpcFailure: the server cut the answer short.
        """
        match response.WhichOneof("event"):
            case "accepted":
                self._model = self._model or response.accepted.model
                for kind in ("response.created", "response.in_progress"):
                    yield self._numbered({"type": kind, "response": self._response(IN_PROGRESS)})
            case "progress":
                told = {"type": "response.in_progress", "response": self._response(IN_PROGRESS)}
                yield self._numbered(told | {"prompt_progress": prompt_progress(response.progress)})
            case "delta":
                for event in self._take(response.delta):
                    yield self._numbered(event)
            case "finished":
                check_finished(response.finished)
                self._answer.finished = response.finished

    def closing_events(self) -> Iterator[JsonObject]:
        """The events after the last message: the end of the last item, and the whole answer."""
        status = self._status()
        for event in self._end_item(status):
            yield self._numbered(event)
        last = {"type": f"response.{status}", "response": self._response(status)}
        yield self._numbered(self._timed(last))

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        status = self._status()
        for _ in self._end_item(status):
            pass
        return self._timed(self._response(status))

    def failed(self, error: HttpError) -> JsonObject:
        """The last event of a stream that fails: the answer as far as it has come."""
        for _ in self._end_item(INCOMPLETE):
            pass
        told = {"code": error.code or _SERVER_ERROR, "message": error.message}
        response = self._response(FAILED) | {"error": told}
        return self._numbered({"type": "response.failed", "response": response})

    def _timed(self, answer: JsonObject) -> JsonObject:
        """What ends an answer, with its times if they are wanted."""
        return with_times(answer, self._answer.end()) if self._call.extras.tells_times else answer

    def _take(self, delta: Delta) -> Iterator[JsonObject]:
        for piece in delta.pieces:
            events = self._think(piece.text) if piece.channel == CHANNEL_REASONING else self._say(piece)
            yield from _each_with_times(events, piece) if piece.HasField("timings") else events
        for part in delta.tool_deltas:
            events = self._call_tool(part)
            yield from _each_with_times(events, part) if part.HasField("timings") else events

    def _think(self, text: str) -> Iterator[JsonObject]:
        if not text or not self._call.reasoning.is_shown:
            return
        item = self._item
        if not isinstance(item, ReasoningItem):
            yield from self._end_item(COMPLETED)
            item = ReasoningItem(len(self._done))
            yield from self._begin_item(item)
        yield item.more(text)

    def _say(self, piece: Piece) -> Iterator[JsonObject]:
        if self._call.wants_logprobs:
            self._placed.add(piece.tokens, piece.text)
        # Tokens without text of their own travel with the next one.
        if not piece.text:
            return
        item = self._item
        if not isinstance(item, MessageItem):
            yield from self._end_item(COMPLETED)
            item = MessageItem(len(self._done))
            yield from self._begin_item(item)
        logprobs = []
        if self._call.wants_logprobs:
            logprobs = [token_logprobs(token) for _, token in self._placed.take()]
        yield item.more(piece.text, logprobs)

    def _call_tool(self, part: ToolDelta) -> Iterator[JsonObject]:
        if part.id:
            yield from self._end_item(COMPLETED)
            kind = CustomCallItem if part.name in self._call.tools.custom else CallItem
            yield from self._begin_item(kind(len(self._done), part.id, part.name))
        assert isinstance(self._item, CallItem)
        yield from self._item.more(part.arguments)

    def _begin_item(self, item: OutputItem) -> Iterator[JsonObject]:
        self._item = item
        return item.begin()

    def _end_item(self, status: str) -> Iterator[JsonObject]:
        """End the item that grows, if there is one."""
        item, self._item = self._item, None
        if item is not None:
            self._done.append(item.json(status))
            yield from item.end(status)

    def _numbered(self, event: JsonObject) -> JsonObject:
        event["sequence_number"] = self._n_events
        self._n_events += 1
        return event

    def _status(self) -> str:
        return INCOMPLETE if Ending.of(self._answer.end()).is_limit else COMPLETED

    def _response(self, status: str) -> JsonObject:
        is_over = status in (COMPLETED, INCOMPLETE)
        return {
            **self._call.settings,
            **self._settings_in_force(),
            "created_at": self._created,
            "error": None,
            "id": self._id,
            "incomplete_details": {"reason": "max_output_tokens"} if status == INCOMPLETE else None,
            "model": self._model,
            "object": "response",
            "output": list(self._done),
            "status": status,
            "usage": self._usage() if is_over else None,
        }

    def _settings_in_force(self) -> JsonObject:
        """What the numbers that the body leaves out turned out to be: the server may have been started with its own."""
        if self._answer.finished is None:
            return {}
        sampling = self._answer.finished.settings.sampling
        # Seven digits tell all float32 apart that people write.
        return {name: float(f"{getattr(sampling, name):.7g}") for name in self._call.left_out}

    def _usage(self) -> JsonObject:
        usage = usage_json(((self._answer,),))
        details = usage.get("completion_tokens_details", {"reasoning_tokens": 0})
        return {
            "input_tokens": usage["prompt_tokens"],
            "input_tokens_details": usage["prompt_tokens_details"],
            "output_tokens": usage["completion_tokens"],
            "output_tokens_details": details,
            "total_tokens": usage["total_tokens"],
        }


def _each_with_times(events: Iterator[JsonObject], told: Piece | ToolDelta) -> Iterator[JsonObject]:
    return (with_times(event, told) for event in events)
