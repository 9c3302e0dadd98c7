"""Clients with different API keys get nothing of each other's prompts out of caches, over REST or gRPC."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import requests

from rest_adapter.config import RestConfig
from service.config import ModelConfig
from slotline.client import Client
from slotline.v1 import generation_pb2, inference_service_pb2_grpc, model_pb2, model_service_pb2_grpc
from tests.support.calls import GREEDY
from tests.support.scripted_core import WAIT_S, ByteVocabulary, FimTokens, ScriptedLoadedModel, scripted_model
from tests.support.scripted_service import ScriptedService

if TYPE_CHECKING:
    from pathlib import Path

MINE, OTHERS, ADAPTER = "key-of-mine", "key of others", "key-of-the-adapter"
SECRETS = ("4711", "0000", "9083")
# What the model says to a prompt that nobody has cached is of no interest; the counts are.
LENGTH = {"n_predict": 1, "max_tokens": 1, "temperature": 0}

Cached = Callable[..., int]


class Model(ScriptedLoadedModel):
    """The scripted model, which can fill gaps, too."""

    vocabulary = ByteVocabulary(fim_tokens=FimTokens())


def started(directory: Path, keys: tuple[str, ...], core_keys: tuple[str, ...], adapter_key: str | None) -> Any:
    """A service whose slots are so long that a text runs for as long as a test lasts."""
    return ScriptedService(
        directory,
        RestConfig(api_keys=keys, core_api_key=adapter_key or next(iter(core_keys), None)),
        load=lambda config, *, on_progress: scripted_model(config, kind=Model),
        model=ModelConfig(path="/models/scripted.gguf", n_ctx=1 << 20, n_parallel=4),
        api_keys=core_keys,
        adapter_key=adapter_key,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    """A service as ``slotline serve`` starts it with two keys."""
    service = started(tmp_path_factory.mktemp("core"), (MINE, OTHERS), (MINE, OTHERS), ADAPTER)
    yield service
    service.close()


def post(service: ScriptedService, path: str, key: str, body: dict[str, Any], **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"}
    answer = requests.post(service.adapter.url + path, json=body, headers=headers, timeout=WAIT_S, **options)
    assert answer.status_code == 200, answer.text
    return answer


def events(answer: requests.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith(b"data: {")]


def native(service: ScriptedService, key: str, prompt: str, **fields: Any) -> int:
    """Cached tokens as /completion tells them."""
    answer = post(service, "/completion", key, {"prompt": prompt, **LENGTH, **fields}).json()
    return int(answer["tokens_evaluated"] - answer["timings"]["prompt_n"])


def native_events(service: ScriptedService, key: str, prompt: str, **fields: Any) -> int:
    """Cached tokens as a stream of /completion tells them."""
    body = {"prompt": prompt, "stream": True, **LENGTH, **fields}
    last = events(post(service, "/completion", key, body, stream=True))[-1]
    return int(last["tokens_evaluated"] - last["timings"]["prompt_n"])


def infill(service: ScriptedService, key: str, prompt: str, **fields: Any) -> int:
    """Cached tokens as /infill tells them; a mark of the model comes before the prefix."""
    body = {"input_prefix": prompt, "input_suffix": "", **LENGTH, **fields}
    answer = post(service, "/infill", key, body).json()
    return int(answer["tokens_evaluated"] - answer["timings"]["prompt_n"])


def text(service: ScriptedService, key: str, prompt: str, **fields: Any) -> int:
    """Cached tokens as /v1/completions tells them."""
    usage = post(service, "/v1/completions", key, {"prompt": prompt, **LENGTH, **fields}).json()["usage"]
    return int(usage.get("prompt_tokens_details", {}).get("cached_tokens", 0))


def chat(service: ScriptedService, key: str, prompt: str, **fields: Any) -> int:
    """Cached tokens as a stream of /v1/chat/completions tells them."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    body = {"messages": [{"role": "user", "content": prompt}], **options, **LENGTH, **fields}
    usage = events(post(service, "/v1/chat/completions", key, body, stream=True))[-1]["usage"]
    return int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0))


