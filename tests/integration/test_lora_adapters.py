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
    from pathlib import Path

ADAPTERS = (
    AdapterInfo("/adapters/verse.gguf", "aa", 1000.0, "verse", "Sing: "),
    AdapterInfo("/adapters/prose.gguf", "bb", 1000.0),
)


@pytest.fixture
def slots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slots")


@pytest.fixture
def service(slots: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    folder, load = tmp_path_factory.mktemp("core"), load_scripted(adapters=ADAPTERS)
    service = ScriptedService(folder, RestConfig(), load=load, slot_save_path=str(slots))
    yield service
    service.close()


def listed(service: ScriptedService) -> Any:
    answer = requests.get(service.adapter.url + "/lora-adapters", timeout=WAIT_S)
    assert answer.status_code == 200
    return answer.json()


def post(service: ScriptedService, body: object) -> requests.Response:
    return requests.post(service.adapter.url + "/lora-adapters", json=body, timeout=WAIT_S)


def ask(service: ScriptedService, body: object, query: str = "", path: str = "/completion") -> requests.Response:
    return requests.post(service.adapter.url + path + query, json=body, timeout=WAIT_S)


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
        ([{"id": 0.5, "scale": 1}], "[0].id: 0.5 is not an integer from 0 to 4294967295"),
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
    assert requests.post(url + "restore", json=body, timeout=WAIT_S).status_code == 200
    # It is found by who has these scales.
    for lora, n_cached in (([], 0), ([{"id": 1, "scale": 0.5}], 0), ([{"id": 0, "scale": 0.5}], 7)):
        slot_id = 0 if n_cached else 1
        sent = {"prompt": "Hi there", "n_predict": 1, "lora": lora, "id_slot": slot_id}
        answer = ask(service, sent, "?shape=now")
        assert answer.json()["timings"]["cache_n"] == n_cached


def test_slot_files_for_other_adapters_are_refused(
    service: ScriptedService, slots: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    body = {"filename": "a"}
    ask(service, {"prompt": "Hi there", "n_predict": 1, "id_slot": 0, "lora": [{"id": 0, "scale": 0.5}]})
    saved = ask(service, body, "?action=save", "/slots/0")
    assert saved.status_code == 200
    folder, load = tmp_path_factory.mktemp("core"), load_scripted(adapters=ADAPTERS[1:])
    other = ScriptedService(folder, RestConfig(), load=load, slot_save_path=str(slots))
    try:
        refused = ask(other, body, "?action=restore", "/slots/0")
    finally:
        other.close()
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "filename: names a file for the LoRA adapter aa with the scale 0.5, which this server has not"
    )


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


BODIES = {
    "/completion": {"prompt": "Hello", "n_predict": 4, "temperature": 0},
    "/infill": {"input_prefix": "Hello", "input_suffix": "", "n_predict": 4, "temperature": 0},
    "/v1/completions": {"prompt": "Hello", "max_tokens": 4, "temperature": 0},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0},
    "/v1/responses": {"input": "Hello", "max_output_tokens": 16, "temperature": 0},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0},
}


def text_of(answer: Any) -> str:
    match answer:
        case {"choices": [{"text": str(text)}]} | {"choices": [{"message": {"content": str(text)}}]}:
            return text
        case {"output": [{"content": [{"text": str(text)}]}]} | {"content": [{"text": str(text)}]}:
            return text
        case {"content": str(text)}:
            return text
    raise AssertionError(answer)


def moved(text: str, by: int) -> str:
    return "".join(chr(ord("a") + (ord(letter) - ord("a") + by) % 26) for letter in text)


@pytest.mark.parametrize("path", [path for path in BODIES if path != "/infill"])
@pytest.mark.parametrize("shape", ["", "?shape=now"])
def test_a_request_has_scales_of_its_own(service: ScriptedService, path: str, shape: str) -> None:
    plain = text_of(ask(service, BODIES[path], shape, path).json())
    adapted = ask(service, {**BODIES[path], "lora": [{"id": 0, "scale": 0.1}, {"id": 1, "scale": 0.2}]}, shape, path)
    assert adapted.status_code == 200
    assert text_of(adapted.json())[0] == moved(plain[0], 3)
    for own in ([], None, [{"id": 0, "scale": 0}]):
        assert text_of(ask(service, {**BODIES[path], "lora": own}, shape, path).json()) == plain
    assert [adapter["scale"] for adapter in listed(service)] == [0, 0]


