"""The client for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

import grpc.aio

from slotline.client.connection import CHANNEL_OPTIONS
from slotline.client.errors import from_rpc_error
from slotline.client.requests import EmbedInput, Prompt, embed_request, generate_request, tokenize_request
from slotline.client.results import Completion, Delta, StreamState
from slotline.client.structured import Parsed, parse_options, parsed
from slotline.protocol.metadata import call_metadata
from slotline.v1 import (
    generation_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    tokenization_pb2,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from types import TracebackType

    from slotline.client.options import GenerateOptions
    from slotline.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from slotline.v1.model_service_pb2_grpc import ModelServiceAsyncStub

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")


class AsyncClient:
    """A connection to a core; belongs to the event loop in which it was made.

    Args:
        target: ``host:port`` or ``unix:/path``.
        api_key: sent as a bearer token.
        deadline_s: seconds that a call may take if it says nothing else; None for no limit.
        priority: -100 to 100; generations of higher priority start first and take slots from lower ones.
        tenant: whom the calls are for, one word; different ones share no caches and do not see each other's prompts.
    """

    def __init__(
        self,
        target: str,
        *,
        api_key: str | None = None,
        deadline_s: float | None = None,
        priority: int = 0,
        tenant: str | None = None,
    ) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        # One class serves both kinds of channels; only its type differs.
        self._inference = cast(
            "InferenceServiceAsyncStub", inference_service_pb2_grpc.InferenceServiceStub(self._channel)
        )
        self._models = cast("ModelServiceAsyncStub", model_service_pb2_grpc.ModelServiceStub(self._channel))
        self._metadata = call_metadata(api_key, priority=priority, tenant=tenant)
        self._deadline_s = deadline_s

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls that are under way fail."""
        await self._channel.close()

    def generate(
        self, prompt: Prompt, *, deadline_s: float | None = None, **options: Unpack[GenerateOptions]
    ) -> AsyncGeneration:
        """Continue a prompt; iterate over the result to get the text as it comes.

        Args:
            prompt: a text, token ids, messages or a whole request.
            deadline_s: seconds that the whole call may take, waiting included.
            options: see ``GenerateOptions``.
        """
        request = generate_request(prompt, options)
        call = self._inference.Generate(request, timeout=self._timeout(deadline_s), metadata=self._metadata)
        return AsyncGeneration(call)

    async def complete(
        self, prompt: Prompt, *, deadline_s: float | None = None, **options: Unpack[GenerateOptions]
    ) -> Completion:
        """Continue a prompt and wait for the whole answer.

        Raises:
            SlotlineError: the request was refused or failed.
        """
        generation = self.generate(prompt, deadline_s=deadline_s, **options)
        async for _ in generation:
            pass
        return generation.completion

    async def parse(
        self, prompt: Prompt, kind: type[T], *, deadline_s: float | None = None, **options: Unpack[GenerateOptions]
    ) -> Parsed[T]:
        """Have an answer as a value of a type, which it obeys.

        Args:
            prompt: a text, token ids, parts or messages.
            kind: a model of pydantic, a dataclass, or another type that ``slotline.client.schema`` knows.
            deadline_s: seconds that the whole call may take, waiting included.
            options: see ``GenerateOptions``; without constraints.

        Raises:
            SlotlineError: the request was refused or failed.
            IncompleteAnswer: the answer was cut, for example by ``max_tokens``.
            ValueError: it does not fit the type, which may ask for more than its schema says.
            TypeError: the type has no JSON Schema.
        """
        options = parse_options(prompt, kind, options)
        return parsed(await self.complete(prompt, deadline_s=deadline_s, **options), kind)

    async def tokenize(
        self,
        prompt: str | Sequence[Mapping[str, object]],
        *,
        add_special: bool = False,
        parse_special: bool = True,
        deadline_s: float | None = None,
    ) -> list[int]:
        """Token ids of a text, or of a conversation as the chat template writes it.

        Args:
            prompt: a text or messages.
            add_special: add the tokens that the model puts around a text.
            parse_special: recognise special tokens in the text.
            deadline_s: seconds that the call may take.
        """
        request = tokenize_request(prompt)
        request.add_special = add_special
        request.parse_special = parse_special
        response = await self._unary(self._inference.Tokenize, request, deadline_s)
        return list(response.ids)

    async def detokenize(
        self, ids: Sequence[int], *, skip_special: bool = True, deadline_s: float | None = None
    ) -> str:
        """Text of token ids."""
        request = tokenization_pb2.DetokenizeRequest(ids=ids, skip_special=skip_special)
        response = await self._unary(self._inference.Detokenize, request, deadline_s)
        return response.text

    async def embed(
        self, inputs: Sequence[EmbedInput], *, normalize: bool = True, deadline_s: float | None = None
    ) -> list[list[float]]:
        """The vectors of texts, token ids, pictures or parts, in order.

        Args:
            inputs: at most ``max_batch_embed`` of the model's limits.
            normalize: scale each vector to unit length.
            deadline_s: seconds that the call may take.
        """
        request = embed_request(inputs)
        request.normalize = normalize
        response = await self._unary(self._inference.Embed, request, deadline_s)
        return [list(one.values) for one in response.embeddings]

    async def models(self, *, deadline_s: float | None = None) -> list[model_pb2.Model]:
        """The served models."""
        response = await self._unary(self._models.ListModels, model_pb2.ListModelsRequest(), deadline_s)
        return list(response.models)

    async def health(self, *, deadline_s: float | None = None) -> model_pb2.HealthResponse:
        """State of the core: whether it is ready, slots, queue, KV cache."""
        return await self._unary(self._models.Health, model_pb2.HealthRequest(), deadline_s)

    async def _unary(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, R], request: Q, deadline_s: float | None) -> R:
        try:
            return await method(request, timeout=self._timeout(deadline_s), metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    def _timeout(self, deadline_s: float | None) -> float | None:
        return self._deadline_s if deadline_s is None else deadline_s


class AsyncGeneration:
    """Text as it is generated: an asynchronous iterator of strings, none of them empty.

    With ``num_sequences`` this is the first continuation; ``completion`` has all of them at the end.

    Leaving it early leaves the request running; ``cancel`` it, or use it in an ``async with`` statement.
    """

    def __init__(self, call: grpc.aio.UnaryStreamCall[Any, generation_pb2.GenerateResponse]) -> None:
        self._call = call
        self._state = StreamState()
        self._is_cancelled = False

    async def __aenter__(self) -> AsyncGeneration:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self.messages():
            if text := self._state.add_text(message):
                yield text

    async def deltas(self) -> AsyncIterator[Delta]:
        """What comes, told apart: text, reasoning and tool calls, of all continuations.

        Raises:
            SlotlineError: the request was refused or failed.
        """
        async for message in self.messages():
            for delta in self._state.add(message):
                yield delta

    async def messages(self) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """The bare messages instead of text.

        Raises:
            SlotlineError: the request was refused or failed.
        """
        try:
            async for message in self._call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError:
            # Raised for a call that was cancelled here, and for a task that is being cancelled: only the first ends
            # quietly.
            task = asyncio.current_task()
            if not self._is_cancelled or (task is not None and task.cancelling()):
                raise

    def cancel(self) -> None:
        """End the request; iterating ends too. Harmless after the end."""
        self._is_cancelled = True
        self._call.cancel()

    @property
    def completion(self) -> Completion:
        """Everything about the answer; only after iterating to its end."""
        return self._state.completion()
