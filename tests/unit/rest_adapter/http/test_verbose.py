"""What the log of a verbose adapter shows, and what the log of any other does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import DETOKENIZE
from slotline.v1.tokenization_pb2 import DetokenizeResponse
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, client_of

if TYPE_CHECKING:
    import pytest

SECRET = "nobody's business"


def _logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of the records about bodies."""
    return [
        {"msg": record.getMessage(), **{key: vars(record).get(key) for key in ("path", "status", "body")}}
        for record in caplog.records
        if record.name == "rest_adapter.http.verbose"
    ]


def _core() -> MemoryCore:
    return MemoryCore(answer, unary={DETOKENIZE.path: DetokenizeResponse(text=SECRET)})


def test_bodies_are_logged_with_their_path_and_status(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "rest_adapter")
    response = client_of(_core()).post("/detokenize", data=b'{"tokens":[5],"x":"y"}')
    assert _logged(caplog) == [
        {"msg": "request body", "path": "/detokenize", "status": None, "body": '{"tokens":[5],"x":"y"}'},
        {"msg": "response body", "path": "/detokenize", "status": 200, "body": response.text},
    ]
    assert SECRET in response.text


def test_a_body_that_is_not_text_is_logged_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "rest_adapter")
    assert client_of(_core()).post("/detokenize", data=b"\xff").status_code == 400
    assert _logged(caplog)[0]["body"] == "\ufffd"


def test_a_stream_is_not_collected_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "rest_adapter")
    response = client_of(_core()).post("/completion", json={"prompt": SECRET, "stream": True})
    assert response.text.startswith("data: ")
    assert [record["msg"] for record in _logged(caplog)] == ["request body"]


def test_keys_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(_core(), RestConfig(api_keys=("sk-12345678",)))
    for key in ("sk-12345678", "sk-87654321"):
        client.post("/detokenize", json={"tokens": [5]}, headers={"Authorization": f"Bearer {key}"})
    assert _logged(caplog)
    assert "sk-" not in " ".join(str(vars(record)) for record in caplog.records)


def test_without_verbose_neither_prompts_nor_answers_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = client_of(_core())
    assert SECRET in client.post("/detokenize", json={"tokens": [5]}).text
    assert client.post("/completion", json={"prompt": SECRET}).status_code == 200
    assert SECRET not in " ".join(str(vars(record)) for record in caplog.records)
