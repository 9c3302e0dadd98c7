"""The unary methods of the contract, by their requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from slotline.v1 import inference_service_pb2, model_service_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, ServiceDescriptor


def _unary_methods(service: ServiceDescriptor) -> dict[Descriptor, str]:
    return {method.input_type: method.name for method in service.methods if not method.server_streaming}


_INFERENCE = _unary_methods(inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"])
_MODELS = _unary_methods(model_service_pb2.DESCRIPTOR.services_by_name["ModelService"])


def method_of(server: Any, request: Message) -> Any:
    """The method of a server's stubs that takes a request.

    Args:
        server: has stubs as ``inference`` and ``models``.

    Raises:
        TypeError: none does.
    """
    kind = request.DESCRIPTOR if isinstance(request, Message) else None
    if kind in _INFERENCE:
        return getattr(server.inference, _INFERENCE[kind])
    if kind in _MODELS:
        return getattr(server.models, _MODELS[kind])
    known = ", ".join(one.name for one in (*_INFERENCE, *_MODELS))
    raise TypeError(f"request: {type(request).__name__} is of no method with one answer; allowed are {known}")
