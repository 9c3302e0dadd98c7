"""LoRA adapters over REST and gRPC: on the scripted model, whose letters they move, and with llama.cpp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from rest_adapter.config import RestConfig
from service.model_facts import AdapterInfo
from slotline.client import Client, SlotlineError
from tests.support.scripted_core import WAIT_S, load_scripted
from tests.support.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Iterator

ADAPTERS = (
    AdapterInfo("/adapters/verse.gguf", "aa", 1000.0, "verse", "Sing: "),
    AdapterInfo("/adapters/prose.gguf", "bb", 1000.0),
)


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    folder = tmp_path_factory.mktemp("core")
    (folder / "slots").mkdir()
    service = ScriptedService(
        folder, RestConfig(), load=load_scripted(adapters=ADAPTERS), slot_save_path=str(folder / "slots")
    )
    yield service
    service.close()


def listed(service: ScriptedService) -> Any:
    answer = requests.get(service.adapter.url + "/lora-adapters", timeout=WAIT_S)
    assert answer.status_code == 200
    return answer.json()


def post(service: ScriptedService, body: object) -> requests.Response:
    return requests.post(service.adapter.url + "/lora-adapters", json=body, timeout=WAIT_S)


def first_letter(service: ScriptedService) -> str:
    text: str = service.complete(n_predict=1).json()["content"]
    return text


def test_scales_are_listed_and_set(service: ScriptedService) -> None:
    assert listed(service) == [
        {"id": 0, "path": "/adapters/verse.gguf", "scale": 0, "task_name": "verse", "prompt_prefix": "Sing: "},
        {"id": 1, "path": "/adapters/prose.gguf", "scale": 0, "task_name": "", "prompt_prefix": ""},
    ]
    plain = first_letter(service)
    answer = post(service, [{"id": 1, "scale": 0.5}])
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert [adapter["scale"] for adapter in listed(service)] == [0, 0.5]
    assert ord(first_letter(service)) in (ord(plain) + 5, ord(plain) + 5 - 26)
    # Who is not named gets 0.
    post(service, [{"id": 0, "scale": 1}])
    assert [adapter["scale"] for adapter in listed(service)] == [1, 0]
    assert post(service, []).status_code == 200
    assert first_letter(service) == plain


def test_the_python_client_lists_and_sets_scales(service: ScriptedService) -> None:
    with Client(service.core.server.addresses[0]) as client:
        client.set_lora_scales({1: 0.25})
        assert [adapter.scale for adapter in client.lora_adapters()] == [0.0, 0.25]
        with pytest.raises(SlotlineError, match=r"scales\[0\]\.id: is 2; allowed: 0 to 1"):
            client.set_lora_scales({2: 1.0})
        client.set_lora_scales({})
        assert [adapter.scale for adapter in client.lora_adapters()] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "body: {} is not an array of objects with id and scale"),
        ([5], "[0]: 5 is not an object"),
        ([{"scale": 1}], "[0].id: is missing"),
        ([{"id": 0}], "[0].scale: is missing"),
        ([{"id": "x", "scale": 1}], '[0].id: "x" is not an integer'),
        ([{"id": True, "scale": 1}], "[0].id: true is not a number"),
        ([{"id": 0, "scale": "x"}], '[0].scale: "x" is not a finite number'),
        ([{"id": 2, "scale": 1}], "[0].id: is 2; allowed: 0 to 1"),
        ([{"id": -1, "scale": 1}], "[0].id: -1 is not an integer from 0"),
        ([{"id": 0, "scale": 1}, {"id": 0, "scale": 2}], "[1].id: is 0, which [0] names already"),
        ([{"id": 0, "scale": 1001}], "[0].scale: is 1001; allowed: -1000 to 1000"),
    ],
)
def test_errors_name_what_is_wrong(service: ScriptedService, body: object, problem: str) -> None:
    answer = post(service, body)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["message"]
    assert [adapter["scale"] for adapter in listed(service)] == [0, 0]


def test_scales_that_are_no_numbers_are_refused(service: ScriptedService) -> None:
    answer = requests.post(service.adapter.url + "/lora-adapters", data='[{"id":0,"scale":NaN}]', timeout=WAIT_S)
    assert answer.status_code == 400
    with Client(service.core.server.addresses[0]) as client:
        for scale in (float("nan"), float("inf")):
            with pytest.raises(SlotlineError, match=r"scales\[0\]\.scale: is (nan|inf); allowed: -1000 to 1000"):
                client.set_lora_scales({0: scale})


def test_slot_files_are_for_adapters_and_their_scales(service: ScriptedService) -> None:
    url = service.adapter.url + "/slots/0?action="
    body = {"filename": "a"}
    post(service, [{"id": 0, "scale": 0.5}])
    requests.post(
        service.adapter.url + "/completion", json={"prompt": "Hi there", "n_predict": 1, "id_slot": 0}, timeout=WAIT_S
    )
    assert requests.post(url + "save", json=body, timeout=WAIT_S).status_code == 200
    post(service, [])
    refused = requests.post(url + "restore", json=body, timeout=WAIT_S)
    assert refused.json()["error"]["message"] == (
        "filename: names a file for scripted, LoRA aa x 0.5; this server needs one for scripted"
    )
    post(service, [{"id": 0, "scale": 0.5}])
    assert requests.post(url + "restore", json=body, timeout=WAIT_S).status_code == 200


def test_a_model_without_adapters_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    service = ScriptedService(tmp_path_factory.mktemp("core"), RestConfig(), field_names={"lora": "--lora"})
    try:
        assert listed(service) == []
        assert post(service, []).status_code == 200
        refused = post(service, [{"id": 0, "scale": 1}])
        assert refused.status_code == 501
        assert refused.json()["error"]["message"] == ("this model has no LoRA adapters; start the server with --lora")
    finally:
        service.close()
