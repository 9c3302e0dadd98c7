"""A core without a model: ``slotline.v1`` over real gRPC, answering what a test tells it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from service.api.listen.connections import ConnectionLimits, common_options
from slotline.v1 import (
    embedding_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    rerank_pb2,
    tokenization_pb2,
)
from slotline.v1.generation_pb2 import (
    CHANNEL_CONTENT,
    CHANNEL_REASONING,
    FINISH_REASON_LENGTH,
    Accepted,
    Delta,
    Finished,
    GenerateRequest,
    GenerateResponse,
    GenerationSettings,
    Piece,
    ToolDelta,
)
from slotline.v1.sampling_pb2 import SamplingParams
from slotline.v1.tokens_pb2 import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

MODEL = "fake-model"
VOCAB_SIZE = 100
WAIT_S = 20.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class Hold:
    """A step that lasts until the test opens the call, or the client cancels it."""


@dataclass(frozen=True)
class Refuse:
    """A step that ends the call with a status."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "refused"
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None


Step = GenerateResponse | Hold | Refuse
Script = Callable[[GenerateRequest], Iterable[Step]]


class AnyCall:
    """One call as the core saw it."""

    def __init__(self, deadline_s: float | None) -> None:
        self.deadline_s = deadline_s
        self.holding = threading.Event()
        self.cancelled = threading.Event()
        self.ended = threading.Event()
        self.gate = asyncio.Event()


class Call(AnyCall):
    """One Generate call."""

    def __init__(self, request: GenerateRequest, deadline_s: float | None) -> None:
        super().__init__(deadline_s)
        self.request = request


class EmbedCall(AnyCall):
    """One Embed call."""

    def __init__(self, request: embedding_pb2.EmbedRequest, deadline_s: float | None) -> None:
        super().__init__(deadline_s)
        self.request = request


SomeCall = TypeVar("SomeCall", Call, EmbedCall)


def accepted(slot_id: int = 0) -> GenerateResponse:
    """The first message of a stream."""
    return GenerateResponse(accepted=Accepted(model=MODEL, slot_id=slot_id, prompt_tokens=3))


def delta(*texts: str, index: int = 0) -> GenerateResponse:
    """One message with a piece per text."""
    return GenerateResponse(delta=Delta(index=index, pieces=[Piece(text=text) for text in texts]))


def parts(*given: Piece | ToolDelta) -> GenerateResponse:
    """One message with pieces, and with parts of tool calls behind them."""
    pieces = [part for part in given if isinstance(part, Piece)]
    return GenerateResponse(delta=Delta(pieces=pieces, tool_deltas=[p for p in given if isinstance(p, ToolDelta)]))


def thought(text: str) -> Piece:
    """A piece of reasoning."""
    return Piece(text=text, channel=CHANNEL_REASONING)


def said(text: str) -> Piece:
    """A piece of content."""
    return Piece(text=text, channel=CHANNEL_CONTENT)


def finished(predicted: int = 1, reason: Any = FINISH_REASON_LENGTH) -> GenerateResponse:
    """The last message of a stream."""
    return GenerateResponse(
        finished=Finished(
            reason=reason,
            usage=Usage(prompt_tokens=3, completion_tokens=predicted),
            tokens_evaluated=3,
            tokens_predicted=predicted,
            settings=GenerationSettings(sampling=SamplingParams(seed=7), n_ctx=512),
        )
    )


def whole(*texts: str) -> list[Step]:
    """A whole stream with one message per text."""
    return [accepted(), *(delta(text) for text in texts), finished(len(texts))]


def embedded(request: embedding_pb2.EmbedRequest) -> embedding_pb2.EmbedResponse:
    """A vector for each input: its length in letters, or its first token id, and 0.5. Three tokens each."""
    response = embedding_pb2.EmbedResponse(usage=Usage(prompt_tokens=3 * len(request.inputs)))
    for index, item in enumerate(request.inputs):
        first = item.token_ids.ids[0] if item.token_ids.ids else len(item.text)
        response.embeddings.add(index=index, values=[first, 0.5])
    return response


