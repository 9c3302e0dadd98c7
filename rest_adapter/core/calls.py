"""The calls of a core that routes need, as protocols, so that tests can do without gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from google.protobuf.message import Message

from slotline.v1 import embedding_pb2, lora_pb2, model_pb2, rerank_pb2, slot_files_pb2, tokenization_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Answer_co = TypeVar("Answer_co", covariant=True)


@dataclass(frozen=True, slots=True)
class UnaryMethod(Generic[Request, Response]):
    """One RPC with a single answer: its path on the wire and the types of its messages."""

    path: str
    request_type: type[Request]
    response_type: type[Response]


GENERATE_PATH = "/slotline.v1.InferenceService/Generate"

EMBED = UnaryMethod("/slotline.v1.InferenceService/Embed", embedding_pb2.EmbedRequest, embedding_pb2.EmbedResponse)
RERANK = UnaryMethod("/slotline.v1.InferenceService/Rerank", rerank_pb2.RerankRequest, rerank_pb2.RerankResponse)
TOKENIZE = UnaryMethod(
    "/slotline.v1.InferenceService/Tokenize",
    tokenization_pb2.TokenizeRequest,
    tokenization_pb2.TokenizeResponse,
)
DETOKENIZE = UnaryMethod(
    "/slotline.v1.InferenceService/Detokenize",
    tokenization_pb2.DetokenizeRequest,
    tokenization_pb2.DetokenizeResponse,
)
LIST_MODELS = UnaryMethod(
    "/slotline.v1.ModelService/ListModels", model_pb2.ListModelsRequest, model_pb2.ListModelsResponse
)
GET_MODEL = UnaryMethod("/slotline.v1.ModelService/GetModel", model_pb2.GetModelRequest, model_pb2.GetModelResponse)
HEALTH = UnaryMethod("/slotline.v1.ModelService/Health", model_pb2.HealthRequest, model_pb2.HealthResponse)
LIST_SLOTS = UnaryMethod("/slotline.v1.ModelService/ListSlots", model_pb2.ListSlotsRequest, model_pb2.ListSlotsResponse)
APPLY_TEMPLATE = UnaryMethod(
    "/slotline.v1.ModelService/ApplyTemplate", model_pb2.ApplyTemplateRequest, model_pb2.ApplyTemplateResponse
)
GET_METRICS = UnaryMethod(
    "/slotline.v1.ModelService/GetMetrics", model_pb2.GetMetricsRequest, model_pb2.GetMetricsResponse
)

SAVE_SLOT = UnaryMethod(
    "/slotline.v1.ModelService/SaveSlot", slot_files_pb2.SaveSlotRequest, slot_files_pb2.SaveSlotResponse
)
RESTORE_SLOT = UnaryMethod(
    "/slotline.v1.ModelService/RestoreSlot", slot_files_pb2.RestoreSlotRequest, slot_files_pb2.RestoreSlotResponse
)
ERASE_SLOT = UnaryMethod(
    "/slotline.v1.ModelService/EraseSlot", slot_files_pb2.EraseSlotRequest, slot_files_pb2.EraseSlotResponse
)

LIST_LORA_ADAPTERS = UnaryMethod(
    "/slotline.v1.ModelService/ListLoraAdapters", lora_pb2.ListLoraAdaptersRequest, lora_pb2.ListLoraAdaptersResponse
)
SET_LORA_SCALES = UnaryMethod(
    "/slotline.v1.ModelService/SetLoraScales", lora_pb2.SetLoraScalesRequest, lora_pb2.SetLoraScalesResponse
)


class ResponseStream(Protocol):
    """The answers to one or several Generate calls, as (number of the call, message), in the order of arrival.

    Iteration waits in the calling greenlet. It raises ``RpcFailure`` with the number of the call when one of the calls
    fails, after which the others are cancelled, and ``StreamClosed`` after ``close``.
    """

    def __iter__(self) -> Iterator[tuple[int, GenerateResponse]]:
        """Return the stream itself."""

    def __next__(self) -> tuple[int, GenerateResponse]:
        """Wait for the next message."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for the next message or the end without taking it. False if neither came within ``timeout_s``."""

    def close(self) -> None:
        """Cancel the calls that still run; a waiting greenlet gets ``StreamClosed``. Idempotent; also after the end."""


class PendingAnswer(Protocol[Answer_co]):
    """The answer to a call that was started. Waiting happens in the calling greenlet."""

    def wait(self) -> Answer_co:
        """Wait for the answer, once.

        Raises:
            RpcFailure: the call failed or took too long.
            StreamClosed: it was closed.
        """

    def close(self) -> None:
        """Cancel the call if it runs; a waiting greenlet gets ``StreamClosed``. Idempotent; also after the end."""


class CoreCalls(Protocol):
    """A core as the adapter sees it. All methods are for greenlets of the hub's thread."""

    def generate(
        self, requests: Sequence[GenerateRequest], *, deadline_s: float | None, priority: int = 0, tenant: str = ""
    ) -> ResponseStream:
        """Start one Generate call per request.

        Args:
            requests: one per prompt.
            deadline_s: seconds for all of them together; None for no limit.
            priority: of all of them; -100 to 100.
            tenant: whose requests they are; see ``ApiKeys.tenant``.
        """

    def start(
        self, method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float | None, tenant: str = ""
    ) -> PendingAnswer[Response]:
        """Start a call without waiting, so that it can be cancelled. ``timeout_s`` None for no limit."""

    def unary(
        self, method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float, tenant: str = ""
    ) -> Response:
        """Call a method for a tenant and wait for its answer.

        Raises:
            RpcFailure: the call failed or took longer than ``timeout_s``.
        """
