from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from rest_adapter.apis.common.options import json_name
from rest_adapter.core.rpc_errors import rpc_failure
from rest_adapter.errors import (
    MISSING,
    UNSUPPORTED,
    AdapterError,
    InvalidBody,
    InvalidRequest,
    NotAllowed,
    NotOffered,
    Overloaded,
    RpcFailure,
    Unauthorized,
)
from rest_adapter.http.error_forms import ErrorForm, error_body, error_form
from rest_adapter.http.http_errors import http_error

if TYPE_CHECKING:
    from google.protobuf.message import Message


@pytest.mark.parametrize(
    ("status", "reason", "http_status", "kind"),
    [
        (StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", 400, "invalid_request_error"),
        (StatusCode.INVALID_ARGUMENT, "SOMETHING_NEW", 400, "invalid_request_error"),
        (StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", 400, "exceed_context_size_error"),
        (StatusCode.OUT_OF_RANGE, "", 400, "invalid_request_error"),
        (StatusCode.FAILED_PRECONDITION, "", 400, "invalid_request_error"),
        (StatusCode.PERMISSION_DENIED, "", 403, "permission_error"),
        (StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", 404, "not_found_error"),
        (StatusCode.RESOURCE_EXHAUSTED, "", 413, "invalid_request_error"),
        (StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", 429, "rate_limit_error"),
        (StatusCode.RESOURCE_EXHAUSTED, "KV_CACHE_EXHAUSTED", 503, "unavailable_error"),
        (StatusCode.INTERNAL, "INTERNAL", 500, "server_error"),
        (StatusCode.UNKNOWN, "", 500, "server_error"),
        (StatusCode.DATA_LOSS, "", 500, "server_error"),
        (StatusCode.UNIMPLEMENTED, "", 501, "not_supported_error"),
        (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", 501, "not_supported_error"),
        (StatusCode.UNAVAILABLE, "", 503, "unavailable_error"),
        (StatusCode.UNAVAILABLE, "MODEL_LOADING", 503, "unavailable_error"),
        (StatusCode.UNAVAILABLE, "MODEL_FAILED", 503, "unavailable_error"),
        (StatusCode.UNAVAILABLE, "DRAINING", 503, "unavailable_error"),
        (StatusCode.UNAVAILABLE, "SLOTS_BUSY", 503, "unavailable_error"),
        (StatusCode.CANCELLED, "", 503, "unavailable_error"),
        (StatusCode.ABORTED, "", 503, "unavailable_error"),
        (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504, "timeout_error"),
    ],
)
def test_statuses(status: StatusCode, reason: str, http_status: int, kind: str) -> None:
    error = http_error(RpcFailure(status, reason, "why"))
    assert error_body(ErrorForm.NATIVE, error) == {"error": {"code": http_status, "message": "why", "type": kind}}
    assert error.status == http_status


def test_a_core_that_refuses_the_adapters_key_is_no_fault_of_the_client() -> None:
    error = http_error(RpcFailure(StatusCode.UNAUTHENTICATED, "INVALID_API_KEY", "metadata authorization: is missing"))
    assert (error.status, error.type) == (500, "server_error")
    assert error.message == "the adapter has no valid API key for the core; its log has the details"


@pytest.mark.parametrize(
    ("error", "status", "kind", "message", "retry_after_s"),
    [
        (InvalidRequest("top_p", "5 is wrong"), 400, "invalid_request_error", "top_p: 5 is wrong", None),
        (InvalidBody("the body is not JSON"), 400, "invalid_request_error", "the body is not JSON", None),
        (
            Overloaded(7),
            429,
            "rate_limit_error",
            "7 generations are running or waiting, as many as allowed; try again later",
            1,
        ),
        (NotOffered("/metrics: off"), 404, "not_found_error", "/metrics: off", None),
        (NotAllowed("a", "is not allowed"), 403, "permission_error", "a: is not allowed", None),
    ],
)
def test_our_own_errors(error: AdapterError, status: int, kind: str, message: str, retry_after_s: int | None) -> None:
    told = http_error(error)
    assert (told.status, told.type, told.message, told.retry_after_s) == (status, kind, message, retry_after_s)


def test_a_prompt_that_is_too_long_tells_both_numbers() -> None:
    facts = {"n_prompt_tokens": "600", "n_ctx": "512", "field": "prompt"}
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", "too long", metadata=facts)
    assert error_body(ErrorForm.NATIVE, http_error(failure)) == {
        "error": {
            "code": 400,
            "message": "too long",
            "n_ctx": 512,
            "n_prompt_tokens": 600,
            "type": "exceed_context_size_error",
        }
    }


@pytest.mark.parametrize(("seconds", "header"), [(None, None), (0.0, 1), (0.2, 1), (1.0, 1), (1.1, 2), (30.0, 30)])
def test_retry_after_is_in_whole_seconds(seconds: float | None, header: int | None) -> None:
    failure = RpcFailure(StatusCode.UNAVAILABLE, "DRAINING", "why", retry_after_s=seconds)
    assert http_error(failure).retry_after_s == header


def test_messages_use_the_names_of_the_json_fields() -> None:
    failure = RpcFailure(
        StatusCode.INVALID_ARGUMENT,
        "INVALID_ARGUMENT",
        "sampling.repeat_penalty: is 0",
        violations=(("sampling.repeat_penalty", "is 0"), ("output.n_probs", "is 9999")),
    )
    assert http_error(failure.renamed(json_name)).message == "repeat_penalty: is 0; n_probs: is 9999"


def rpc_error(status: StatusCode, text: str, *details: Message, trailer: bytes | None = None) -> AioRpcError:
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    message = status_pb2.Status(code=status.value[0], message=text, details=packed)
    raw = message.SerializeToString() if trailer is None else trailer
    return AioRpcError(status, Metadata(), Metadata(("grpc-status-details-bin", raw)), details=text)


def test_all_details_of_a_failure_are_read() -> None:
    info = error_details_pb2.ErrorInfo(domain="slotline", reason="QUEUE_FULL", metadata={"limit": "128"})
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="stop.texts", description="too many")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(2500)
    failure = rpc_failure(rpc_error(StatusCode.RESOURCE_EXHAUSTED, "full", info, bad, retry))
    assert (failure.status, failure.reason, failure.message) == (StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full")
    assert failure.violations == (("stop.texts", "too many"),)
    assert failure.retry_after_s == 2.5
    assert failure.metadata == {"limit": "128"}


def test_a_failure_without_retry_info_has_no_delay() -> None:
    info = error_details_pb2.ErrorInfo(domain="slotline", reason="MODEL_FAILED")
    assert rpc_failure(rpc_error(StatusCode.UNAVAILABLE, "broken", info)).retry_after_s is None


@pytest.mark.parametrize(
    "error",
    [
        AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata(), details="connection refused"),
        rpc_error(StatusCode.UNAVAILABLE, "x", error_details_pb2.ErrorInfo(domain="other", reason="DRAINING")),
        rpc_error(StatusCode.UNAVAILABLE, "x", trailer=b"\xff\xff\xff"),
    ],
)
def test_a_status_that_is_not_from_a_core_means_that_it_cannot_be_reached(error: AioRpcError) -> None:
    failure = rpc_failure(error)
    assert (failure.reason, failure.retry_after_s) == ("", 1.0)
    assert failure.message == "the core cannot be reached; it may be starting or restarting"


def test_the_adapters_own_deadline_is_explained() -> None:
    failure = rpc_failure(AioRpcError(StatusCode.DEADLINE_EXCEEDED, Metadata(), Metadata(), details="Deadline"))
    assert error_body(ErrorForm.NATIVE, http_error(failure)) == {
        "error": {
            "code": 504,
            "message": "the request took longer than its time limit and was cancelled",
            "type": "timeout_error",
        }
    }


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/chat/completions", ErrorForm.OPENAI),
        ("/v1/completions", ErrorForm.OPENAI),
        ("/v1/embeddings", ErrorForm.OPENAI),
        ("/v1/models", ErrorForm.OPENAI),
        ("/v1/no/such/path", ErrorForm.OPENAI),
        ("/chat/completions", ErrorForm.OPENAI),
        ("/models", ErrorForm.OPENAI),
        ("/models/name", ErrorForm.OPENAI),
        ("/chat/completions/input_tokens", ErrorForm.OPENAI),
        ("/responses/input_tokens", ErrorForm.OPENAI),
        ("/v1/messages", ErrorForm.ANTHROPIC),
        ("/v1/messages/count_tokens", ErrorForm.ANTHROPIC),
        ("/v1/messages/batches", ErrorForm.ANTHROPIC),
        ("/v1/messages2", ErrorForm.OPENAI),
        # Of llama.cpp's server, in spite of their names.
        ("/completions", ErrorForm.NATIVE),
        ("/embeddings", ErrorForm.NATIVE),
        ("/completion", ErrorForm.NATIVE),
        ("/infill", ErrorForm.NATIVE),
        ("/tokenize", ErrorForm.NATIVE),
        ("/slots", ErrorForm.NATIVE),
        ("/v10", ErrorForm.NATIVE),
        ("/", ErrorForm.NATIVE),
    ],
)
def test_the_path_decides_on_the_form(path: str, form: ErrorForm) -> None:
    assert error_form(path) is form


FAILURE = StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("error", "code", "param"),
    [
        (InvalidRequest("top_p", "5 is wrong"), "invalid_value", "top_p"),
        (InvalidRequest("messages[0].role", "is missing", MISSING), "missing_required_parameter", "messages[0].role"),
        (InvalidRequest("tools", "is not supported", UNSUPPORTED), "unsupported_parameter", "tools"),
        (InvalidBody("the body is not JSON"), None, None),
        (Unauthorized("no key"), "invalid_api_key", None),
        (Overloaded(7), "rate_limit_exceeded", None),
        (NotOffered("/metrics: off"), None, None),
        (NotAllowed("a", "is not allowed"), None, "a"),
        (RpcFailure(StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full"), "rate_limit_exceeded", None),
        (RpcFailure(StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "no such model"), "model_not_found", "model"),
        (
            RpcFailure(FAILURE, "CONTEXT_LENGTH_EXCEEDED", "long", violations=(("prompt", "has 9 tokens"),)),
            "context_length_exceeded",
            "prompt",
        ),
        (
            RpcFailure(FAILURE, "INVALID_ARGUMENT", "x", violations=(("sampling.repeat_penalty", "is 0"), ("n", "y"))),
            "invalid_value",
            "repeat_penalty",
        ),
        (RpcFailure(StatusCode.UNAVAILABLE, "MODEL_LOADING", "wait"), None, None),
        (RpcFailure(StatusCode.INTERNAL, "INTERNAL", "broken"), None, None),
        (RpcFailure(StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "late"), None, None),
    ],
)
def test_the_openai_form(error: AdapterError, code: str | None, param: str | None) -> None:
    told = http_error(error.renamed(json_name) if isinstance(error, RpcFailure) else error)
    assert error_body(ErrorForm.OPENAI, told) == {
        "error": {"code": code, "message": told.message, "param": param, "type": told.type}
    }
    assert error_body(ErrorForm.NATIVE, told) == {
        "error": {"code": told.status, "message": told.message, "type": told.type}
    }
