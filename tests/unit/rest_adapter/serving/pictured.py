"""A picture, models that take it and not, and what a core in memory was asked: for tests of routes with pictures."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from slotline.v1.model_pb2 import Capabilities, GetModelResponse, ImageSupport, Model
from tests.unit.rest_adapter.messages import MODEL, settings

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest
    from tests.support.memory_core import MemoryCore

FILE = b"the file of a picture"
DATA = base64.b64encode(FILE).decode()
URL = f"data:image/png;base64,{DATA}"
SEEING = Model(
    name=MODEL,
    default_settings=settings(),
    capabilities=Capabilities(vision=True),
    images=ImageSupport(max_images=16, max_image_bytes=20 << 20, max_request_image_bytes=32 << 20),
)
BLIND = Model(name=MODEL, default_settings=settings())
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"


def told(model: Model) -> GetModelResponse:
    return GetModelResponse(model=model)


def request_to(core: MemoryCore) -> GenerateRequest:
    (request,) = core.requests
    return request


def kinds(parts: Any) -> list[object]:
    return [part.image.data if part.HasField("image") else part.text for part in parts]
