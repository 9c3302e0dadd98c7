"""A streaming client of ``InferenceService.Generate`` on bare stubs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self, cast

import grpc

from bench.harness.errors import BenchError, RefusedError
from bench.harness.load import Job, StreamTiming
from slotline.v1 import generation_pb2, inference_service_pb2_grpc, sampling_pb2

if TYPE_CHECKING:
    # Exists for type checkers only: at run time the one stub class serves both kinds of channel.
    from collections.abc import Callable
    from types import TracebackType

    from slotline.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub


class GrpcTarget:
    """The gRPC API of Slotline; an async context manager that owns one channel."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._address)
        await self._channel.channel_ready()
        stub = inference_service_pb2_grpc.InferenceServiceStub(self._channel)
        self._stub = cast("InferenceServiceAsyncStub", stub)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def generate(self, job: Job, *, on_event: Callable[[], None] = lambda: None) -> StreamTiming:
        """Serve one job over the shared channel."""
        sent = time.perf_counter()
        arrivals: list[float] = []
        deltas: list[generation_pb2.Delta] = []
        n_tokens = 0
        try:
            async for response in self._stub.Generate(_request(job)):
                if response.HasField("delta"):
                    arrivals.append(time.perf_counter())
                    deltas.append(response.delta)
                    on_event()
                elif response.HasField("finished"):
                    n_tokens = response.finished.tokens_predicted
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise RefusedError(f"Generate: {error.details()}", None) from error
            raise BenchError(f"Generate failed with {error.code().name}: {error.details()}") from error
        ended = time.perf_counter()
        if n_tokens != job.n_tokens or not arrivals:
            raise BenchError(f"Generate: max_tokens {job.n_tokens} gave {n_tokens} tokens in {len(arrivals)} outputs")
        text = "".join(piece.text for delta in deltas for piece in delta.pieces) if job.wants_text else ""
        return StreamTiming(sent, arrivals[0], ended, n_tokens, tuple(arrivals), text)


def _request(job: Job) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(
        text=job.prompt,
        sampling=sampling_pb2.SamplingParams(
            temperature=job.sampling.temperature,
            top_k=job.sampling.top_k,
            top_p=job.sampling.top_p,
            min_p=job.sampling.min_p,
            repeat_penalty=job.sampling.repeat_penalty,
            repeat_last_n=job.sampling.repeat_last_n,
            seed=job.seed,
            ignore_eos=True,
        ),
        stop=generation_pb2.StopParams(max_tokens=job.n_tokens),
        cache=generation_pb2.CacheOptions(cache_prompt=job.cache_prompt, slot_id=job.slot_id),
    )
