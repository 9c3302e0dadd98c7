"""Embeddings, properties, metrics and the system prompt, through the whole server."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
import pytest
import requests

from tests.support.server import PATIENCE_S, Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server_pool import ServerPool

TEXTS = [f"Text number {number} is about {'cats' if number % 2 else 'ships'}." for number in range(40)]


def post(server: Server, path: str, **body: object) -> requests.Response:
    return requests.post(server.rest_url + path, json=body, timeout=PATIENCE_S)


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


@pytest.fixture(scope="module")
def system_server(servers: ServerPool, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server with a system prompt from a file, without embeddings, metrics and the slots endpoint."""
    path: Path = tmp_path_factory.mktemp("system") / "system.json"
    path.write_text(json.dumps({"prompt": "A chat.\n", "anti_prompt": "User:", "assistant_name": "Bot:"}))
    options = ("-c", "1024", "-np", "2", "-spf", str(path), "--slots-endpoint-disable")
    return servers.get(*options)


def test_many_texts_at_once_have_the_vectors_that_each_has_alone(server: Server) -> None:
    results = post(server, "/embedding", content=TEXTS).json()["results"]
    assert len(results) == len(TEXTS)
    for number in (0, 17, 39):
        alone = post(server, "/embedding", content=TEXTS[number]).json()["embedding"]
        assert math.hypot(*alone) == pytest.approx(1, abs=1e-3)
        assert cosine(alone, results[number]["embedding"]) > 0.999


def test_embeddings_of_many_clients_are_not_mixed_up(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: post(server, "/v1/embeddings", input=text).json(), TEXTS[:16]))
    expected = post(server, "/v1/embeddings", input=TEXTS[:16]).json()["data"]
    for answer, item in zip(answers, expected, strict=True):
        assert cosine(answer["data"][0]["embedding"], item["embedding"]) > 0.999


def test_raw_vectors_point_where_normalised_ones_do(server: Server) -> None:
    raw = post(server, "/embedding", content="a ship", embd_normalize=-1).json()["embedding"]
    unit = post(server, "/embedding", content="a ship").json()["embedding"]
    assert math.hypot(*raw) > 2
    assert cosine(raw, unit) > 0.999


def test_the_openai_client_embeds(server: Server) -> None:
    with openai.OpenAI(base_url=server.rest_url + "/v1", api_key="-", max_retries=0) as client:
        as_base64 = client.embeddings.create(model="m", input=["a ship", "a cat"])
        as_floats = client.embeddings.create(model="m", input=["a ship", "a cat"], encoding_format="float")
        for one, other in zip(as_base64.data, as_floats.data, strict=True):
            assert cosine(one.embedding, other.embedding) > 0.999
        assert as_base64.usage.prompt_tokens > 0
        with pytest.raises(openai.BadRequestError, match="dimensions"):
            client.embeddings.create(model="m", input="a", dimensions=7)


@pytest.mark.parametrize(
    ("body", "name"),
    [({"content": [1, 999_999]}, "content[1]"), ({"content": ["a", [999_999]]}, "content[1][0]")],
)
def test_unknown_tokens_are_named(server: Server, body: dict[str, object], name: str) -> None:
    response = post(server, "/embedding", **body)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert response.json()["error"]["message"].startswith(f"{name}: 999999 ")


def test_a_text_that_does_not_fit_is_refused_with_both_numbers(server: Server) -> None:
    error = post(server, "/embedding", content=["short", "word " * 3000]).json()["error"]
    assert (error["code"], error["type"], error["n_ctx"]) == (400, "exceed_context_size_error", 2048)
    assert error["n_prompt_tokens"] > 3000
    assert error["message"].startswith("content[1]: ")


def test_a_model_without_infill_tokens_says_so(server: Server) -> None:
    response = post(server, "/infill", input_prefix="def f(", input_suffix=")")
    assert (response.status_code, response.json()["error"]["type"]) == (501, "not_supported_error")


def test_metrics_count_what_was_generated(server: Server) -> None:
    before = _metrics(server)
    assert post(server, "/completion", prompt="Once", n_predict=5, ignore_eos=True).json()["tokens_predicted"] == 5
    after = _metrics(server)
    # Other tests may use the server at the same time.
    assert after["llamacpp:tokens_predicted_total"] >= before["llamacpp:tokens_predicted_total"] + 5
    assert after["llamacpp:prompt_tokens_total"] > before["llamacpp:prompt_tokens_total"]
    assert 0 < after["llamacpp:kv_cache_usage_ratio"] <= 1


def test_props_show_the_defaults(server: Server) -> None:
    props = requests.get(server.rest_url + "/props", timeout=PATIENCE_S).json()
    assert (props["total_slots"], props["user_name"], props["assistant_name"]) == (4, "", "")
    defaults = props["default_generation_settings"]
    assert (defaults["n_ctx"], defaults["n_predict"], defaults["seed"], defaults["stream"]) == (2048, -1, -1, True)
    assert defaults["temperature"] == 0.800000011920929


def test_a_server_starts_with_the_system_prompt_of_a_file(system_server: Server) -> None:
    props = requests.get(system_server.rest_url + "/props", timeout=PATIENCE_S).json()
    assert (props["user_name"], props["assistant_name"]) == ("User:", "Bot:")
    answer = post(system_server, "/completion", prompt="User: Hi\nBot:", n_predict=4).json()
    assert answer["tokens_predicted"] <= 4


def test_what_is_switched_off_says_so(system_server: Server) -> None:
    embedding = post(system_server, "/embedding", content="a")
    assert (embedding.status_code, embedding.json()["error"]["type"]) == (501, "not_supported_error")
    assert "--embedding" in embedding.json()["error"]["message"]
    for path in ("/slots", "/metrics"):
        assert requests.get(system_server.rest_url + path, timeout=PATIENCE_S).status_code == 404
    health = requests.get(system_server.rest_url + "/health?include_slots", timeout=PATIENCE_S).json()
    assert "slots" not in health


def _metrics(server: Server) -> dict[str, Any]:
    text = requests.get(server.rest_url + "/metrics", timeout=PATIENCE_S).text
    pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}
