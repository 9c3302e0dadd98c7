"""The unary methods of the contract, by their requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slotline.v1 import embedding_pb2, model_pb2, tokenization_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

_INFERENCE: dict[type[Message], str] = {
    embedding_pb2.EmbedRequest: "Embed",
    tokenization_pb2.TokenizeRequest: "Tokenize",
    tokenization_pb2.DetokenizeRequest: "Detokenize",
}
_MODELS: dict[type[Message], str] = {
    model_pb2.ListModelsRequest: "ListModels",
    model_pb2.GetModelRequest: "GetModel",
    model_pb2.HealthRequest: "Health",
    model_pb2.ListSlotsRequest: "ListSlots",
    model_pb2.ApplyTemplateRequest: "ApplyTemplate",
    model_pb2.GetMetricsRequest: "GetMetrics",
}


def method_of(server: Any, request: Message) -> Any:
    """The method of a server's stubs that takes a request.

    Args:
        server: has stubs as ``inference`` and ``models``.

    Raises:
        TypeError: none does.
    """
    kind = type(request)
    if kind in _INFERENCE:
        return getattr(server.inference, _INFERENCE[kind])
    if kind in _MODELS:
        return getattr(server.models, _MODELS[kind])
    known = ", ".join(one.__name__ for one in (*_INFERENCE, *_MODELS))
    raise TypeError(f"request: {kind.__name__} is of no method with one answer; allowed are {known}")
