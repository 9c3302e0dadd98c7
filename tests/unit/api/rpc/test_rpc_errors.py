"""The table from errors to statuses."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from service import errors
from service.api.rpc.rpc_errors import to_status, trailing_metadata
from slotline.protocol.error_details import DETAILS_KEY

Code = grpc.StatusCode

TABLE = [
    (errors.InvalidArgument("sampling.top_p", "is nan"), Code.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
    (errors.ContextLengthExceeded(70, 64), Code.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED"),
    (errors.NotSupported("start with --embedding"), Code.UNIMPLEMENTED, "NOT_SUPPORTED"),
    (errors.SlotsBusy(), Code.UNAVAILABLE, "SLOTS_BUSY"),
    (errors.ModelNotFound("gpt", "scripted"), Code.NOT_FOUND, "MODEL_NOT_FOUND"),
    (errors.Unauthenticated("no key"), Code.UNAUTHENTICATED, "INVALID_API_KEY"),
    (errors.NotAllowed("start with --api-key"), Code.PERMISSION_DENIED, "NOT_ALLOWED"),
    (errors.ResourceExhausted("stalled"), Code.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"),
    (errors.QueueFull(8, 2.5), Code.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
    (errors.CacheExhausted("no cells"), Code.RESOURCE_EXHAUSTED, "KV_CACHE_EXHAUSTED"),
    (errors.Unavailable("later"), Code.UNAVAILABLE, "UNAVAILABLE"),
    (errors.ModelLoading(), Code.UNAVAILABLE, "MODEL_LOADING"),
    (errors.ModelFailed("no such file"), Code.UNAVAILABLE, "MODEL_FAILED"),
    (errors.ProjectorFailed("mmproj.gguf is damaged"), Code.UNAVAILABLE, "MODEL_FAILED"),
    (errors.Stalled("no step for 60 s"), Code.UNAVAILABLE, "STALLED"),
    (errors.TemplateWorkerLost("it ended"), Code.UNAVAILABLE, "TEMPLATE_WORKER_LOST"),
    (errors.ImageWorkerLost("it ended"), Code.UNAVAILABLE, "IMAGE_WORKER_LOST"),
    (errors.Draining(), Code.UNAVAILABLE, "DRAINING"),
    (errors.DeadlineExceeded("too late"), Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    (errors.StorageFailure("the disk is full"), Code.INTERNAL, "INTERNAL"),
    (errors.EngineFailure("broken"), Code.INTERNAL, "INTERNAL"),
    (errors.ServiceError("any"), Code.INTERNAL, "INTERNAL"),
]


def details(error: errors.ServiceError) -> tuple[ErrorInfo, BadRequest, RetryInfo, set[str]]:
    """The details of an error's status, and the names of those that it has."""
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    present = set()
    for packed in to_status(error).details:
        for message in (info, bad_request, retry):
            if packed.Unpack(message):
                present.add(message.DESCRIPTOR.name)
    return info, bad_request, retry, present


def all_errors(root: type[errors.ServiceError] = errors.ServiceError) -> set[type[errors.ServiceError]]:
    """The classes of ``service.errors``."""
    found = {root} if root.__module__ == "service.errors" else set()
    return found.union(*(all_errors(kind) for kind in root.__subclasses__()))


@pytest.mark.parametrize(("error", "code", "reason"), TABLE, ids=[type(row[0]).__name__ for row in TABLE])
def test_an_error_has_its_code_and_reason(error: errors.ServiceError, code: grpc.StatusCode, reason: str) -> None:
    status = to_status(error)
    info, _, _, _ = details(error)
    assert status.code == code.value[0]
    assert status.message == error.message
    assert info.reason == reason
    assert info.domain == "slotline"
    assert dict(info.metadata) == error.metadata


def test_the_table_is_complete() -> None:
    assert {type(error) for error, _, _ in TABLE} == all_errors()


def test_a_bad_field_is_named() -> None:
    _, bad_request, _, present = details(errors.InvalidArgument("sampling.top_p", "is nan; allowed is less"))
    assert [(item.field, item.description) for item in bad_request.field_violations] == [
        ("sampling.top_p", "is nan; allowed is less")
    ]
    assert present == {"ErrorInfo", "BadRequest"}


@pytest.mark.parametrize("error", [errors.QueueFull(8, 2.5), errors.ModelLoading(), errors.Draining()])
def test_a_refusal_that_passes_says_when(error: errors.ServiceError) -> None:
    _, _, retry, present = details(error)
    assert present == {"ErrorInfo", "RetryInfo"}
    assert retry.retry_delay.ToMilliseconds() / 1000 == error.retry_after_s


def test_a_failure_that_lasts_says_nothing_about_retrying() -> None:
    assert details(errors.ModelFailed("no such file"))[3] == {"ErrorInfo"}


def test_facts_are_in_the_metadata() -> None:
    info, _, _, _ = details(errors.ContextLengthExceeded(70, 64))
    assert dict(info.metadata) == {"field": "prompt", "n_prompt_tokens": "70", "n_ctx": "64"}


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()), st.integers(1, 3000))
def test_a_status_always_fits_into_trailers(field: str, problem: str, metadata: dict[str, str], times: int) -> None:
    large = {key * times: value * times for key, value in metadata.items()}
    status = to_status(errors.InvalidArgument(field * times, problem * times, metadata=large))
    assert status.ByteSize() < 4096
    ((key, value),) = trailing_metadata(status)
    assert key == DETAILS_KEY
    assert Status.FromString(value) == status


def test_a_long_text_is_cut_between_characters() -> None:
    message = to_status(errors.ServiceError("x" + "é" * 1000)).message
    assert message.endswith("é...")
    assert len(message.encode()) <= 512


def test_text_that_protobuf_refuses_is_replaced() -> None:
    assert to_status(errors.ServiceError("lone \ud800")).message == "lone ?"