def test_settings_of_today_tell_own_scales(service: ScriptedService) -> None:
    body = {"prompt": "Hello", "n_predict": 1, "lora": [{"id": 1, "scale": 0.5}]}
    answer = ask(service, body, "?shape=now").json()
    assert answer["generation_settings"]["lora"] == [{"id": 0, "scale": 0}, {"id": 1, "scale": 0.5}]
    del body["lora"]
    assert ask(service, body, "?shape=now").json()["generation_settings"]["lora"] == []
    assert "lora" not in ask(service, body).json()["generation_settings"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("lora", "problem"),
    [
        ({}, "lora: {} is not an array of objects with id and scale"),
        ([5], "lora[0]: 5 is not an object"),
        ([{"scale": 1}], "lora[0].id: is missing"),
        ([{"id": 0}], "lora[0].scale: is missing"),
        ([{"id": "x", "scale": 1}], 'lora[0].id: "x" is not an integer'),
        ([{"id": True, "scale": 1}], "lora[0].id: true is not a number"),
        ([{"id": 0.5, "scale": 1}], "lora[0].id: 0.5 is not an integer from 0 to 4294967295"),
        ([{"id": 0, "scale": "x"}], 'lora[0].scale: "x" is not a finite number'),
        ([{"id": 2, "scale": 1}], "lora[0].id: is 2; allowed: 0 to 1"),
        ([{"id": 0, "scale": 1}, {"id": 0, "scale": 2}], "lora[1].id: is 0, which entry 0 names already"),
        ([{"id": 0, "scale": 1001}], "lora[0].scale: is 1001; allowed: -1000 to 1000"),
    ],
)
def test_errors_name_what_is_wrong_with_own_scales(
    service: ScriptedService, path: str, lora: object, problem: str
) -> None:
    answer = ask(service, {**BODIES[path], "lora": lora}, path=path)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/embedding", "/v1/embeddings"])
def test_embeddings_have_the_scales_of_everybody(service: ScriptedService, path: str) -> None:
    body = {"content": "Hello", "input": "Hello", "lora": [{"id": 0, "scale": 1}]}
    answer = ask(service, body, path=path)
    assert answer.status_code == 400
    assert "lora" in answer.json()["error"]["message"]
    assert "POST /lora-adapters scales them for everybody" in answer.json()["error"]["message"]


def test_the_python_client_sends_own_scales(service: ScriptedService) -> None:
    with Client(service.core.server.addresses[0]) as client:
        plain = client.complete("Hello", max_tokens=1, temperature=0.0).text
        assert client.complete("Hello", max_tokens=1, temperature=0.0, lora={0: 0.25}).text == moved(plain, 2)
        client.set_lora_scales({1: 0.5})
        assert client.complete("Hello", max_tokens=1, temperature=0.0).text == moved(plain, 5)
        # Nothing is named: no adapter is applied.
        assert client.complete("Hello", max_tokens=1, temperature=0.0, lora={}).text == plain
        for wrong, problem in (
            ({2: 1.0}, r"lora\.scales\[0\]\.id: is 2; allowed: 0 to 1"),
            ({0: float("nan")}, r"lora\.scales\[0\]\.scale: is nan; allowed: -1000 to 1000"),
            ({0: float("-inf")}, r"lora\.scales\[0\]\.scale: is -inf; allowed: -1000 to 1000"),
        ):
            with pytest.raises(SlotlineError, match=problem):
                client.complete("Hello", lora=wrong)


def test_a_model_without_adapters_refuses_own_scales(tmp_path_factory: pytest.TempPathFactory) -> None:
    service = ScriptedService(tmp_path_factory.mktemp("core"), RestConfig(), field_names={"lora": "--lora"})
    try:
        for path, body in BODIES.items():
            answer = ask(service, {**body, "lora": [{"id": 0, "scale": 1}]}, path=path)
            assert answer.status_code == 400, (path, answer.text)
            message = answer.json()["error"]["message"]
            assert message == "lora[0].id: this model has no LoRA adapters; start the server with --lora"
        assert ask(service, {**BODIES["/completion"], "lora": []}).status_code == 200
    finally:
        service.close()
