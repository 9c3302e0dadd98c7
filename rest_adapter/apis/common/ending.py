"""How a sequence ended, in the terms of the REST API."""

from __future__ import annotations

from dataclasses import dataclass

from grpc import StatusCode

from rest_adapter.errors import RpcFailure
from slotline.protocol import reasons
from slotline.v1.generation_pb2 import FINISH_REASON_CANCELLED, FINISH_REASON_LENGTH, Finished


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sequence ended. Limit and end of text can meet at the same token."""

    is_eos: bool
    is_word: bool
    is_limit: bool
    stop_text: str

    @classmethod
    def of(cls, finished: Finished) -> Ending:
        """The ending that the core reports."""
        match = finished.WhichOneof("match")
        return cls(
            is_eos=match in ("eos_token_id", "stop_token_id"),
            is_word=match == "stop_text",
            is_limit=finished.reason == FINISH_REASON_LENGTH,
            stop_text=finished.stop_text,
        )


def check_finished(finished: Finished) -> None:
    """Refuse to pass off a sequence that the server cut short as a whole one.

    Raises:
        RpcFailure: the server ended the sequence.
    """
    if finished.reason == FINISH_REASON_CANCELLED:
        raise RpcFailure(
            StatusCode.UNAVAILABLE, reasons.DRAINING, "the server is shutting down and ended the generation early"
        )


def unfinished() -> RpcFailure:
    """The failure of a stream that ended without telling how."""
    return RpcFailure(StatusCode.INTERNAL, "", "the core ended the stream before the generation was finished")