def whole_chat(service: ScriptedService, key: str, prompt: str, **fields: Any) -> int:
    """Cached tokens as /v1/chat/completions tells them."""
    body = {"messages": [{"role": "user", "content": prompt}], **LENGTH, **fields}
    usage = post(service, "/v1/chat/completions", key, body).json()["usage"]
    return int(usage["prompt_tokens_details"]["cached_tokens"])


def over_grpc(service: ScriptedService, key: str | None, prompt: str, *, cache_salt: str = "", **named: str) -> int:
    """Cached tokens as Generate tells them; ``tenant`` is that of the metadata."""
    metadata = [] if key is None else [("authorization", f"Bearer {key}")]
    metadata += [(f"slotline-{name}", value) for name, value in named.items()]
    with grpc.insecure_channel(service.core.server.addresses[0]) as channel:
        request = generation_pb2.GenerateRequest(
            text=prompt,
            sampling=GREEDY,
            stop=generation_pb2.StopParams(max_tokens=1),
            cache=generation_pb2.CacheOptions(cache_salt=cache_salt),
        )
        stub: Any = inference_service_pb2_grpc.InferenceServiceStub(channel)
        *_, last = stub.Generate(request, metadata=metadata, timeout=WAIT_S)
    return int(last.finished.usage.cached_prompt_tokens)


ROUTES = [native, native_events, infill, text, chat, whole_chat, over_grpc]


def read_digits(service: ScriptedService, key: str, beginning: str, n_digits: int) -> str:
    """What a client can find out about the end of a prompt: the digit whose guess finds most in a cache, each time."""
    known = ""
    for _ in range(n_digits):
        counts = {digit: native(service, key, f"{beginning}{known}{digit}?") for digit in "0123456789"}
        best = max(counts, key=lambda digit: counts[digit])
        if list(counts.values()).count(counts[best]) != 1:
            return known
        known += best
    return known


@contextmanager
def running(service: ScriptedService, prompt: str, **fields: object) -> Iterator[None]:
    """While a text that begins with a prompt of mine is made, and nothing else at first."""
    service.wait_until_idle()
    body = {"prompt": prompt, "n_predict": 250_000, "stream": True, "ignore_eos": True, **fields}
    has_begun, is_enough = threading.Event(), threading.Event()

    def read() -> bool:
        """Read, or else the stream is ended; whether that was not all."""
        with post(service, "/completion", MINE, body, stream=True) as answer:
            for _ in answer.iter_content(65536):
                has_begun.set()
                if is_enough.is_set():
                    return True
        return False

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        reading.add_done_callback(lambda _: has_begun.set())
        try:
            assert has_begun.wait(WAIT_S)
            yield
        finally:
            is_enough.set()
        assert reading.result(), "the text came to its end before that of the test"


@pytest.mark.parametrize("secret", SECRETS)
def test_a_running_prompt_cannot_be_read_digit_by_digit_with_another_key(service: ScriptedService, secret: str) -> None:
    beginning = f"The number of safe {SECRETS.index(secret)} in our office, which nobody else may know, is "
    with running(service, f"{beginning}{secret}."):
        assert read_digits(service, OTHERS, beginning, len(secret)) == ""
        # Its own guesses, and no more.
        assert over_grpc(service, OTHERS, beginning + secret + "?") <= len(beginning) + 1
        # The attack is a good one: it finds everything that it may.
        assert read_digits(service, MINE, beginning, len(secret)) == secret


@pytest.mark.parametrize("cached", ROUTES)
def test_no_route_shares_caches_between_keys(service: ScriptedService, cached: Cached) -> None:
    prompt = f"{cached.__name__} begins with this text, which is long enough to be worth keeping for a while"
    assert cached(service, MINE, prompt) < len(prompt) // 2
    assert cached(service, OTHERS, prompt) < len(prompt) // 2
    assert cached(service, MINE, prompt) >= len(prompt) - 1
    assert cached(service, OTHERS, prompt) >= len(prompt) - 1


