"""What a call of a case gave, and how it differs from what was expected: see README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from slotline.client import SlotlineError, StreamLost
from slotline.v1 import generation_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

_KEYS = {"events", "sequences", "usage", "accepted", "response", "count", "status", "reason", "field", "retry_after"}
_KEYS |= {"metadata", "lost", "cancelled", "idle_within_ms", "statuses"}


@dataclass
class Outcome:
    """What came.

    Attributes:
        events: kinds of events of a stream.
        texts, finishes: of each sequence, by its index.
        usage, accepted: of a stream, in proto JSON.
        response: of a unary call, in proto JSON.
        statuses: of a watch.
        error: how the call failed.
        cancelled: whether it ended because it was cancelled here.
        idle_ms: how long it took until no slot was busy; infinite if that was not waited for.
    """

    events: list[str] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    finishes: dict[int, str] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    accepted: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    error: SlotlineError | None = None
    cancelled: bool = False
    idle_ms: float = float("inf")

    def add(self, message: generation_pb2.GenerateResponse) -> None:
        """Take a message of a stream."""
        event = message.WhichOneof("event")
        if event is None:  # of a newer core
            return
        self.events.append(event)
        if event == "accepted":
            self.accepted = as_json(message.accepted)
        elif event == "delta":
            index, text = message.delta.index, "".join(piece.text for piece in message.delta.pieces)
            self.texts[index] = self.texts.get(index, "") + text
        elif event == "finished":
            names = generation_pb2.FinishReason.DESCRIPTOR.values_by_number
            reason: int = message.finished.reason
            self.finishes[message.finished.index] = names[reason].name if reason in names else "UNKNOWN"
            if message.finished.HasField("usage"):
                self.usage = as_json(message.finished.usage)

    def differences(self, expected: dict[str, Any]) -> list[str]:
        """What is not as expected, as lines."""
        found = [f"expects unknown keys {expected.keys() - _KEYS}"] if expected.keys() - _KEYS else []
        found += self._error_differences(expected)
        pattern = _events_pattern(expected["events"]) if "events" in expected else ".*"
        if not re.fullmatch(pattern, "".join(f"{event} " for event in self.events)):
            found.append(f"events {' '.join(self.events)}, not {expected['events']}")
        for index, sequence in enumerate(expected.get("sequences", ())):
            came = {"text": self.texts.get(index, ""), "finish": self.finishes.get(index, "")}
            found += _missing(f"sequences[{index}]", sequence, came)
        for name in ("usage", "accepted", "response", "statuses"):
            found += _missing(name, expected.get(name, type(getattr(self, name))()), getattr(self, name))
        for name, n in expected.get("count", {}).items():
            found += [] if len(self.response.get(name, ())) == n else [f"{len(self.response.get(name, ()))} {name}"]
        if self.idle_ms > expected.get("idle_within_ms", float("inf")):
            found.append(f"a slot is busy after {expected['idle_within_ms']} ms")
        return found

    def _error_differences(self, expected: dict[str, Any]) -> list[str]:
        error = self.error
        if expected.get("cancelled", False) != self.cancelled:
            return [f"cancelled is {self.cancelled}, error {error!r}"]
        if expected.get("lost", False) != isinstance(error, StreamLost):
            return [f"lost is {isinstance(error, StreamLost)}, error {error!r}"]
        if "lost" in expected:
            return []
        if error is None and "status" not in expected:
            return []
        if error is None or "status" not in expected:
            return [f"the error is {error!r}"]
        came: dict[str, Any] = {
            "status": error.code.name,
            "reason": error.reason,
            "field": error.field,
            "metadata": error.metadata,
            "retry_after": error.retry_after_s is not None,
        }
        return [line for name in came if name in expected for line in _missing(name, expected[name], came[name])]


def as_json(message: Message) -> dict[str, Any]:
    """A message in proto JSON."""
    return json_format.MessageToDict(message)


def _events_pattern(words: str) -> str:
    """The regular expression for events, each with a blank behind it."""
    parts = (re.fullmatch(r"(\w+)([+*]?)", word) for word in words.split())
    return "".join(f"({part[1]} ){part[2]}" for part in parts if part)


def _missing(where: str, expected: Any, came: Any) -> list[str]:
    """What of the expected values did not come."""
    if isinstance(expected, dict) and isinstance(came, dict):
        return [line for key in expected for line in _missing(f"{where}.{key}", expected[key], came.get(key))]
    if isinstance(expected, list) and isinstance(came, list) and len(expected) == len(came):
        return [line for i, one in enumerate(expected) for line in _missing(f"{where}[{i}]", one, came[i])]
    return [] if expected == came else [f"{where} is {came!r:.200}, not {expected!r:.200}"]
