"""Slots as files over REST and gRPC, on a core with the scripted model: answers, tenants, waiting, errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import requests

from rest_adapter.config import RestConfig
from service.config import ModelConfig
from service.engine.request.media import MediaRow
from service.slot_files import layout
from slotline.v1 import model_service_pb2_grpc
from slotline.v1.slot_files_pb2 import RestoreSlotRequest, SaveSlotRequest
from tests.support.scripted_core import WAIT_S
from tests.support.scripted_service import ScriptedService
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINE, OTHERS, ADAPTER = "key-of-mine", "key of others", "key-of-the-adapter"
PROMPT = "a prompt that is long enough to be worth its cells"
#: Slots so long that a text runs for as long as a test wants.
MODEL = ModelConfig(path="/models/scripted.gguf", n_ctx=1 << 20, n_parallel=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "slots"
    folder.mkdir()
    return folder


@pytest.fixture
def service(tmp_path: Path, folder: Path) -> Iterator[ScriptedService]:
    """A service as ``slotline serve`` starts it with two keys."""
    service = ScriptedService(
        tmp_path,
        RestConfig(api_keys=(MINE, OTHERS), core_api_key=ADAPTER),
        model=MODEL,
        api_keys=(MINE, OTHERS),
        adapter_key=ADAPTER,
        slot_save_path=str(folder),
    )
    yield service
    service.close()


def post(service: ScriptedService, path: str, key: str = MINE, **body: object) -> requests.Response:
    return send(service, path, key, body)


def send(service: ScriptedService, path: str, key: str, body: object = None) -> requests.Response:
    """The answer to a POST with a body in JSON, or without any."""
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(service.adapter.url + path, json=body, headers=headers, timeout=WAIT_S)


def complete(service: ScriptedService, slot_id: int, prompt: str = PROMPT, key: str = MINE, **body: Any) -> int:
    """Run a prompt in a slot; how many tokens of it were cached."""
    options = {"n_predict": 1, "temperature": 0, "id_slot": slot_id, **body}
    answer = post(service, "/completion", key, prompt=prompt, **options).json()
    assert answer["slot_id"] == slot_id
    return int(answer["tokens_evaluated"] - answer["timings"]["prompt_n"])


def act(
    service: ScriptedService, slot_id: int | str, action: str, filename: str | None = "a.bin", key: str = MINE
) -> Any:
    """The JSON of an action, with its status."""
    body = None if filename is None else {"filename": filename}
    answer = send(service, f"/slots/{slot_id}?action={action}", key, body)
    return {"status": answer.status_code, **answer.json()}


def test_a_slot_is_saved_erased_and_restored(service: ScriptedService, folder: Path) -> None:
    complete(service, 1)
    saved = act(service, 1, "save")
    assert saved.pop("timings")["save_ms"] > 0
    n_bytes = (folder / "a.bin").stat().st_size
    assert saved == {"status": 200, "id_slot": 1, "filename": "a.bin", "n_saved": len(PROMPT), "n_written": n_bytes}
    assert act(service, 1, "erase", None) == {"status": 200, "id_slot": 1, "n_erased": len(PROMPT)}
    assert complete(service, 0) == 0
    assert act(service, 0, "erase", None)["n_erased"] == len(PROMPT)
    restored = act(service, 2, "restore")
    assert restored.pop("timings")["restore_ms"] > 0
    assert restored == {
        "status": 200,
        "id_slot": 2,
        "filename": "a.bin",
        "n_restored": len(PROMPT),
        "n_read": n_bytes,
    }
    assert complete(service, 2) == len(PROMPT) - 1


def test_files_belong_to_the_key_that_saved_them(service: ScriptedService) -> None:
    complete(service, 1)
    refused = act(service, 1, "save", key=OTHERS)
    assert (refused["status"], refused["error"]["message"]) == (403, "slot_id: slot 1 holds what another API key sent")
    assert act(service, 1, "erase", key=OTHERS)["status"] == 403
    assert act(service, 1, "save")["status"] == 200
    refused = act(service, 0, "restore", key=OTHERS)
    assert refused["status"] == 403
    assert refused["error"]["message"] == "filename: names a file that was saved with another API key"
    assert act(service, 1, "erase")["status"] == 200
    assert act(service, 0, "restore")["status"] == 200
    assert complete(service, 0, key=OTHERS) == 0


def test_the_same_key_is_the_same_over_grpc(service: ScriptedService) -> None:
    complete(service, 1)
    with grpc.insecure_channel(service.core.server.addresses[0]) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        saved = stub.SaveSlot(
            SaveSlotRequest(slot_id=1, filename="over-grpc"), metadata=(("authorization", f"Bearer {MINE}"),)
        )
        assert saved.saved_tokens == len(PROMPT)
        with pytest.raises(grpc.RpcError) as caught:
            stub.RestoreSlot(
                RestoreSlotRequest(slot_id=1, filename="over-grpc"), metadata=(("authorization", f"Bearer {OTHERS}"),)
            )
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert act(service, 0, "restore", "over-grpc")["n_restored"] == len(PROMPT)


def test_a_salt_is_restored_with_its_prompt(service: ScriptedService) -> None:
    complete(service, 1, cache_salt="x")
    act(service, 1, "save")
    act(service, 1, "erase")
    act(service, 2, "restore")
    assert complete(service, 0) == 0
    assert complete(service, 2, cache_salt="x") == len(PROMPT) - 1


def test_a_busy_slot_is_waited_for_and_the_wait_ends_with_the_caller(service: ScriptedService, folder: Path) -> None:
    headers = {"Authorization": f"Bearer {MINE}"}
    endless = {"prompt": PROMPT, "n_predict": 1_000_000, "temperature": 0, "id_slot": 1, "stream": True}
    core = service.core.server.core
    with (
        requests.post(
            service.adapter.url + "/completion", json=endless, headers=headers, stream=True, timeout=WAIT_S
        ) as stream,
        ThreadPoolExecutor() as pool,
    ):
        # Kept, because the connection ends with it.
        lines = stream.iter_lines()
        assert next(lines)
        with pytest.raises(requests.ReadTimeout):
            requests.post(
                service.adapter.url + "/slots/1?action=save", json={"filename": "a"}, headers=headers, timeout=0.3
            )
        wait_until("nobody waits any more", lambda: core.snapshot().queue_depth == 0)
        saving = pool.submit(act, service, 1, "save", "b")
        wait_until("it waits", lambda: core.snapshot().queue_depth == 1)
        assert act(service, 0, "erase")["status"] == 200, "other slots are not waited for"
        stream.close()
        assert saving.result()["n_saved"] > len(PROMPT)
    assert [path.name for path in folder.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/slots/1", {}, "action: is missing in the query; allowed: save, restore, erase"),
        ("/slots/1?action=", {}, 'action: "" is not one of save, restore, erase'),
        ("/slots/1?action=drop", {}, 'action: "drop" is not one of save, restore, erase'),
        ("/slots/x?action=save", {"filename": "a"}, 'id_slot: "x" is not the number of a slot, from 0'),
        ("/slots/-1?action=save", {"filename": "a"}, 'id_slot: "-1" is not the number of a slot, from 0'),
        ("/slots/99999999999999?action=save", {"filename": "a"}, "is not the number of a slot, from 0"),
        ("/slots/4?action=save", {"filename": "a"}, "id_slot: is 4; allowed: 0 to 3"),
        ("/slots/1?action=save", {}, "filename: is missing; the name of a file is needed"),
        ("/slots/1?action=save", {"filename": 5}, "filename: 5 is not a string"),
        ("/slots/1?action=save", {"filename": "../a"}, "filename: is '../a'; allowed: 1 to 128 letters"),
        ("/slots/1?action=restore", {"filename": ".a"}, "filename: is '.a'; allowed: 1 to 128 letters"),
        ("/slots/3?action=save", {"filename": "a"}, "id_slot: is 3, but that slot holds nothing"),
        ("/slots/1?action=restore", {"filename": "none"}, "filename: 'none' names no file"),
        ("/slots/1?action=restore", {"filename": "text"}, "filename: 'text' is no slot file"),
    ],
)
def test_errors_name_what_is_wrong(
    service: ScriptedService, folder: Path, path: str, body: dict[str, Any], problem: str
) -> None:
    (folder / "text").write_text("a text")
    answer = post(service, path, **body)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["message"]
    service.check_answers()


def test_other_models_and_too_many_tokens_are_refused(service: ScriptedService, folder: Path, tmp_path: Path) -> None:
    complete(service, 1)
    act(service, 1, "save")
    contents = (folder / "a.bin").read_bytes()
    (folder / "b.bin").write_bytes(contents.replace(b'"format": "scripted"', b'"format": "sculptur"'))
    refused = act(service, 1, "restore", "b.bin")
    assert refused["error"]["message"] == ("filename: names a file for sculptur; this server needs one for scripted")
    (tmp_path / "small").mkdir()
    small = ScriptedService(
        tmp_path / "small",
        RestConfig(api_keys=(MINE,), core_api_key=ADAPTER),
        model=ModelConfig(path="/models/scripted.gguf", n_ctx=32, n_parallel=1),
        api_keys=(MINE,),
        adapter_key=ADAPTER,
        slot_save_path=str(folder),
    )
    try:
        refused = act(small, 0, "restore")
    finally:
        small.close()
    assert (refused["status"], refused["error"]["type"]) == (400, "exceed_context_size_error")
    assert f"filename: has {len(PROMPT)} tokens, but a slot of this server holds 32" in refused["error"]["message"]


def test_a_file_with_pictures_needs_a_model_that_sees(service: ScriptedService, folder: Path) -> None:
    complete(service, 1)
    act(service, 1, "save")
    with (folder / "a.bin").open("rb") as file:
        head, items, packed = layout.read(file, lambda head: None)
    row = MediaRow(b"digest of a picture", 0, 0, 1)
    with (folder / "b.bin").open("wb") as file:
        layout.write(file, replace(head, media=layout.media_of([row])), [row, *items[1:]], [packed])
    refused = act(service, 0, "restore", "b.bin")
    assert (refused["status"], refused["error"]["message"]) == (
        400,
        "filename: names a file with pictures. Cannot restore media tokens without an mmproj; start the server with "
        "`mmproj`",
    )
    assert complete(service, 0, "new") == 0


def test_without_a_directory_the_option_is_named(tmp_path: Path) -> None:
    service = ScriptedService(tmp_path, RestConfig(), model=MODEL, field_names={"slot_save_path": "--slot-save-path"})
    try:
        for action in ("save", "restore", "erase"):
            refused = act(service, 0, action)
            assert (refused["status"], refused["error"]["type"]) == (501, "not_supported_error")
            assert refused["error"]["message"] == (
                "slots cannot be saved, restored or erased here; start the server with --slot-save-path"
            )
    finally:
        service.close()
