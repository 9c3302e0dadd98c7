"""Models and embeddings with the official OpenAI client."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import openai
import pytest
import requests

from tests.support.server import PATIENCE_S, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

N_EMBD = 576
TEXTS = ["The cat sleeps.", "Der Hund bellt.", "The cat sleeps."]


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that each answer is the first one."""
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_a_listed_model_can_be_retrieved_by_its_id(client: openai.OpenAI) -> None:
    (listed,) = client.models.list().data
    found = client.models.retrieve(listed.id)
    assert (found.id, found.object, found.owned_by) == (listed.id, "model", listed.owned_by)
    assert found.created >= listed.created


def test_ids_may_be_written_with_slashes_or_without(client: openai.OpenAI, server: Server) -> None:
    name = "org/model"
    for written in (name, quote(name), quote(name, safe="")):
        answer = requests.get(f"{server.rest_url}/v1/models/{written}", timeout=PATIENCE_S)
        assert (answer.status_code, answer.json()["id"]) == (200, name)


@pytest.mark.parametrize("name", ["gpt-4", "org/model", "ä?#", "%2F"])
def test_any_name_that_a_chat_may_have_can_be_retrieved(client: openai.OpenAI, name: str) -> None:
    assert client.models.retrieve(name).id == name
    answer = client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hi"}], max_tokens=1)
    assert answer.model == name


def test_where_the_file_lies_is_told_by_native_answers_only(client: openai.OpenAI, server: Server) -> None:
    (listed,) = client.models.list().data
    native = requests.post(f"{server.rest_url}/completion", json={"prompt": "a", "n_predict": 1}, timeout=PATIENCE_S)
    path = native.json()["model"]
    assert path.startswith("/")
    assert path.endswith(f"/{listed.id}.gguf")
    asked: dict[str, str]
    for asked in ({}, {"model": path}):
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1, **asked}
        chat = requests.post(f"{server.rest_url}/v1/chat/completions", json=body, timeout=PATIENCE_S)
        assert chat.json()["model"] == listed.id
    assert client.models.retrieve(path).id == listed.id


def test_a_model_cannot_be_deleted(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.models.delete("gpt-4")
    assert raised.value.status_code == 405


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}], ids=["packed", "float"])
def test_embeddings_of_texts(client: openai.OpenAI, options: dict[str, Any]) -> None:
    answer = client.embeddings.create(model="any", input=TEXTS, **options)
    assert (answer.object, answer.model) == ("list", "any")
    assert [(item.index, item.object) for item in answer.data] == [(i, "embedding") for i in range(3)]
    vectors = [item.embedding for item in answer.data]
    assert [len(vector) for vector in vectors] == [N_EMBD] * 3
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-3) for vector in vectors)
    # The same text in one batch; another text is farther away than rounding explains.
    assert math.dist(vectors[0], vectors[2]) < 0.02 < math.dist(vectors[0], vectors[1])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 3


def test_both_encodings_hold_the_same_numbers(client: openai.OpenAI) -> None:
    packed: Any = client.embeddings.create(model="any", input=TEXTS[0], encoding_format="base64").data[0].embedding
    written = client.embeddings.create(model="any", input=TEXTS[0], encoding_format="float").data[0].embedding
    assert isinstance(packed, str)
    numbers = struct.unpack(f"<{N_EMBD}f", b64decode(packed, validate=True))
    assert numbers == pytest.approx(written, abs=1e-3)


def test_embeddings_of_token_ids_are_those_of_their_text(client: openai.OpenAI, server: Server) -> None:
    tokens = requests.post(f"{server.rest_url}/tokenize", json={"content": TEXTS[0]}, timeout=PATIENCE_S)
    ids: list[int] = tokens.json()["tokens"]
    of_text = client.embeddings.create(model="any", input=TEXTS[0])
    for given in (ids, [ids]):
        of_ids = client.embeddings.create(model="any", input=given)
        assert of_ids.data[0].embedding == pytest.approx(of_text.data[0].embedding, abs=1e-3)
        assert of_ids.usage == of_text.usage
    two = client.embeddings.create(model="any", input=[ids, ids[:1]])
    assert [item.index for item in two.data] == [0, 1]
    assert two.usage.prompt_tokens == len(ids) + 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"input": []}, "input"),
        ({"input": [1.5]}, "input"),
        ({"input": "a", "dimensions": 3}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_embeddings_that_cannot_be_made_name_the_field(
    client: openai.OpenAI, options: dict[str, Any], name: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=name):
        client.embeddings.create(model="any", **options)
