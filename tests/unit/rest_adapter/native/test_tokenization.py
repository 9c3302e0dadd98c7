from __future__ import annotations

import pytest
from grpc import StatusCode

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.tokens import token_text
from rest_adapter.apis.native.tokenization.request import read_detokenize, read_tokenize
from rest_adapter.core.calls import DETOKENIZE, TOKENIZE
from rest_adapter.errors import InvalidRequest, RpcFailure
from slotline.v1.prompt_pb2 import PromptPart, PromptParts
from slotline.v1.tokenization_pb2 import DetokenizeRequest, TokenizeRequest
from slotline.v1.tokens_pb2 import TokenIds
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import client_of, error_of


@pytest.mark.parametrize("body", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_nothing_to_tokenize(body: dict[str, object]) -> None:
    assert read_tokenize(body) is None


def test_a_text_is_tokenized_without_bos_and_with_special_tokens() -> None:
    request = read_tokenize({"content": "<|im_start|>"})
    assert request == TokenizeRequest(text="<|im_start|>", add_special=False, parse_special=True)


@pytest.mark.parametrize(("value", "parse_special"), [(True, True), (False, False), (None, True)])
def test_special_tokens_can_be_text(value: object, parse_special: bool) -> None:
    request = read_tokenize({"content": "<|im_start|>", "parse_special": value})
    assert request == TokenizeRequest(text="<|im_start|>", add_special=False, parse_special=parse_special)


@pytest.mark.parametrize("content", ["a", None])
def test_parse_special_is_a_boolean(content: object) -> None:
    with pytest.raises(InvalidRequest, match="parse_special"):
        read_tokenize({"content": content, "parse_special": "no"})


def test_a_mix_is_tokenized_in_order() -> None:
    request = read_tokenize({"content": ["a", 1, 2, "b"]})
    parts = [PromptPart(text="a"), PromptPart(token_ids=TokenIds(ids=[1, 2])), PromptPart(text="b")]
    assert request == TokenizeRequest(parts=PromptParts(parts=parts), add_special=False, parse_special=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (5, "content: 5 is not a string or an array of strings and token ids"),
        (True, "content: true is not a string or an array of strings and token ids"),
        ({}, "content: {} is not a string or an array of strings and token ids"),
        (["a", None], "content[1]: null is not a string or a token id"),
        ([["a"]], 'content[0]: ["a"] is not a string or a token id'),
        ([1.5], "content[0]: 1.5 is not a token id, an integer of at least 0"),
    ],
)
def test_other_contents_are_refused(content: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_tokenize({"content": content})
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("tokens", "ids"), [(None, []), ([], []), ([1, 2, 3], [1, 2, 3]), ([1.0], [1]), ([4294967295], [4294967295])]
)
def test_detokenize(tokens: object, ids: list[int]) -> None:
    assert read_detokenize({"tokens": tokens}) == DetokenizeRequest(ids=ids)


@pytest.mark.parametrize(
    ("tokens", "name"),
    [
        ("abc", "tokens"),
        (5, "tokens"),
        ({}, "tokens"),
        (["a"], "tokens[0]"),
        ([1, -1], "tokens[1]"),
        ([2**32], "tokens[0]"),
        ([1.5], "tokens[0]"),
        ([True], "tokens[0]"),
        ([None], "tokens[0]"),
        ([[1]], "tokens[0]"),
    ],
)
def test_other_tokens_are_refused(tokens: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_detokenize({"tokens": tokens})
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        (b" Paris", " Paris"),
        (b"", ""),
        (b"\x7f", "\x7f"),
        (b"\x80", "byte: \\x80"),
        (b"\xff", "byte: \\xff"),
        (b"\xe2\x82\xac", "€"),
        (b"\xe2\x82", "�"),
        (b"a\xff", "a�"),
    ],
)
def test_the_text_of_a_token(piece: bytes, text: str) -> None:
    assert token_text(piece) == text


@pytest.mark.parametrize(
    ("route", "body", "method", "path", "name"),
    [
        ("/tokenize", {"content": ["a", 7]}, TOKENIZE.path, "parts.parts[1].token_ids.ids[0]", "content"),
        ("/tokenize", {"content": "long"}, TOKENIZE.path, "text", "content"),
        ("/detokenize", {"tokens": [1, 7]}, DETOKENIZE.path, "ids[1]", "tokens[1]"),
        ("/detokenize", {"tokens": [1]}, DETOKENIZE.path, "ids", "tokens"),
    ],
)
def test_a_field_that_the_core_refuses_is_named_as_in_the_body(
    route: str, body: dict[str, object], method: str, path: str, name: str
) -> None:
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "", violations=((path, "7 is unknown"),))
    response = client_of(MemoryCore(unary={method: failure})).post(route, json=body)
    assert response.status_code == 400
    assert error_of(response)["message"] == f"{name}: 7 is unknown"


def test_control_tokens_become_their_names_today() -> None:
    assert read_detokenize({"tokens": [1]}) == DetokenizeRequest(ids=[1])
    assert read_detokenize({"tokens": [1]}, shape=ApiShape.NOW) == DetokenizeRequest(ids=[1], skip_special=False)
