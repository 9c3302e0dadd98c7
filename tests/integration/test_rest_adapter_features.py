"""The adapter over real sockets in front of a core without a model: embeddings, infill, properties and metrics."""

from __future__ import annotations

import json

import grpc
import openai
import pytest
import requests

from rest_adapter.config import RestConfig
from tests.support.adapter import AdapterThread, post
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Refuse
from tests.support.http_stream import HttpConnection, post_bytes


def test_more_inputs_than_the_core_takes_are_several_calls(core: FakeCore, adapter: AdapterThread) -> None:
    core.model.limits.max_batch_embed = 2
    response = post(adapter, "/embedding", content=["a", "bb", "ccc", [7, 8], "eeeee"])
    assert response.text == (
        '{"results":[{"embedding":[1.0,0.5]},{"embedding":[2.0,0.5]},{"embedding":[3.0,0.5]},'
        '{"embedding":[7.0,0.5]},{"embedding":[5.0,0.5]}]}'
    )
    assert [len(call.request.inputs) for call in core.embed_calls] == [2, 2, 1]


def test_the_openai_client_embeds(core: FakeCore, adapter: AdapterThread) -> None:
    with openai.OpenAI(base_url=adapter.url + "/v1", api_key="-", max_retries=0) as client:
        # Its default is base64, which it turns into floats.
        answer = client.embeddings.create(model="m", input=["a", "bb"])
        assert [item.embedding for item in answer.data] == [[1.0, 0.5], [2.0, 0.5]]
        assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("m", 6, 6)
        plain = client.embeddings.create(model="m", input=[7, 8], encoding_format="float")
        assert [item.embedding for item in plain.data] == [[7.0, 0.5]]
        core.embedding = lambda request: [
            Refuse(
                grpc.StatusCode.INVALID_ARGUMENT,
                "INVALID_ARGUMENT",
                violations=(("dimensions", "is 7; allowed is 576"),),
            )
        ]
        with pytest.raises(openai.BadRequestError, match="dimensions: is 7; allowed is 576"):
            client.embeddings.create(model="m", input="a", dimensions=7)
        assert core.embed_calls[-1].request.dimensions == 7


def test_a_core_without_embeddings_says_so(core: FakeCore, adapter: AdapterThread) -> None:
    text = "embeddings are off; start the server with --embedding"
    core.embedding = lambda request: [Refuse(grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", text)]
    response = post(adapter, "/embedding", content="a")
    assert response.status_code == 501
    assert response.json() == {"error": {"code": 501, "message": text, "type": "not_supported_error"}}


def test_the_time_limit_of_embeddings(core: FakeCore, adapter: AdapterThread) -> None:
    core.embedding = lambda request: [Hold()]
    response = post(adapter, "/v1/embeddings", input="a", timeout_s=0.2)
    assert (response.status_code, response.json()["error"]["type"]) == (504, "timeout_error")
    assert core.wait_for_embed_call().cancelled.wait(WAIT_S)


def test_a_client_that_leaves_cancels_its_embeddings(core: FakeCore, adapter: AdapterThread) -> None:
    core.model.limits.max_batch_embed = 1
    core.embedding = lambda request: [Hold()]
    with HttpConnection(adapter.address, post_bytes("/embedding", content=["a", "b"])):
        call = core.wait_for_embed_call()
        assert call.holding.wait(WAIT_S)
    assert call.cancelled.wait(WAIT_S)
    # Nothing of the rest was asked for: the next call is that of the next request.
    core.embedding = lambda request: ()
    assert post(adapter, "/embedding", content="c").status_code == 200
    assert [call.request.inputs[0].text for call in core.embed_calls] == ["a", "c"]


def test_stopping_ends_embeddings_that_take_too_long(core: FakeCore, adapter: AdapterThread) -> None:
    core.embedding = lambda request: [Hold()]
    with HttpConnection(adapter.address, post_bytes("/embedding", content="a")) as connection:
        call = core.wait_for_embed_call()
        assert call.holding.wait(WAIT_S)
        adapter.begin_stop(0.0)
        status, _, body = connection.answer()
        assert (status, json.loads(body)["error"]["message"]) == (503, "the server is shutting down")
    assert call.cancelled.wait(WAIT_S)
    adapter.wait_until_stopped()


def test_infill_streamed(core: FakeCore, adapter: AdapterThread) -> None:
    response = post(adapter, "/infill", input_prefix="def f(", input_suffix=["):", 5], stream=True)
    events = response.text.split("\n\n")
    assert events[0] == 'data: {"content":"a","multimodal":false,"slot_id":0,"stop":false}'
    assert (json.loads(events[3][6:])["prompt"], events[4:]) == ("", [""])
    infill = core.calls[0].request.infill
    assert ([part.text for part in infill.prefix.parts], len(infill.suffix.parts)) == (["def f("], 2)


@pytest.mark.parametrize("stream", [True, False])
def test_a_system_prompt_while_slots_are_busy(core: FakeCore, adapter: AdapterThread, stream: bool) -> None:
    text = "system prompt can only be updated when all slots are idle"
    core.script = lambda request: [Refuse(grpc.StatusCode.UNAVAILABLE, "SLOTS_BUSY", text, retry_after_s=1.0)]
    response = post(adapter, "/completion", system_prompt={"prompt": "P"}, stream=stream)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.json() == {"error": {"code": 503, "message": text, "type": "unavailable_error"}}
    assert core.calls[0].request.system_prompt.prompt == "P"


def test_props(core: FakeCore, adapter: AdapterThread) -> None:
    core.model.n_slots = 3
    core.model.system_prompt.anti_prompt = "User:"
    response = requests.get(adapter.url + "/props", timeout=WAIT_S)
    assert response.status_code == 200
    body = response.json()
    assert (body["total_slots"], body["user_name"], body["assistant_name"]) == (3, "User:", "")


def test_metrics_only_if_switched_on(core: FakeCore, adapter: AdapterThread) -> None:
    assert requests.get(adapter.url + "/metrics", timeout=WAIT_S).status_code == 404
    core.metrics.prompt_tokens_total = 5
    core.metrics.exposition = "slotline_core_up 1\n"
    with_metrics = AdapterThread(RestConfig(core=core.address, metrics=True))
    try:
        response = requests.get(with_metrics.url + "/metrics", timeout=WAIT_S)
    finally:
        with_metrics.close()
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain; version=0.0.4")
    assert "\nllamacpp:prompt_tokens_total 5\n" in response.text
    assert response.text.endswith("\nslotline_core_up 1\n")
