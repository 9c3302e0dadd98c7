"""The embedding routes over a core in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import EMBED, GET_MODEL
from rest_adapter.errors import RpcFailure
from slotline.v1.embedding_pb2 import NORM_NONE, NORM_TAXICAB, NORM_UNSPECIFIED, EmbedRequest, EmbedResponse
from slotline.v1.model_pb2 import GetModelResponse, Limits, Model
from slotline.v1.tokens_pb2 import Usage
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, UNREACHABLE, client_of, error_of

if TYPE_CHECKING:
    from google.protobuf.message import Message


def vectors(request: EmbedRequest) -> EmbedResponse:
    """The length of each text as its vector; two tokens each."""
    response = EmbedResponse(usage=Usage(prompt_tokens=2 * len(request.inputs)))
    for index, item in enumerate(request.inputs):
        response.embeddings.add(index=index, values=[len(item.text)])
    return response


def embedding_core(embed: Any = vectors, *, max_batch: int = 4) -> MemoryCore:
    model = Model(limits=Limits(max_batch_embed=max_batch))
    return MemoryCore(unary={EMBED.path: embed, GET_MODEL.path: GetModelResponse(model=model)})


def embed_requests(core: MemoryCore) -> list[Message]:
    return [request for request in core.unary_requests if isinstance(request, EmbedRequest)]


@pytest.mark.parametrize("path", ["/embedding", "/embeddings"])
def test_one_text(path: str) -> None:
    core = embedding_core()
    response = client_of(core).post(path, json={"content": "abc"})
    assert (response.status_code, response.content_type) == (200, JSON)
    assert response.data == b'{"embedding":[3.0]}'
    # The limits are asked for only when they matter.
    assert core.unary_requests == [EmbedRequest(inputs=embed_requests(core)[0].inputs)]  # type: ignore[attr-defined]
    assert core.started[0].is_closed


@pytest.mark.parametrize(
    ("path", "body", "norm"),
    [
        ("/embedding", {"content": "a"}, NORM_TAXICAB),
        ("/embeddings", {"input": "a"}, NORM_TAXICAB),
        ("/embedding", {"content": "a", "embd_normalize": None}, NORM_TAXICAB),
        ("/embedding", {"content": "a", "embd_normalize": -1}, NORM_NONE),
        ("/v1/embeddings", {"input": "a"}, NORM_UNSPECIFIED),
    ],
)
def test_the_server_may_say_how_native_vectors_are_scaled(path: str, body: dict[str, object], norm: int) -> None:
    core = embedding_core()
    assert client_of(core, RestConfig(embd_normalize=1)).post(path, json=body).status_code == 200
    assert [request.norm for request in embed_requests(core)] == [norm]  # type: ignore[attr-defined]


def test_the_openai_form() -> None:
    body = json.loads(client_of(embedding_core()).post("/v1/embeddings", json={"input": "abc", "model": "m"}).data)
    assert body["data"] == [{"embedding": [3.0], "index": 0, "object": "embedding"}]
    assert (body["model"], body["usage"]) == ("m", {"prompt_tokens": 2, "total_tokens": 2})


@pytest.mark.parametrize(("n", "sizes"), [(2, [2]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])])
def test_more_inputs_than_the_core_takes_are_several_calls_in_order(n: int, sizes: list[int]) -> None:
    core = embedding_core()
    texts = ["x" * length for length in range(1, n + 1)]
    body = json.loads(client_of(core).post("/v1/embeddings", json={"input": texts}).data)
    assert [len(request.inputs) for request in embed_requests(core)] == sizes  # type: ignore[attr-defined]
    assert [item["embedding"] for item in body["data"]] == [[float(length)] for length in range(1, n + 1)]
    assert [item["index"] for item in body["data"]] == list(range(n))
    assert body["usage"] == {"prompt_tokens": 2 * n, "total_tokens": 2 * n}


def test_a_core_without_a_limit_gets_all_inputs_at_once() -> None:
    core = embedding_core(max_batch=0)
    client_of(core).post("/embedding", json={"content": ["a", "b", "c"]})
    assert [len(request.inputs) for request in embed_requests(core)] == [3]  # type: ignore[attr-defined]


def refusing_the_last(request: EmbedRequest) -> EmbedResponse:
    if request.inputs[-1].text == "bad":
        path = f"inputs[{len(request.inputs) - 1}].text"
        raise RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "x", violations=((path, "is bad"),))
    return vectors(request)


def test_a_refused_input_has_its_place_in_the_body() -> None:
    texts = [*"abcde", "bad"]
    response = client_of(embedding_core(refusing_the_last)).post("/v1/embeddings", json={"input": texts})
    assert response.status_code == 400
    assert error_of(response)["message"] == "input[5]: is bad"


TOO_LONG = RpcFailure(
    StatusCode.INVALID_ARGUMENT,
    "CONTEXT_LENGTH_EXCEEDED",
    "inputs[0]: has 600 tokens",
    violations=(("inputs[0]", "has 600 tokens"),),
    metadata={"n_prompt_tokens": "600", "n_ctx": "512"},
)
WITHOUT_EMBEDDINGS = RpcFailure(
    StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", "embeddings are off; start the server with --embedding"
)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (
            TOO_LONG,
            {
                "code": 400,
                "message": "content: has 600 tokens",
                "n_ctx": 512,
                "n_prompt_tokens": 600,
                "type": "exceed_context_size_error",
            },
        ),
        (WITHOUT_EMBEDDINGS, {"code": 501, "message": WITHOUT_EMBEDDINGS.message, "type": "not_supported_error"}),
        (UNREACHABLE, {"code": 503, "message": UNREACHABLE.message, "type": "unavailable_error"}),
        (
            RpcFailure(StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", retry_after_s=2.0),
            {"code": 429, "message": "full", "type": "rate_limit_error"},
        ),
        (
            RpcFailure(StatusCode.DEADLINE_EXCEEDED, "", "late"),
            {"code": 504, "message": "late", "type": "timeout_error"},
        ),
    ],
)
def test_failures(failure: RpcFailure, error: dict[str, object]) -> None:
    core = embedding_core(failure)
    response = client_of(core).post("/embedding", json={"content": "abc"})
    assert error_of(response) == error
    assert core.started[0].is_closed


@pytest.mark.parametrize(
    ("own_s", "asked_s", "shortest_s", "longest_s"),
    [(3.0, None, 2.0, 3.0), (None, 5, 4.0, 5.0), (3.0, 5, 2.0, 3.0)],
)
def test_the_shorter_time_limit_counts(
    own_s: float | None, asked_s: float | None, shortest_s: float, longest_s: float
) -> None:
    core = embedding_core()
    client_of(core, RestConfig(request_timeout_s=own_s)).post("/embedding", json={"content": "a", "timeout_s": asked_s})
    (deadline_s,) = core.deadlines_s
    assert deadline_s is not None
    assert shortest_s < deadline_s <= longest_s


def test_there_is_no_time_limit_unless_asked_for() -> None:
    core = embedding_core()
    client_of(core).post("/embedding", json={"content": "a"})
    assert core.deadlines_s == [None]


def test_embeddings_count_as_generations() -> None:
    core = embedding_core()
    client = client_of(core, max_generations=1)
    refused: list[int] = []

    def embed(request: EmbedRequest) -> EmbedResponse:
        if not refused:
            refused.append(client.post("/embedding", json={"content": "a"}).status_code)
        return vectors(request)

    core.answer_with(EMBED, embed)
    assert client.post("/embedding", json={"content": "a"}).status_code == 200
    assert refused == [429]
    assert client.post("/embedding", json={"content": "a"}).status_code == 200
