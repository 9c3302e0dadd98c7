"""The answer of GET /v1/models."""

from __future__ import annotations

from rest_adapter.apis.openai.models.reply_2024 import models_json
from rest_adapter.json.encoding import encode
from slotline.v1.model_pb2 import (
    Model,
)


def test_models() -> None:
    assert encode(models_json([Model(name="a"), Model(name="b")], now=1709110000)).decode() == (
        '{"data":[{"created":1709110000,"id":"a","object":"model","owned_by":"llamacpp"},'
        '{"created":1709110000,"id":"b","object":"model","owned_by":"llamacpp"}],"object":"list"}'
    )