@pytest.mark.parametrize("cached", ROUTES)
def test_every_route_takes_a_salt(service: ScriptedService, cached: Cached) -> None:
    prompt = f"{cached.__name__} with a salt of its own has this text, which is long enough to be worth keeping"
    cached(service, MINE, prompt, cache_salt="a")
    assert cached(service, MINE, prompt) < len(prompt) // 2
    assert cached(service, MINE, prompt, cache_salt="b") < len(prompt) // 2
    assert cached(service, OTHERS, prompt, cache_salt="a") < len(prompt) // 2
    assert cached(service, MINE, prompt, cache_salt="a") >= len(prompt) - 1


def test_a_client_is_the_same_over_rest_and_grpc(service: ScriptedService) -> None:
    prompt = "What came over one of the two ways is in the cache for the other, too, but for nobody else"
    native(service, OTHERS, prompt)
    assert over_grpc(service, OTHERS, prompt) == len(prompt) - 1
    assert over_grpc(service, MINE, prompt) < len(prompt) // 2


def test_a_client_is_the_same_whichever_header_has_its_key(service: ScriptedService) -> None:
    prompt = "What came with one of the headers that hold keys is in the cache for the other header, too"
    native(service, MINE, prompt)
    body = {"prompt": prompt, **LENGTH}
    answer = requests.post(
        service.adapter.url + "/completion", json=body, headers={"X-Api-Key": MINE}, timeout=WAIT_S
    ).json()
    assert answer["timings"]["prompt_n"] == 1


def test_a_name_divides_what_a_key_may_share(service: ScriptedService) -> None:
    prompt = "A gateway with one key of its own serves many, who share nothing if it says whose call it makes"
    assert over_grpc(service, MINE, prompt, tenant="one") < len(prompt) // 2
    assert over_grpc(service, MINE, prompt, tenant="two") < len(prompt) // 2
    assert over_grpc(service, MINE, prompt) < len(prompt) // 2
    assert over_grpc(service, MINE, prompt, tenant="one") == len(prompt) - 1
    with pytest.raises(grpc.RpcError) as caught:
        over_grpc(service, MINE, prompt, tenant="two words")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def everything_about_slots(service: ScriptedService, key: str) -> list[str]:
    """All that a key is told about slots, over REST and gRPC."""
    headers = {"Authorization": f"Bearer {key}"}
    told = [
        requests.get(service.adapter.url + path, headers=headers, timeout=WAIT_S).text
        for path in ("/slots", "/slots?progress", "/health?include_slots")
    ]
    with grpc.insecure_channel(service.core.server.addresses[0]) as channel:
        stub: Any = model_service_pb2_grpc.ModelServiceStub(channel)
        metadata = [("authorization", f"Bearer {key}")]
        told.append(str(stub.ListSlots(model_pb2.ListSlotsRequest(), metadata=metadata, timeout=WAIT_S)))
    return told


def test_slots_show_a_prompt_to_its_sender_and_while_it_runs(service: ScriptedService) -> None:
    # A text as long as a grammar may be.
    grammar = f'root ::= "sEcret {"x" * 60_000}"'
    fields = {"grammar": grammar, "stop": ["sEcret!"], "penalty_prompt": "sEcret", "ignore_eos": False}
    with running(service, "A sEcret prompt", **fields):
        for told in everything_about_slots(service, MINE):
            assert "A sEcret prompt" in told
            assert "sEcret xxx" in told
        for told in everything_about_slots(service, OTHERS):
            assert "sEcret" not in told
        slots = requests.get(
            service.adapter.url + "/slots", headers={"Authorization": f"Bearer {OTHERS}"}, timeout=WAIT_S
        ).json()
        (busy,) = [slot for slot in slots if slot["state"] == 1]
        # The same keys as ever, without values.
        assert (busy["prompt"], busy["grammar"], busy["stop"], busy["penalty_prompt_tokens"]) == (None, "", [], [])
        assert busy["use_penalty_prompt_tokens"]
        assert busy["n_predict"] == 250_000
    service.wait_until_idle()
    for key in (MINE, OTHERS):
        assert not [told for told in everything_about_slots(service, key) if "sEcret" in told]


