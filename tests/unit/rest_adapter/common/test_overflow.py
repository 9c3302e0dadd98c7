from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE, OVERFLOW_TRUNCATE, GenerateRequest

Body = Mapping[str, object]
MESSAGES = {"messages": [{"role": "user", "content": "Hi"}]}


def chat_request(body: Body, *, truncates: bool = False) -> GenerateRequest:
    return read_chat({**MESSAGES, **body}, truncates=truncates).request


def text_request(body: Body, *, truncates: bool = False) -> GenerateRequest:
    (request,) = read_text_completion({"prompt": "Hi", **body}, truncates=truncates).requests
    return request


def native_request(body: Body) -> GenerateRequest:
    (request,) = read_completion({"prompt": "Hi", **body}).requests
    return request


def infill_request(body: Body) -> GenerateRequest:
    (request,) = read_infill({"input_prefix": "Hi", **body}).requests
    return request


@pytest.mark.parametrize("read", [chat_request, text_request])
@pytest.mark.parametrize(
    ("body", "server_truncates", "overflow"),
    [
        ({}, False, OVERFLOW_REFUSE),
        ({"truncate": None}, False, OVERFLOW_REFUSE),
        ({"truncate": True}, False, OVERFLOW_TRUNCATE),
        ({}, True, OVERFLOW_TRUNCATE),
        ({"truncate": None}, True, OVERFLOW_TRUNCATE),
        ({"truncate": False}, True, OVERFLOW_REFUSE),
        # What to keep is not whether to shorten.
        ({"n_keep": 4}, False, OVERFLOW_REFUSE),
    ],
)
def test_openai_routes_refuse_unless_the_body_or_the_server_says_otherwise(
    read: Callable[..., GenerateRequest], body: Body, server_truncates: bool, overflow: int
) -> None:
    assert read(body, truncates=server_truncates).overflow == overflow


@pytest.mark.parametrize("read", [native_request, infill_request])
@pytest.mark.parametrize(
    ("body", "overflow"),
    [({}, OVERFLOW_TRUNCATE), ({"truncate": True}, OVERFLOW_TRUNCATE), ({"truncate": False}, OVERFLOW_REFUSE)],
)
def test_native_routes_truncate_unless_the_body_says_otherwise(
    read: Callable[..., GenerateRequest], body: Body, overflow: int
) -> None:
    assert read(body).overflow == overflow


@pytest.mark.parametrize("read", [chat_request, text_request, native_request, infill_request])
def test_nothing_but_true_and_false_is_taken(read: Callable[..., GenerateRequest]) -> None:
    with pytest.raises(InvalidRequest, match="truncate: 1 is not true or false"):
        read({"truncate": 1})
