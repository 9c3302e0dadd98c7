"""POST /apply-template over a core in memory."""

from __future__ import annotations

import json

from grpc import StatusCode

from rest_adapter.core.calls import APPLY_TEMPLATE
from rest_adapter.errors import RpcFailure
from slotline.protocol import reasons
from slotline.v1.model_pb2 import ApplyTemplateRequest, ApplyTemplateResponse
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, USER, client_of, error_of

TOOLS = [{"type": "function", "function": {"name": "f"}}]


def test_a_conversation_is_rendered_with_its_tools_and_without_generating() -> None:
    core = MemoryCore(unary={APPLY_TEMPLATE.path: ApplyTemplateResponse(text="<user>Hi")})
    response = client_of(core).post("/apply-template", json={"messages": USER, "tools": TOOLS})
    assert (json.loads(response.data), response.content_type) == ({"prompt": "<user>Hi"}, JSON)
    (asked,) = core.unary_requests
    assert isinstance(asked, ApplyTemplateRequest)
    assert asked.chat.messages[0].content[0].text == "Hi"
    assert json.loads(asked.chat.tools_json) == TOOLS


def test_a_body_that_is_no_conversation_is_refused_as_in_chats() -> None:
    core = MemoryCore()
    response = client_of(core).post("/apply-template", json={"messages": "Hi"})
    assert (response.status_code, core.unary_requests) == (400, [])
    assert error_of(response)["message"].startswith("messages: ")


def test_what_the_core_refuses_is_named_as_in_the_body() -> None:
    violations = (("chat.messages[0].role", "is unknown"),)
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, reasons.INVALID_ARGUMENT, "", violations=violations)
    response = client_of(MemoryCore(unary={APPLY_TEMPLATE.path: failure})).post(
        "/apply-template", json={"messages": USER}
    )
    assert error_of(response) == {
        "code": 400,
        "message": "messages[0].role: is unknown",
        "type": "invalid_request_error",
    }
