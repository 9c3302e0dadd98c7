"""A core that answers every ``Generate`` with one word, and keeps the requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from slotline.v1.generation_pb2 import FINISH_REASON_STOP, GenerateRequest, GenerateResponse

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class RecordingCore:
    """Where it listens, and what it was asked."""

    address: str
    requests: list[GenerateRequest] = field(default_factory=list)


def _answer() -> Iterator[GenerateResponse]:
    accepted, delta, finished = GenerateResponse(), GenerateResponse(), GenerateResponse()
    accepted.accepted.model = "recording"
    delta.delta.pieces.add(text="Paris")
    finished.finished.reason = FINISH_REASON_STOP
    finished.finished.usage.completion_tokens = 1
    yield from (accepted, delta, finished)


@contextmanager
def recording_core() -> Iterator[RecordingCore]:
    """Run one on a free port."""
    server = grpc.server(ThreadPoolExecutor(4))
    core = RecordingCore(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")

    def generate(request: GenerateRequest, _: grpc.ServicerContext) -> Iterator[GenerateResponse]:
        core.requests.append(request)
        return _answer()

    handler = grpc.unary_stream_rpc_method_handler(
        generate, GenerateRequest.FromString, GenerateResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("slotline.v1.InferenceService", {"Generate": handler})]
    )
    server.start()
    try:
        yield core
    finally:
        server.stop(None)
