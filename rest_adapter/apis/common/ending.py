"""How a sequence ended, as the REST API shows it."""

from __future__ import annotations

from dataclasses import dataclass

from grpc import StatusCode

from rest_adapter.errors import RpcFailure
from slotline.protocol import reasons
from slotline.v1.generation_pb2 import FINISH_REASON_CANCELLED, FINISH_REASON_LENGTH, Finished


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sequence ended. The limit and the end of the text can come with the same token."""

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
    """Refuse a sequence that the server cut short, instead of passing it off as complete.

    Raises:
        RpcFailure: the server ended the sequence.
    """
    if finished.reason == FINISH_REASON_CANCELLED:
        raise RpcFailure(
            StatusCode.UNAVAILABLE, reasons.DRAINING, "the server is shutting down and ended the generation early"
        )


def unfinished() -> RpcFailure:
    """The failure for a stream that ended without ``Finished``."""
    return RpcFailure(StatusCode.INTERNAL, "", "the core ended the stream before the generation was finished")
