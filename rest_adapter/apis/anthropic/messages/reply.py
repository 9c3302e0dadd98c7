"""POST /v1/messages: from the core's messages to events or one answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import Ending, check_finished, unfinished
from rest_adapter.json.encoding import Encoded
from slotline.v1.generation_pb2 import CHANNEL_REASONING, FINISH_REASON_TOOL_CALLS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rest_adapter.apis.anthropic.messages.request import MessagesCall
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Accepted, Delta, Finished, GenerateResponse, ToolDelta
    from slotline.v1.tokens_pb2 import Usage

TEXT, THINKING, TOOL_USE = "text", "thinking", "tool_use"
#: Signatures are a matter of servers that do not trust what clients send back; clients want to have one.
_SIGNATURE = ""
#: Blocks as they begin.
_BEGINNINGS: dict[str, JsonObject] = {
    TEXT: {"type": TEXT, "text": ""},
    THINKING: {"type": THINKING, "thinking": "", "signature": ""},
}


@dataclass(slots=True)
class _Block:
    """A block of an answer that is not streamed."""

    kind: str
    id: str = ""
    name: str = ""
    parts: list[str] = field(default_factory=list)


class MessagesReply:
    """Translates the core's messages for one body.

    Args:
        call: the body.
        message_id: the answer's id.
    """

    def __init__(self, call: MessagesCall, *, message_id: str) -> None:
        self._call = call
        self._is_stream = call.is_stream
        self._id = message_id
        self._model = call.model
        self._index = -1
        self._open: str | None = None
        self._blocks: list[_Block] = []
        self._finished: Finished | None = None

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message and yield the events it makes. ``number`` is that of the call, always 0.

        Raises:
            RpcFailure: the server cut the answer short.
        """
        match response.WhichOneof("event"):
            case "delta" if self._is_stream:
                yield from self._events_of(response.delta)
            case "delta":
                self._collect(response.delta)
            case "accepted":
                self._model = self._model or response.accepted.model
                if self._is_stream:
                    yield {"type": "message_start", "message": self._message(_usage_at_start(response.accepted))}
            case "finished":
                check_finished(response.finished)
                self._finished = response.finished

    def closing_events(self) -> Iterator[JsonObject]:
        """The events after the last message: the end of the last block, and why the answer ended."""
        end = self._end()
        yield from self._close()
        yield {"type": "message_delta", "delta": self._stop(end), "usage": usage_json(end.usage)}
        yield {"type": "message_stop"}

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        end = self._end()
        message = self._message(usage_json(end.usage))
        content = [json for block in self._blocks if (json := self._json(block)) is not None]
        return message | {"content": content, **self._stop(end)}

    def _end(self) -> Finished:
        if self._finished is None:
            raise unfinished()
        return self._finished

    def _message(self, usage: JsonObject) -> JsonObject:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }

    def _stop(self, end: Finished) -> JsonObject:
        reason, text = stop_of(end, self._call.stop_texts)
        return {"stop_reason": reason, "stop_sequence": text}

    def _events_of(self, delta: Delta) -> Iterator[JsonObject]:
        for piece in delta.pieces:
            text = piece.text
            if not text:
                continue
            kind = THINKING if piece.channel == CHANNEL_REASONING else TEXT
            if kind != self._open:
                yield from self._begin(kind, _BEGINNINGS[kind])
            if kind == TEXT:
                yield self._delta({"type": "text_delta", "text": text})
            elif self._call.shows_thinking:
                yield self._delta({"type": "thinking_delta", "thinking": text})
        for part in delta.tool_deltas:
            yield from self._events_of_call(part)

    def _events_of_call(self, part: ToolDelta) -> Iterator[JsonObject]:
        if part.id:
            yield from self._begin(TOOL_USE, {"type": TOOL_USE, "id": part.id, "name": part.name, "input": {}})
        if part.arguments:
            yield self._delta({"type": "input_json_delta", "partial_json": part.arguments})

    def _begin(self, kind: str, block: JsonObject) -> Iterator[JsonObject]:
        """Close the block that is open, and begin another one."""
        yield from self._close()
        self._open = kind
        self._index += 1
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _close(self) -> Iterator[JsonObject]:
        if self._open is None:
            return
        if self._open == THINKING:
            yield self._delta({"type": "signature_delta", "signature": _SIGNATURE})
        self._open = None
        yield {"type": "content_block_stop", "index": self._index}

    def _delta(self, delta: JsonObject) -> JsonObject:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _collect(self, delta: Delta) -> None:
        for piece in delta.pieces:
            if piece.text:
                kind = THINKING if piece.channel == CHANNEL_REASONING else TEXT
                if not self._blocks or self._blocks[-1].kind != kind:
                    self._blocks.append(_Block(kind))
                self._blocks[-1].parts.append(piece.text)
        for part in delta.tool_deltas:
            if part.id:
                self._blocks.append(_Block(TOOL_USE, part.id, part.name))
            self._blocks[-1].parts.append(part.arguments)

    def _json(self, block: _Block) -> JsonObject | None:
        text = "".join(block.parts)
        if block.kind == TEXT:
            return {"type": TEXT, "text": text}
        if block.kind == THINKING:
            shown = text if self._call.shows_thinking else ""
            return {"type": THINKING, "thinking": shown, "signature": _SIGNATURE}
        # The limit on tokens came in the middle of it: there is no call that could be made.
        if not _is_object(text):
            return None
        # As the model wrote it: in the next request, its keys have the same order.
        return {"type": TOOL_USE, "id": block.id, "name": block.name, "input": Encoded(text.encode())}


def stop_of(end: Finished, stop_texts: Collection[str]) -> tuple[str, str | None]:
    """Why an answer ended, and the stop text of the client that was found.

    Args:
        end: how it ended.
        stop_texts: those of the client; others end a turn.
    """
    if end.reason == FINISH_REASON_TOOL_CALLS:
        return "tool_use", None
    ending = Ending.of(end)
    if ending.is_limit:
        is_limited = end.settings.HasField("max_tokens") and end.tokens_predicted >= end.settings.max_tokens
        return "max_tokens" if is_limited else "model_context_window_exceeded", None
    if ending.is_word and ending.stop_text in stop_texts:
        return "stop_sequence", ending.stop_text
    return "end_turn", None


def usage_json(usage: Usage) -> JsonObject:
    """The token counts of an answer. Those of the prompt that were cached are not among the input tokens."""
    counts = _counts(usage.prompt_tokens, usage.cached_prompt_tokens, usage.completion_tokens)
    if usage.HasField("reasoning_tokens"):
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return counts


def _usage_at_start(accepted: Accepted) -> JsonObject:
    return _counts(accepted.prompt_tokens, accepted.cached_prompt_tokens, 0)


def _counts(prompt: int, cached: int, output: int) -> JsonObject:
    return {
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": output,
    }


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
