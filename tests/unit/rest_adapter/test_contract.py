"""The paths and types of RPCs that the adapter writes down itself agree with the contract."""

from __future__ import annotations

from typing import Any

import pytest

from rest_adapter.core import calls as core
from rest_adapter.core.calls import GENERATE_PATH, UnaryMethod
from slotline.v1 import inference_service_pb2, model_service_pb2
from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse

METHODS = [value for value in vars(core).values() if isinstance(value, UnaryMethod)]
SERVICES = {
    service.full_name: service
    for module in (inference_service_pb2, model_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
}


def method_at(path: str) -> Any:
    _, service, name = path.split("/")
    return SERVICES[service].methods_by_name[name]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.path))
def test_unary_methods(method: UnaryMethod[Any, Any]) -> None:
    described = method_at(method.path)
    assert not described.server_streaming
    assert described.input_type is method.request_type.DESCRIPTOR
    assert described.output_type is method.response_type.DESCRIPTOR


def test_generate() -> None:
    described = method_at(GENERATE_PATH)
    assert described.server_streaming
    assert described.input_type is GenerateRequest.DESCRIPTOR
    assert described.output_type is GenerateResponse.DESCRIPTOR


def test_there_are_methods_to_check() -> None:
    assert len(METHODS) == 15
