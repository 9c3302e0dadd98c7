"""Requests with scales of LoRA adapters of their own, on llama.cpp: answers are those of servers with these scales."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from slotline.client import Client
from tests.support.event_stream import EventStream
from tests.support.server import Server
from tests.support.tiny_gguf import TinyAdapter, TinyModel, random_factors, write_tiny_adapter, write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60.0
MODEL = TinyModel(n_layers=2)
NAMES = (("blk.0.attn_v.weight", "output.weight"), ("blk.1.ffn_up.weight", "blk.0.attn_q.weight"))
SETS = ((0.0, 0.0), (1.0, 0.0), (0.25, 0.75))
N_PREDICT = 8
LONG = "It was a bright cold day in April, and the clocks were striking thirteen; Winston Smith slipped in. "


@dataclass(frozen=True)
class Files:
    """A model and its adapters."""

    model: Path
    adapters: tuple[Path, ...]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("adapters")
    adapters = []
    for seed, names in enumerate(NAMES, 1):
        factors = {name: random_factors(MODEL, name, 2, seed) for name in names}
        adapters.append(write_tiny_adapter(folder / f"{seed}.gguf", TinyAdapter(factors)))
    return Files(write_tiny_gguf(folder / "model.gguf", MODEL), tuple(adapters))


def options(files: Files, scales: tuple[float, ...], *more: str) -> tuple[str, ...]:
    """Options of a server with these scales for everybody."""
    lora = (part for path, scale in zip(files.adapters, scales, strict=True) for part in (str(path), f"{scale:g}"))
    scaled = [word for path, scale in zip(lora, lora, strict=True) for word in ("--lora-scaled", path, scale)]
    return ("-m", str(files.model), "-c", "4096", "-np", "8", *scaled, *more)


@pytest.fixture(scope="module")
def server(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the first set for everybody."""
    folder = tmp_path_factory.mktemp("slots")
    with Server(*options(files, SETS[0], "--slot-save-path", str(folder))) as server:
        server.wait_until_ready()
        yield server


def lora(scales: tuple[float, ...]) -> list[dict[str, Any]]:
    return [{"id": number, "scale": scale} for number, scale in enumerate(scales)]


def body(prompt: str, scales: tuple[float, ...] | None, **more: Any) -> dict[str, Any]:
    own = {} if scales is None else {"lora": lora(scales)}
    return {"prompt": prompt, "n_predict": N_PREDICT, "temperature": 0, "seed": 1, "ignore_eos": True, **own, **more}


def complete(server: Server, sent: dict[str, Any], path: str = "/completion") -> Any:
    answer = requests.post(server.rest_url + path, json=sent, timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def streamed(server: Server, sent: dict[str, Any]) -> str:
    stream = EventStream(server, **sent)
    assert stream.wait_for_end()["stop"]
    return "".join(event["content"] for event in stream.events)


def test_answers_are_those_of_servers_with_these_scales(files: Files, server: Server) -> None:
    """Eight requests of three sets at once, streamed, some with equal beginnings."""
    prompts = [("Alice", 0), ("Alice", 1), ("Bob", 2), ("Bob", 1), (LONG, 0), (LONG, 1), (LONG, 2), (LONG + "He", 2)]
    expected: dict[tuple[str, int], str] = {}
    for number, scales in enumerate(SETS):
        with Server(*options(files, scales)) as alone:
            alone.wait_until_ready()
            for prompt, wanted in prompts:
                if wanted == number:
                    expected[prompt, wanted] = complete(alone, body(prompt, None))["content"]
    with ThreadPoolExecutor(len(prompts)) as pool:
        texts = list(pool.map(lambda one: streamed(server, body(one[0], SETS[one[1]])), prompts))
    assert texts == [expected[one] for one in prompts]
    assert len({expected[LONG, number] for number in range(len(SETS))}) == len(SETS)


def test_beginnings_are_reused_within_a_set(server: Server) -> None:
    first = LONG * 2
    for scales in (None, *SETS[1:]):
        assert complete(server, body(first, scales))["tokens_cached"]
        answer = complete(server, body(first + "Then", scales), "/completion?shape=now")
        assert answer["timings"]["cache_n"] > len(first) // 2
    for scales in ((0.5, 0.0), (1.0, 0.001)):
        assert complete(server, body(first, scales), "/completion?shape=now")["timings"]["cache_n"] == 0


def test_chats_texts_and_gaps_have_scales_too(server: Server) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    # What is cached is evaluated in other calls, whose last digits may differ.
    common = {"max_tokens": N_PREDICT, "temperature": 0, "seed": 1, "ignore_eos": True, "cache_prompt": False}
    for path, sent in (
        ("/v1/chat/completions", {"messages": messages, **common}),
        ("/v1/completions", {"prompt": "Hello", **common}),
        ("/completion", {"prompt": ["Hello", "Bob"], **common}),
        ("/completion?shape=now", {"prompt": "Hello", "n": 2, **common}),
    ):
        plain, adapted, named = (
            complete(server, {**sent, **own}, path) for own in ({}, {"lora": lora(SETS[1])}, {"lora": lora(SETS[0])})
        )
        texts = [json.dumps(_texts(answer)) for answer in (plain, adapted, named)]
        assert texts[0] == texts[2] != texts[1]


def _texts(answer: Any) -> list[Any]:
    if isinstance(answer, list):
        return [one["content"] for one in answer]
    if "choices" in answer:
        return [choice.get("text", choice.get("message")) for choice in answer["choices"]]
    return [one["content"] for one in answer.get("results", [answer])]


def test_slots_are_files_with_their_scales(server: Server) -> None:
    url = server.rest_url + "/slots/3?action="
    sent = body(LONG * 2, SETS[2], id_slot=3)
    text = complete(server, sent, "/completion?shape=now")["content"]
    for action in ("save", "erase", "restore"):
        answer = requests.post(url + action, json={"filename": "own.bin"}, timeout=WAIT_S)
        assert answer.status_code == 200, answer.text
    again = complete(server, sent, "/completion?shape=now")
    assert again["content"] == text
    assert again["timings"]["cache_n"] > len(LONG)


def test_the_python_client_sends_scales(server: Server) -> None:
    with Client(server.grpc_address) as client:
        texts = [
            client.complete("Alice", max_tokens=N_PREDICT, temperature=0, ignore_eos=True, lora=scales).text
            for scales in ({}, {0: 1.0}, {0: 0.25, 1: 0.75})
        ]
    assert texts == [complete(server, body("Alice", scales))["content"] for scales in SETS]


def test_a_system_prompt_comes_first_with_any_scales(files: Files, tmp_path: Path) -> None:
    system = tmp_path / "system.txt"
    system.write_text(json.dumps({"system_prompt": {"prompt": LONG, "anti_prompt": "", "assistant_name": ""}}))
    texts = []
    for scales in SETS[:2]:
        with Server(*options(files, scales, "-spf", str(system))) as server:
            server.wait_until_ready()
            texts.append([complete(server, body("Alice", one))["content"] for one in SETS[:2]])
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[0][1]
