"""Which method takes which request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from slotline.client.methods import method_of
from slotline.v1 import generation_pb2, model_pb2, rerank_pb2

SERVER = SimpleNamespace(inference=SimpleNamespace(Rerank="rerank"), models=SimpleNamespace(GetMetrics="metrics"))


def test_a_request_finds_its_method_in_either_service() -> None:
    assert method_of(SERVER, rerank_pb2.RerankRequest()) == "rerank"
    assert method_of(SERVER, model_pb2.GetMetricsRequest()) == "metrics"


@pytest.mark.parametrize("request_", [generation_pb2.GenerateRequest(), model_pb2.HealthResponse(), "a text"])
def test_what_has_not_one_answer_is_refused_with_what_has(request_: Any) -> None:
    with pytest.raises(TypeError, match="no method with one answer; allowed are EmbedRequest, RerankRequest, "):
        method_of(SERVER, request_)
