"""The blocking client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import grpc

from slotline.client.attempts import Targets, n_sequences_of
from slotline.client.connection import Credentials, Tls, channel_options, targets_of
from slotline.client.errors import from_rpc_error
from slotline.client.generation import Generation
from slotline.client.methods import method_of
from slotline.client.requests import (
    EmbedInput,
    Prompt,
    Truncation,
    check_conversation,
    embed_request,
    erase_slot_request,
    generate_request,
    lora_scales_request,
    rerank_request,
    restore_slot_request,
    save_slot_request,
    tokenize_request,
    vectors_of,
    whole_request,
)
from slotline.client.structured import Parsed, parse_options, parsed
from slotline.protocol import health
from slotline.v1 import (
    inference_service_pb2_grpc,
    lora_pb2,
    model_pb2,
    model_service_pb2_grpc,
    slot_files_pb2,
    tokenization_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from google.protobuf.message import Message

    from slotline.client.generation import StreamCall
    from slotline.client.options import GenerateOptions
    from slotline.client.results import Completion
    from slotline.protocol.health import HealthStatus

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")


class _Server:
    """A connection to a server."""

    def __init__(self, target: str, tls: Tls | None) -> None:
        if tls is None:
            self.channel = grpc.insecure_channel(target, options=channel_options(tls))
        else:
            self.channel = grpc.secure_channel(target, tls.credentials(), options=channel_options(tls))
        self.inference = inference_service_pb2_grpc.InferenceServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)


class Client:
    """A client of one or several cores; many threads may use it.

    Args:
        targets: ``host:port`` or ``unix:/path``, or several of them: a call that one refuses or that does not reach it
            is made to the next one, unless it was accepted before.
        api_key: sent as a bearer token.
        tls: how to connect with TLS; None for plain text.
        deadline_s: seconds that a call may take if it says nothing else; None for no limit.
        priority: -100 to 100; generations of higher priority start first and take slots from lower ones.
        tenant: whom the calls are for, one word; different ones share no caches and do not see each other's prompts.
        prefix_key: by which balancers send generations to the same core; by default each prompt gets its own, which is
            the same for prompts that begin alike. At most 64 printable ASCII characters.
        metadata: further metadata of all calls.
    """

    def __init__(
        self,
        targets: str | Sequence[str],
        *,
        api_key: str | None = None,
        tls: Tls | None = None,
        deadline_s: float | None = None,
        priority: int = 0,
        tenant: str | None = None,
        prefix_key: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        names = targets_of(targets)
        self._servers = {name: _Server(name, tls) for name in names}
        self._targets = Targets(names, deadline_s)
        self._credentials = Credentials(api_key, priority, tenant, prefix_key, tuple((metadata or {}).items()))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; calls that are under way fail."""
        for server in self._servers.values():
            server.channel.close()

    def generate(
        self,
        prompt: Prompt,
        *,
        deadline_s: float | None = None,
        priority: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Generation:
        """Continue a prompt; iterate over the result to get the text as it comes.

        Args:
            prompt: a text, token ids, messages or a whole request.
            deadline_s: seconds that the whole call may take, waiting included.
            priority: of this call; None for that of the client.
            options: see ``GenerateOptions``.
        """
        request = generate_request(prompt, options)
        key = self._credentials.key_of(request)
        metadata = self._credentials.metadata(priority=priority, key=key)

        def start(target: str, timeout: float | None) -> StreamCall:
            return self._servers[target].inference.Generate(request, timeout=timeout, metadata=metadata)

        return Generation(start, self._targets.attempts(key, deadline_s), n_sequences_of(request))

    def complete(
        self,
        prompt: Prompt,
        *,
        deadline_s: float | None = None,
        priority: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Completion:
        """Continue a prompt and wait for the whole answer.

        It comes in few messages, unless the request has a ``max_delta_delay_ms`` of its own.

        Raises:
            SlotlineError: the request was refused or failed.
        """
        generation = self.generate(whole_request(prompt, options), deadline_s=deadline_s, priority=priority)
        for _ in generation:
            pass
        return generation.completion

    def chat(
        self,
        messages: Sequence[Mapping[str, object]],
        *,
        deadline_s: float | None = None,
        priority: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Completion:
        """Continue a conversation and wait for the whole answer; ``Completion.message`` is the turn to go on with.

        Raises:
            TypeError: these are no messages.
            SlotlineError: the request was refused or failed.
        """
        check_conversation(messages)
        return self.complete(messages, deadline_s=deadline_s, priority=priority, **options)

    def parse(
        self,
        prompt: Prompt,
        kind: type[T],
        *,
        deadline_s: float | None = None,
        priority: int | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Parsed[T]:
        """Have an answer as a value of a type, which it obeys.

        Args:
            prompt: a text, token ids, parts or messages.
            kind: a model of pydantic, a dataclass, or another type that ``slotline.client.schema`` knows.
            deadline_s: seconds that the whole call may take, waiting included.
            priority: of this call; None for that of the client.
            options: see ``GenerateOptions``; without constraints.

        Raises:
            SlotlineError: the request was refused or failed.
            IncompleteAnswer: the answer was cut, for example by ``max_tokens``.
            ValueError: it does not fit the type, which may ask for more than its schema says.
            TypeError: the type has no JSON Schema.
        """
        options = parse_options(prompt, kind, options)
        return parsed(self.complete(prompt, deadline_s=deadline_s, priority=priority, **options), kind)

    def tokenize(
        self,
        prompt: str | Sequence[Mapping[str, object]],
        *,
        add_special: bool = False,
        parse_special: bool = True,
        model: str = "",
        deadline_s: float | None = None,
    ) -> list[int]:
        """Token ids of a text, or of a conversation as the chat template writes it.

        Args:
            prompt: a text or messages.
            add_special: add the tokens that the model puts around a text.
            parse_special: recognise special tokens in the text.
            model: name or alias of the model; "" for whichever is served.
            deadline_s: seconds that the call may take.
        """
        request = tokenize_request(prompt, add_special=add_special, parse_special=parse_special, model=model)
        return list(self._call(lambda server: server.inference.Tokenize, request, deadline_s).ids)

    def detokenize(self, ids: Sequence[int], *, skip_special: bool = True, deadline_s: float | None = None) -> str:
        """Text of token ids."""
        request = tokenization_pb2.DetokenizeRequest(ids=ids, skip_special=skip_special)
        return self._call(lambda server: server.inference.Detokenize, request, deadline_s).text

    def embed(
        self,
        inputs: Sequence[EmbedInput],
        *,
        normalize: bool = True,
        dimensions: int | None = None,
        model: str = "",
        deadline_s: float | None = None,
    ) -> list[list[float]]:
        """The vectors of texts, token ids, pictures or parts, in order.

        Args:
            inputs: at most ``max_batch_embed`` of the model's limits.
            normalize: scale each vector to unit length.
            dimensions: length of the vectors, for models that were trained for shorter ones; None for the model's own.
            model: name or alias of the model; "" for whichever is served.
            deadline_s: seconds that the call may take.
        """
        request = embed_request(inputs, normalize=normalize, dimensions=dimensions, model=model)
        response = self._call(lambda server: server.inference.Embed, request, deadline_s)
        return vectors_of(response)

    def rerank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        normalize: bool = False,
        truncation: Truncation | None = None,
        max_document_tokens: int | None = None,
        model: str = "",
        deadline_s: float | None = None,
    ) -> list[float]:
        """How relevant documents are to a query, in their order; only for models that score pairs of texts.

        Args:
            query: what is looked for.
            documents: at most ``max_batch_embed`` of the model's limits.
            normalize: put scores between 0 and 1; otherwise they are as the model gives them.
            truncation: what is left out of documents that are too long beside the query, "end" or "start"; None refuses
                them.
            max_document_tokens: most tokens of a document; None for no limit.
            model: name or alias of the model; "" for whichever is served.
            deadline_s: seconds that the call may take.
        """
        request = rerank_request(
            query,
            documents,
            normalize=normalize,
            truncation=truncation,
            max_document_tokens=max_document_tokens,
            model=model,
        )
        return list(self._call(lambda server: server.inference.Rerank, request, deadline_s).scores)

    def models(self, *, deadline_s: float | None = None) -> list[model_pb2.Model]:
        """The served models."""
        return list(
            self._call(lambda server: server.models.ListModels, model_pb2.ListModelsRequest(), deadline_s).models
        )

    def health(self, *, deadline_s: float | None = None) -> model_pb2.HealthResponse:
        """State of the core: whether it is ready, slots, queue, KV cache."""
        return self._call(lambda server: server.models.Health, model_pb2.HealthRequest(), deadline_s)

    def model(self, name: str = "", *, deadline_s: float | None = None) -> model_pb2.Model:
        """A served model: the one of this name or alias, or whichever is served."""
        request = model_pb2.GetModelRequest(name=name)
        return self._call(lambda server: server.models.GetModel, request, deadline_s).model

    def slots(self, *, deadline_s: float | None = None) -> list[model_pb2.Slot]:
        """What each slot does."""
        request = model_pb2.ListSlotsRequest()
        return list(self._call(lambda server: server.models.ListSlots, request, deadline_s).slots)

    def save_slot(
        self, slot_id: int, filename: str, *, deadline_s: float | None = None
    ) -> slot_files_pb2.SaveSlotResponse:
        """Write what a slot holds to a file on the server, once the slot is idle.

        Args:
            slot_id: number of the slot, from 0.
            filename: a plain name of the file, in the server's directory for such files.
            deadline_s: seconds that the call may take, waiting included.
        """
        request = save_slot_request(slot_id, filename)
        return self._call(lambda server: server.models.SaveSlot, request, deadline_s)

    def restore_slot(
        self, slot_id: int, filename: str, *, deadline_s: float | None = None
    ) -> slot_files_pb2.RestoreSlotResponse:
        """Let a slot hold what was saved to a file, once the slot is idle; the arguments are those of ``save_slot``."""
        request = restore_slot_request(slot_id, filename)
        return self._call(lambda server: server.models.RestoreSlot, request, deadline_s)

    def erase_slot(self, slot_id: int, *, deadline_s: float | None = None) -> int:
        """Forget what a slot holds, once the slot is idle; the number of tokens that it held."""
        request = erase_slot_request(slot_id)
        return self._call(lambda server: server.models.EraseSlot, request, deadline_s).erased_tokens

    def lora_adapters(self, *, deadline_s: float | None = None) -> list[lora_pb2.LoraAdapter]:
        """The LoRA adapters of the model, with the scales in force."""
        request = lora_pb2.ListLoraAdaptersRequest()
        return list(self._call(lambda server: server.models.ListLoraAdapters, request, deadline_s).adapters)

    def set_lora_scales(self, scales: Mapping[int, float], *, deadline_s: float | None = None) -> None:
        """Change the scales of LoRA adapters for everybody, while nothing runs or waits.

        Args:
            scales: by the adapters' numbers; those of all others become 0.
            deadline_s: seconds that the call may take.
        """
        request = lora_scales_request(scales)
        self._call(lambda server: server.models.SetLoraScales, request, deadline_s)

    def call(self, request: Message, *, deadline_s: float | None = None) -> Any:
        """The answer to any request with one answer, such as a ``TokenizeRequest``, as the message that it is.

        Raises:
            TypeError: the request is of no such method.
            SlotlineError: the request was refused or failed.
        """
        return self._call(lambda server: method_of(server, request), request, deadline_s)

    def watch_health(self, service: str = "") -> Iterator[HealthStatus]:
        """Whether a server serves: now, and whenever that changes, without end.

        Args:
            service: a service like ``slotline.v1.InferenceService``; "" for the whole server.

        Raises:
            SlotlineError: the server cannot be reached, or is gone.
        """
        server = self._servers[self._targets.order("")[0]]
        watch: Any = server.channel.unary_stream(health.WATCH)
        call = watch(health.check_request(service), metadata=self._credentials.metadata())
        try:
            for message in call:
                yield health.check_response(message)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    def _call(
        self, method: Callable[[_Server], grpc.UnaryUnaryMultiCallable[Q, R]], request: Q, deadline_s: float | None
    ) -> R:
        attempts = self._targets.attempts("", deadline_s)
        metadata = self._credentials.metadata()
        while True:
            call = method(self._servers[attempts.target])
            try:
                return call(request, timeout=attempts.remaining_s, metadata=metadata)
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
            attempts.refused(failure)