class FakeCore:
    """A gRPC server in a thread of its own.

    Args:
        address: ``unix:/path`` or ``host:port``.

    Attributes:
        script: the steps of every Generate call; replace it freely.
        health: answer of Health.
        slots: answer of ListSlots.
        model: answer of GetModel, and with its name alone of ListModels.
        metrics: answer of GetMetrics.
        embedding: the steps of every Embed call before it answers; replace it freely.
        calls: the Generate calls so far.
        embed_calls: the Embed calls so far.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.script: Script = lambda request: whole("a", "b", "c")
        self.health = model_pb2.HealthResponse(state=model_pb2.SERVER_STATE_READY, slots_idle=1)
        self.slots = [model_pb2.Slot(id=0, state=model_pb2.SLOT_STATE_IDLE)]
        self.model = model_pb2.Model(name=MODEL, vocab_size=VOCAB_SIZE)
        self.metrics = model_pb2.GetMetricsResponse()
        self.embedding: Callable[[embedding_pb2.EmbedRequest], Iterable[Hold | Refuse]] = lambda request: ()
        self.calls: list[Call] = []
        self.embed_calls: list[EmbedCall] = []
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-core", daemon=True)
        self._thread.start()
        self._server: grpc.aio.Server | None = None

    def start(self) -> None:
        """Listen; also again after ``kill``."""
        self._run(self._start())

    def kill(self) -> None:
        """Drop the socket and every call at once, as when the process dies."""
        if self._server is not None:
            self._run(self._server.stop(None))
            self._server = None

    def close(self) -> None:
        """Stop for good."""
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for_call(self, number: int = 0) -> Call:
        """Wait until the Generate call of this number has arrived."""
        return self._wait_for(self.calls, number)

    def wait_for_embed_call(self, number: int = 0) -> EmbedCall:
        """Wait until the Embed call of this number has arrived."""
        return self._wait_for(self.embed_calls, number)

    def open(self, call: AnyCall) -> None:
        """Let a call go on that holds."""
        self._loop.call_soon_threadsafe(call.gate.set)

    def record(self, call: AnyCall) -> None:
        """Note a call. For the servicer."""
        with self._arrived:
            if isinstance(call, Call):
                self.calls.append(call)
            elif isinstance(call, EmbedCall):
                self.embed_calls.append(call)
            self._arrived.notify_all()

    def _wait_for(self, calls: list[SomeCall], number: int) -> SomeCall:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(calls) > number, WAIT_S), f"call {number} never came"
        return calls[number]

    async def _start(self) -> None:
        # Those of a core, which lets adapters ask for signs of life: else it would end a long connection. The limit on
        # messages is gRPC's default, 4 MiB.
        options = common_options(ConnectionLimits(), max_receive_bytes=4 << 20)
        self._server = grpc.aio.server(options=options)
        inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(_Inference(self), self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(self), self._server)
        self._server.add_insecure_port(self.address)
        await self._server.start()

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_S)


@contextmanager
def running_fake_core(directory: Path) -> Iterator[FakeCore]:
    """A core that listens on a socket in a directory."""
    core = FakeCore(f"unix:{directory}/core.sock")
    core.start()
    try:
        yield core
    finally:
        core.close()


class _Inference(inference_service_pb2_grpc.InferenceServiceServicer):
    def __init__(self, core: FakeCore) -> None:
        self._core = core

    async def Generate(self, request: GenerateRequest, context: Any) -> AsyncIterator[GenerateResponse]:
        call = Call(request, context.time_remaining())
        with self._recorded(call):
            for step in self._core.script(request):
                if isinstance(step, Hold | Refuse):
                    await _take(step, call, context)
                else:
                    yield step

    async def Tokenize(
        self, request: tokenization_pb2.TokenizeRequest, context: Any
    ) -> tokenization_pb2.TokenizeResponse:
        texts = [request.text] if request.WhichOneof("input") == "text" else [p.text for p in request.parts.parts]
        ids = [ord(letter) for text in texts for letter in text]
        return tokenization_pb2.TokenizeResponse(ids=ids, count=len(ids))

    async def Detokenize(
        self, request: tokenization_pb2.DetokenizeRequest, context: Any
    ) -> tokenization_pb2.DetokenizeResponse:
        text = "".join(map(chr, request.ids))
        return tokenization_pb2.DetokenizeResponse(text=text, raw=text.encode())

    async def Embed(self, request: embedding_pb2.EmbedRequest, context: Any) -> embedding_pb2.EmbedResponse:
        call = EmbedCall(request, context.time_remaining())
        with self._recorded(call):
            for step in self._core.embedding(request):
                await _take(step, call, context)
        return embedded(request)

    async def Rerank(self, request: rerank_pb2.RerankRequest, context: Any) -> rerank_pb2.RerankResponse:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the fake core scores nothing")
        raise AssertionError

    @contextmanager
    def _recorded(self, call: AnyCall) -> Iterator[None]:
        self._core.record(call)
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            call.cancelled.set()
            raise
        finally:
            call.ended.set()


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, core: FakeCore) -> None:
        self._core = core

    async def Health(self, request: Message, context: Any) -> model_pb2.HealthResponse:
        return self._core.health

    async def ListSlots(self, request: Message, context: Any) -> model_pb2.ListSlotsResponse:
        return model_pb2.ListSlotsResponse(slots=self._core.slots)

    async def ListModels(self, request: Message, context: Any) -> model_pb2.ListModelsResponse:
        return model_pb2.ListModelsResponse(models=[model_pb2.Model(name=self._core.model.name)])

    async def GetModel(self, request: Message, context: Any) -> model_pb2.GetModelResponse:
        return model_pb2.GetModelResponse(model=self._core.model)

    async def ApplyTemplate(self, request: Message, context: Any) -> Never:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the fake core has no template")
        raise AssertionError("abort raises")

    async def GetMetrics(self, request: Message, context: Any) -> model_pb2.GetMetricsResponse:
        return self._core.metrics

    async def SaveSlot(self, request: Message, context: Any) -> Never:
        await self._refuse_control(context)

    async def RestoreSlot(self, request: Message, context: Any) -> Never:
        await self._refuse_control(context)

    async def EraseSlot(self, request: Message, context: Any) -> Never:
        await self._refuse_control(context)

    async def ListLoraAdapters(self, request: Message, context: Any) -> Never:
        await self._refuse_control(context)

    async def SetLoraScales(self, request: Message, context: Any) -> Never:
        await self._refuse_control(context)

    async def _refuse_control(self, context: Any) -> Never:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the fake core has neither slot files nor adapters")
        raise AssertionError("abort raises")


async def _take(step: Hold | Refuse, call: AnyCall, context: Any) -> None:
    if isinstance(step, Refuse):
        await _abort(context, step)
    call.holding.set()
    await call.gate.wait()


async def _abort(context: Any, refusal: Refuse) -> None:
    details: list[Message] = []
    if refusal.reason:
        details.append(error_details_pb2.ErrorInfo(domain="slotline", reason=refusal.reason, metadata=refusal.metadata))
    if refusal.violations:
        bad = error_details_pb2.BadRequest()
        for path, description in refusal.violations:
            bad.field_violations.add(field=path, description=description)
        details.append(bad)
    if refusal.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(refusal.retry_after_s * 1000))
        details.append(retry)
    status = status_pb2.Status(code=refusal.code.value[0], message=refusal.message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort(
        refusal.code,
        refusal.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )
