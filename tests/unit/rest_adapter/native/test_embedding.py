"""Bodies of the embedding routes, and their answers."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.common.embedding_call import EmbeddingCall, rename_fields
from rest_adapter.apis.common.vectors import Vectors
from rest_adapter.apis.native.embedding.reply import embedding_parts, embedding_parts_now
from rest_adapter.apis.native.embedding.request import read_embedding
from rest_adapter.apis.openai.embeddings.reply import openai_embedding_parts
from rest_adapter.apis.openai.embeddings.request import read_openai_embeddings
from rest_adapter.errors import MISSING, UNSUPPORTED, InvalidRequest, RpcFailure
from slotline.v1.embedding_pb2 import (
    NORM_EUCLIDEAN,
    NORM_MAX_INT16,
    NORM_NONE,
    NORM_TAXICAB,
    NORM_UNSPECIFIED,
    Embedding,
    EmbedInput,
    EmbedRequest,
    TokenVector,
)
from slotline.v1.prompt_pb2 import PromptPart, PromptParts
from slotline.v1.tokens_pb2 import TokenIds
from tests.support.properties import untimed

Reader = Callable[[Mapping[str, object]], EmbeddingCall]


def text(content: str) -> EmbedInput:
    return EmbedInput(text=content)


def tokens(*ids: int) -> EmbedInput:
    return EmbedInput(token_ids=TokenIds(ids=ids))


PARTS = {"content": [{"type": "text", "text": "hello "}, {"type": "text", "text": "world"}]}
MIXED = EmbedInput(parts=PromptParts(parts=[PromptPart(text="a"), PromptPart(token_ids=TokenIds(ids=[5]))]))


@pytest.mark.parametrize(
    ("body", "inputs", "is_list"),
    [
        ({"content": ""}, [text(" ")], False),
        ({"content": []}, [text(" ")], False),
        ({"content": "Hi"}, [text("Hi")], False),
        ({"content": ["Hi"]}, [text("Hi")], False),
        ({"content": [5]}, [tokens(5)], False),
        ({"content": [5, 6]}, [tokens(5, 6)], False),
        ({"content": ["a", 5]}, [MIXED], False),
        ({"content": ["a", "b"]}, [text("a"), text("b")], True),
        ({"content": ["a", "", [1, 2]]}, [text("a"), text(" "), tokens(1, 2)], True),
        ({"content": [["a", 5], "b"]}, [MIXED, text("b")], True),
        ({"content": "Hi", "image_data": [{"data": "aGk=", "id": 1}]}, [text("Hi")], False),
        ({"content": "Hi", "image_data": None, "model": 5, "encoding_format": "float"}, [text("Hi")], False),
        ({"input": "Hi"}, [text("Hi")], False),
        ({"input": "Hi", "content": None}, [text("Hi")], False),
        ({"input": ["a", "b"]}, [text("a"), text("b")], True),
        ({"input": ["a", 5]}, [MIXED], False),
        ({"content": {"prompt_string": "Hi"}}, [text("Hi")], False),
        ({"content": {"prompt_string": ["a", 5]}}, [MIXED], False),
        ({"content": PARTS}, [text("hello world")], False),
        ({"content": ["Hi", PARTS, {"prompt_string": [1, 2]}]}, [text("Hi"), text("hello world"), tokens(1, 2)], True),
        ({"content": [PARTS]}, [text("hello world")], True),
    ],
)
def test_inputs_of_the_native_route(body: dict[str, object], inputs: list[EmbedInput], is_list: bool) -> None:
    call = read_embedding(body)
    assert (list(call.inputs), call.is_list) == (inputs, is_list)
    assert call.request(0, len(inputs)) == EmbedRequest(inputs=inputs)


@pytest.mark.parametrize(
    ("body", "inputs", "is_list"),
    [
        ({"input": ""}, [text(" ")], False),
        ({"input": "Hi"}, [text("Hi")], False),
        ({"input": ["Hi"]}, [text("Hi")], True),
        ({"input": ["a", "b"]}, [text("a"), text("b")], True),
        ({"input": [5, 6]}, [tokens(5, 6)], False),
        ({"content": "Hi"}, [text("Hi")], False),
        ({"content": ["Hi"]}, [text("Hi")], True),
        ({"content": [5, 6], "input": None}, [tokens(5, 6)], False),
        ({"input": [[5, 6], [7]]}, [tokens(5, 6), tokens(7)], True),
        ({"input": [[5, 6]]}, [tokens(5, 6)], True),
        ({"input": ["a", [5]]}, [text("a"), tokens(5)], True),
        ({"input": [[], ""]}, [text(" "), text(" ")], True),
        ({"input": "Hi", "user": 5, "input_type": "query"}, [text("Hi")], False),
        ({"input": ["a", 5]}, [MIXED], False),
        ({"input": [["a", 5], "b"]}, [MIXED, text("b")], True),
        ({"input": {"prompt_string": "Hi", "multimodal_data": []}}, [text("Hi")], False),
        ({"input": ["Hi", PARTS, {"prompt_string": ["a", 5]}]}, [text("Hi"), text("hello world"), MIXED], True),
    ],
)
def test_inputs_of_the_openai_route(body: dict[str, object], inputs: list[EmbedInput], is_list: bool) -> None:
    call = read_openai_embeddings(body)
    assert (list(call.inputs), call.is_list) == (inputs, is_list)


@pytest.mark.parametrize("read", [read_embedding, read_openai_embeddings])
@pytest.mark.parametrize(
    ("value", "norm"),
    [
        (None, NORM_UNSPECIFIED),
        (2, NORM_EUCLIDEAN),
        (2.0, NORM_EUCLIDEAN),
        (1, NORM_TAXICAB),
        (0, NORM_MAX_INT16),
        (-1, NORM_NONE),
    ],
)
def test_the_norm_is_passed_on_if_given(read: Reader, value: object, norm: int) -> None:
    assert read({"input": "a", "embd_normalize": value}).request(0, 1).norm == norm


def test_dimensions_are_for_the_core_to_judge() -> None:
    assert read_openai_embeddings({"input": "a", "dimensions": 576}).request(0, 1).dimensions == 576
    assert not read_openai_embeddings({"input": "a", "dimensions": None}).request(0, 1).HasField("dimensions")


def test_a_part_of_the_inputs_keeps_the_options() -> None:
    call = read_embedding({"content": ["a", "b", "c"], "embd_normalize": -1})
    assert call.request(1, 3) == EmbedRequest(inputs=[text("b"), text("c")], norm=NORM_NONE)
    assert call.request(2, 9) == EmbedRequest(inputs=[text("c")], norm=NORM_NONE)


def joined(call: EmbeddingCall, *vectors: list[float], prompt_tokens: int = 0) -> str:
    parts = openai_embedding_parts if call.field == "input" else embedding_parts
    embeddings = [Embedding(index=index, values=values) for index, values in enumerate(vectors)]
    return b"".join(parts(call, Vectors(embeddings, prompt_tokens))).decode()


def test_the_native_answer_to_the_byte() -> None:
    assert joined(read_embedding({"content": "a"}), [0.1, -1.0]) == '{"embedding":[0.10000000149011612,-1.0]}'
    assert joined(read_embedding({"content": ["a", "b"]}), [1.0], [0.5]) == (
        '{"results":[{"embedding":[1.0]},{"embedding":[0.5]}]}'
    )


OF_TOKENS = Vectors([Embedding(token_vectors=[TokenVector(values=[1.0, 0.5]), TokenVector(values=[2.0, 0.0])])], 2)


def test_vectors_of_tokens_are_an_array_of_them_for_each_input() -> None:
    for parts in (embedding_parts, embedding_parts_now):
        answer = b"".join(parts(read_embedding({"content": "a"}), OF_TOKENS))
        assert json.loads(answer) == [{"index": 0, "embedding": [[1.0, 0.5], [2.0, 0.0]]}]


def test_the_openai_answer_has_no_room_for_them() -> None:
    with pytest.raises(InvalidRequest, match="--pooling none") as caught:
        list(openai_embedding_parts(read_openai_embeddings({"input": "a"}), OF_TOKENS))
    assert caught.value.name == "input"


def test_the_native_answer_of_today_is_an_array_in_any_case() -> None:
    vectors = Vectors([Embedding(values=[1.0]), Embedding(index=1, values=[0.5])], 2)
    answer = b"".join(embedding_parts_now(read_embedding({"content": ["a", "b"]}), vectors))
    assert answer.decode() == '[{"embedding":[[1.0]],"index":0},{"embedding":[[0.5]],"index":1}]'


@pytest.mark.parametrize("read", [read_embedding, read_openai_embeddings])
@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({}, "input"),
        ({"prompt_string": 5}, "input.prompt_string"),
        ({"prompt_string": "a", "multimodal_data": ["aGk="]}, "input.multimodal_data"),
        ({"content": "text"}, "input.content"),
        ({"content": [5]}, "input.content[0]"),
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "input.content[0].type"),
        (["a", {"content": [{"type": "text"}]}], "input[1].content[0].text"),
        (["a", {"content": [{"type": "text", "text": 5}]}], "input[1].content[0].text"),
    ],
)
def test_objects_in_another_form_are_refused_by_their_place(read: Reader, value: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read({"input": value})
    assert caught.value.name == name


def test_the_openai_answer_to_the_byte() -> None:
    call = read_openai_embeddings({"input": ["a", "b"], "model": "m"})
    assert joined(call, [1.0, 0.1], [0.5, 2.0], prompt_tokens=7) == (
        '{"data":[{"embedding":[1.0,0.10000000149011612],"index":0,"object":"embedding"},'
        '{"embedding":[0.5,2.0],"index":1,"object":"embedding"}],"model":"m","object":"list",'
        '"usage":{"prompt_tokens":7,"total_tokens":7}}'
    )


def test_the_openai_answer_to_a_request_without_a_model() -> None:
    assert json.loads(joined(read_openai_embeddings({"input": "a"}), [1.0]))["model"] == "gpt-3.5-turbo-0613"


def test_base64_is_little_endian_float32() -> None:
    answer = json.loads(joined(read_openai_embeddings({"input": "a", "encoding_format": "base64"}), [1.0, -0.1]))
    (item,) = answer["data"]
    assert base64.b64decode(item["embedding"]) == struct.pack("<2f", 1.0, -0.1)
    assert item["encoding_format"] == "base64"


def test_numbers_that_json_lacks_are_null() -> None:
    assert joined(read_embedding({"content": "x"}), [float("nan"), float("inf")]) == '{"embedding":[null,null]}'


@pytest.mark.parametrize(
    ("body", "path", "first", "name"),
    [
        ({"content": "a"}, "inputs[0].text", 0, "content"),
        ({"content": "a"}, "inputs[0]", 0, "content"),
        ({"content": "a"}, "inputs", 0, "content"),
        ({"content": "a"}, "prompt", 0, "content"),
        ({"content": [1, 2]}, "inputs[0].token_ids.ids[1]", 0, "content[1]"),
        ({"content": ["a", 2]}, "inputs[0].parts.parts[1].token_ids.ids[0]", 0, "content"),
        ({"content": ["a", "b"]}, "inputs[1].text", 0, "content[1]"),
        ({"content": ["a"] * 40}, "inputs[1].text", 32, "content[33]"),
        ({"content": ["a", [1, 2]]}, "inputs[0].token_ids.ids[1]", 1, "content[1][1]"),
        ({"content": "a"}, "norm", 0, "embd_normalize"),
        ({"content": [{"prompt_string": [1, 2]}]}, "inputs[0].token_ids.ids[1]", 0, "content[0].prompt_string[1]"),
    ],
)
def test_core_fields_get_the_names_of_the_native_route(
    body: dict[str, object], path: str, first: int, name: str
) -> None:
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "x", violations=((path, "is wrong"),))
    assert rename_fields(failure, read_embedding(body), first).violations == ((name, "is wrong"),)


@pytest.mark.parametrize(
    ("body", "path", "name"),
    [
        ({"input": ["a"]}, "inputs[0].text", "input[0]"),
        ({"input": [[1]]}, "inputs[0].token_ids.ids[0]", "input[0][0]"),
        ({"input": [1]}, "inputs[0].token_ids.ids[0]", "input[0]"),
        ({"input": "a"}, "dimensions", "dimensions"),
    ],
)
def test_core_fields_get_the_names_of_the_openai_route(body: dict[str, object], path: str, name: str) -> None:
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "x", violations=((path, "is wrong"),))
    assert rename_fields(failure, read_openai_embeddings(body), 0).violations == ((name, "is wrong"),)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=2),
    max_leaves=6,
)
KEYS = ("content", "input", "image_data", "embd_normalize", "dimensions", "encoding_format", "model", "timeout_s")


@untimed
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_body_is_either_translated_or_refused_by_name(body: dict[str, object]) -> None:
    for read in (read_embedding, read_openai_embeddings):
        try:
            call = read(body)
        except InvalidRequest as error:
            assert error.name.split("[")[0] in {*body, "content", "input"}
        else:
            assert all(item.WhichOneof("content") for item in call.request(0, len(call.inputs)).inputs)


@pytest.mark.parametrize(
    ("read", "body", "name"),
    [
        (read_embedding, {}, "content"),
        (read_embedding, {"content": None}, "content"),
        (read_embedding, {"input": None}, "input"),
        (read_embedding, {"prompt": "a"}, "content"),
        (read_openai_embeddings, {}, "input"),
        (read_openai_embeddings, {"input": None}, "input"),
        (read_openai_embeddings, {"texts": ["a"]}, "input"),
    ],
)
def test_nothing_to_embed_is_refused_by_name(read: Reader, body: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidRequest, match="is missing") as caught:
        read(body)
    assert (caught.value.name, caught.value.code) == (name, MISSING)


@pytest.mark.parametrize("read", [read_embedding, read_openai_embeddings])
def test_both_names_at_once_are_refused(read: Reader) -> None:
    with pytest.raises(InvalidRequest, match="input: is not allowed together with content"):
        read({"content": "a", "input": "b"})


@pytest.mark.parametrize(("read", "field"), [(read_embedding, "input"), (read_openai_embeddings, "content")])
def test_a_refused_input_has_the_name_that_was_sent(read: Reader, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read({field: ["a", [{}]]})
    assert caught.value.name.startswith(f"{field}[1]")
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "", "no", violations=(("inputs[1].text", "is wrong"),))
    assert rename_fields(failure, read({field: ["a", "b"]}), 0).violations == ((f"{field}[1]", "is wrong"),)


@pytest.mark.parametrize("read", [read_embedding, read_openai_embeddings])
@pytest.mark.parametrize(
    "option", [{"truncate": True}, {"truncate_prompt_tokens": 5}, {"normalize": False}, {"messages": [{}]}]
)
def test_options_that_are_not_there_are_refused(read: Reader, option: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="is not supported") as caught:
        read({"input": "a", **option})
    assert caught.value.name == next(iter(option))
    assert caught.value.code == UNSUPPORTED
