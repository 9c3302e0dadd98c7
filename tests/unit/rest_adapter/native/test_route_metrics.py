"""GET /metrics over a core in memory."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rest_adapter.api_shape import ApiShape
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_METRICS
from slotline.v1.model_pb2 import (
    GetMetricsRequest,
    GetMetricsResponse,
)
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, client_of, error_of

FRESH_METRICS = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 0
# HELP llamacpp:tokens_predicted_total Number of generation tokens processed.
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 0
# HELP llamacpp:prompt_tokens_seconds Average prompt throughput in tokens/s.
# TYPE llamacpp:prompt_tokens_seconds gauge
llamacpp:prompt_tokens_seconds 0.0
# HELP llamacpp:predicted_tokens_seconds Average generation throughput in tokens/s.
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 0.0
# HELP llamacpp:kv_cache_usage_ratio KV-cache usage. 1 means 100 percent usage.
# TYPE llamacpp:kv_cache_usage_ratio gauge
llamacpp:kv_cache_usage_ratio 0.0
# HELP llamacpp:kv_cache_tokens KV-cache tokens.
# TYPE llamacpp:kv_cache_tokens gauge
llamacpp:kv_cache_tokens 0
# HELP llamacpp:requests_processing Number of request processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 0
# HELP llamacpp:requests_deferred Number of request deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 0
"""


OWN_METRICS = """\
# HELP slotline_rest_responses_total HTTP responses by route and status.
# TYPE slotline_rest_responses_total counter
# HELP slotline_rest_requests_running Generations and embeddings that run or wait.
# TYPE slotline_rest_requests_running gauge
slotline_rest_requests_running 0
"""


METRICS_NOW = """\
prompt_tokens_total counter 110
prompt_tokens_cached_total counter 40
prompt_seconds_total counter 4.5
tokens_predicted_total counter 30
tokens_predicted_seconds_total counter 1.5
n_decode_total counter 8
n_tokens_max counter 77
spec_decode_num_draft_tokens_total counter 50
spec_decode_num_accepted_tokens_total counter 20
spec_decode_num_drafts_total counter 9
prompt_tokens_seconds gauge 22.5
predicted_tokens_seconds gauge 20.0
requests_processing gauge 2
requests_deferred gauge 3
n_busy_slots_per_decode gauge 1.25
"""


def with_metrics(**values: Any) -> MemoryCore:
    return MemoryCore(answer, {GET_METRICS.path: GetMetricsResponse(**values)})


def test_metrics_of_a_fresh_server_to_the_byte() -> None:
    core = with_metrics()
    response = client_of(core, RestConfig(metrics=True)).get("/metrics")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain; version=0.0.4")
    assert response.data.decode() == FRESH_METRICS + OWN_METRICS
    assert core.unary_requests == [GetMetricsRequest(reset_window=True)]


def test_metrics_can_be_read_without_a_new_window() -> None:
    core = with_metrics()
    assert client_of(core, RestConfig(metrics=True)).get("/metrics?keep_window").status_code == 200
    assert core.unary_requests == [GetMetricsRequest(reset_window=False)]


def test_metrics_of_a_busy_server() -> None:
    core = with_metrics(
        prompt_tokens_total=12345,
        predicted_tokens_total=678,
        prompt_tokens_per_second=97.5609756097561,
        predicted_tokens_per_second=100,
        kv_cells_used=128,
        kv_cells_total=512,
        kv_tokens=130,
        requests_processing=2,
        requests_deferred=3,
    )
    lines = client_of(core, RestConfig(metrics=True)).get("/metrics").data.decode().splitlines()
    assert [line.removeprefix("llamacpp:") for line in lines if line.startswith("llamacpp:")] == [
        "prompt_tokens_total 12345",
        "tokens_predicted_total 678",
        "prompt_tokens_seconds 97.5609756097561",
        "predicted_tokens_seconds 100.0",
        "kv_cache_usage_ratio 0.25",
        "kv_cache_tokens 130",
        "requests_processing 2",
        "requests_deferred 3",
    ]


def test_metrics_of_a_busy_server_in_the_shape_of_today() -> None:
    core = with_metrics(
        prompt_tokens_total=100,
        embedded_tokens_total=10,
        cached_prompt_tokens_total=40,
        prompt_seconds_total=4.5,
        predicted_tokens_total=30,
        predicted_seconds_total=1.5,
        model_calls_total=8,
        sequences_per_model_call=1.25,
        longest_sequence_tokens=77,
        drafts_total=9,
        drafted_tokens_total=50,
        accepted_tokens_total=20,
        prompt_tokens_per_second=22.5,
        predicted_tokens_per_second=20,
        requests_processing=2,
        requests_deferred=3,
        started_unix_s=1795380879,
    )
    response = client_of(core, RestConfig(metrics=True, api_shape=ApiShape.NOW)).get("/metrics")
    assert response.headers["Process-Start-Time-Unix"] == "1795380879"
    lines = response.data.decode().splitlines()
    types = dict(line.split()[2:] for line in lines if line.startswith("# TYPE llamacpp:"))
    values = [line.split() for line in lines if line.startswith("llamacpp:")]
    shown = [f"{name.removeprefix('llamacpp:')} {types[name]} {value}" for name, value in values]
    assert shown == METRICS_NOW.splitlines()
    assert all(f"# HELP {name} " in response.data.decode() for name in types)


@pytest.mark.parametrize(("exposition", "end"), [("", "running 0\n"), ("a 1", "\na 1\n"), ("a 1\n", "\na 1\n")])
def test_the_core_s_own_metrics_come_last(exposition: str, end: str) -> None:
    text = client_of(with_metrics(exposition=exposition), RestConfig(metrics=True)).get("/metrics").data.decode()
    assert text.endswith(end)


def test_responses_are_counted_by_route_and_status() -> None:
    client = client_of(with_metrics(), RestConfig(metrics=True))
    for _ in range(2):
        client.post("/completion", json={})
    client.post("/completion", data=b"{")
    client.get("/nope/1")
    client.get("/nope/2")
    client.open("/completion", method="BREW")
    running = client.post("/completion", json={"stream": True}, buffered=False)
    text = client.get("/metrics").data.decode()
    running.close()
    start = "slotline_rest_responses_total"
    assert [line.removeprefix(start) for line in text.splitlines() if line.startswith(start)] == [
        '{method="GET",route="other",status="404"} 2',
        '{method="POST",route="/completion",status="200"} 3',
        '{method="POST",route="/completion",status="400"} 1',
        '{method="other",route="other",status="405"} 1',
    ]
    assert text.endswith("slotline_rest_requests_running 1\n")


def test_metrics_parse_as_prometheus_text() -> None:
    client = client_of(with_metrics(exposition="# TYPE x gauge\nx 1\n"), RestConfig(metrics=True))
    client.get("/health")
    families = {family.name for family in text_string_to_metric_families(client.get("/metrics").data.decode())}
    assert {"llamacpp:prompt_tokens", "llamacpp:requests_deferred", "slotline_rest_responses", "x"} <= families


def test_metrics_are_off_unless_asked_for() -> None:
    response = client_of(with_metrics()).get("/metrics")
    assert response.status_code == 404
    assert error_of(response)["message"] == "/metrics: off; start the server with --metrics"