def test_slots_do_not_say_at_which_text_a_request_ended(service: ScriptedService) -> None:
    answer = post(service, "/completion", MINE, {"prompt": "abc", "n_predict": 50, "temperature": 0, "slot_id": 0})
    word = answer.json()["content"][3:6]
    body = {"prompt": "abc", "n_predict": 50, "temperature": 0, "stop": [word], "slot_id": 0}
    assert post(service, "/completion", MINE, body).json()["stopping_word"] == word
    service.wait_until_idle()
    slots = requests.get(service.adapter.url + "/slots", headers={"Authorization": f"Bearer {MINE}"}, timeout=WAIT_S)
    next_token = slots.json()[0]["next_token"]
    assert (next_token["stopped_word"], next_token["stopping_word"]) == (True, "")


def test_without_keys_slots_show_prompts_to_everybody_while_they_run(tmp_path: Path) -> None:
    service = started(tmp_path, (), (), None)
    try:
        with running(service, "An open prompt"):
            assert all("An open prompt" in told for told in everything_about_slots(service, "whatever"))
        service.wait_until_idle()
        assert not any("An open prompt" in told for told in everything_about_slots(service, "whatever"))
    finally:
        service.close()


def test_the_python_client_says_whom_it_calls_for(service: ScriptedService) -> None:
    prompt = "What one of the tenants of the client has sent is in the cache for this one only"

    def cached(tenant: str | None) -> int:
        with Client(service.core.server.addresses[0], api_key=MINE, deadline_s=WAIT_S, tenant=tenant) as client:
            return client.complete(prompt, max_tokens=1).usage.cached_prompt_tokens

    assert [cached("one") < len(prompt) // 2, cached(None) < len(prompt) // 2] == [True, True]
    assert cached("one") == cached(None) == len(prompt) - 1


@pytest.mark.parametrize("field", ["x" * 129, "ä" * 65, 5, ["x"], True])
@pytest.mark.parametrize("path", ["/completion", "/infill", "/v1/completions", "/v1/chat/completions"])
def test_a_wrong_salt_is_refused_by_name(service: ScriptedService, path: str, field: object) -> None:
    is_chat = path == "/v1/chat/completions"
    asked = {"messages": [{"role": "user", "content": "a"}]} if is_chat else {"prompt": "a"}
    body = {**asked, "cache_salt": field}
    headers = {"Authorization": f"Bearer {MINE}"}
    answer = requests.post(service.adapter.url + path, json=body, headers=headers, timeout=WAIT_S)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("cache_salt: ")


@pytest.mark.parametrize(
    ("core_keys", "own_key"), [((), None), ((MINE, OTHERS), MINE)], ids=["without keys", "with the same keys"]
)
def test_an_adapter_alone_keeps_its_clients_apart(
    tmp_path: Path, core_keys: tuple[str, ...], own_key: str | None
) -> None:
    service = started(tmp_path, (MINE, OTHERS), core_keys, None)
    try:
        prompt = "A text that one of them sent, and that nobody else may find in a cache, long enough for it"
        assert [native(service, key, prompt) < len(prompt) // 2 for key in (MINE, OTHERS)] == [True, True]
        assert native(service, OTHERS, prompt) == len(prompt) - 1
        if own_key is None:
            assert over_grpc(service, None, prompt) < len(prompt) // 2
    finally:
        service.close()


def test_without_keys_everybody_shares(tmp_path: Path) -> None:
    service = started(tmp_path, (), (), None)
    try:
        prompt = "A text that one of them sent, and that anybody may find in a cache"
        native(service, "whatever", prompt)
        assert native(service, "something else", prompt) == over_grpc(service, "a third", prompt) == len(prompt) - 1
    finally:
        service.close()
