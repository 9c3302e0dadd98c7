"""Four streams at once, over REST and over gRPC: every one moves while the others do."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
import requests

from slotline.v1 import generation_pb2, inference_service_pb2_grpc, sampling_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

#: Every next token is far more probable than all others, so that no batch makes another one win.
PROMPTS = ("1, 2, 3, 4, 5, 6,", "2, 4, 6, 8, 10, 12,", "10, 20, 30, 40, 50, 60,", "5, 10, 15, 20, 25, 30,")
N_TOKENS = 48


def rest_texts(server: Server, prompt: str) -> Iterator[str]:
    """The texts of a streamed completion, one per event."""
    body = {"prompt": prompt, "n_predict": N_TOKENS, "stream": True, "ignore_eos": True}
    body |= {"temperature": 0, "repeat_penalty": 1.0}
    with requests.post(f"{server.rest_url}/completion", json=body, stream=True, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        for line in response.iter_lines():
            if line:
                assert line.startswith(b"data: ")
                event = json.loads(line.removeprefix(b"data: "))
                if event["stop"]:
                    assert event["tokens_predicted"] == N_TOKENS
                    return
                yield event["content"]


def grpc_texts(server: Server, prompt: str) -> Iterator[str]:
    """The texts of a call of the bare stub, one per piece."""
    request = generation_pb2.GenerateRequest(
        text=prompt,
        sampling=sampling_pb2.SamplingParams(temperature=0, repeat_penalty=1, ignore_eos=True),
        stop=generation_pb2.StopParams(max_tokens=N_TOKENS),
    )
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = inference_service_pb2_grpc.InferenceServiceStub(channel)
        events: list[str | None] = []
        for response in stub.Generate(request, timeout=60):
            events.append(response.WhichOneof("event"))
            if events[-1] == "delta":
                yield from (piece.text for piece in response.delta.pieces)
        assert events[0] == "accepted"
        assert events[-1] == "finished"
        assert response.finished.usage.completion_tokens == N_TOKENS


@pytest.mark.parametrize("texts_of", [rest_texts, grpc_texts])
def test_four_streams_move_together(server: Server, texts_of: Callable[[Server, str], Iterator[str]]) -> None:
    alone = {prompt: list(texts_of(server, prompt)) for prompt in PROMPTS}
    together: dict[str, list[str]] = {prompt: [] for prompt in PROMPTS}
    order: list[str] = []

    def consume(prompt: str) -> None:
        for text in texts_of(server, prompt):
            together[prompt].append(text)
            order.append(prompt)

    threads = [threading.Thread(target=consume, args=(prompt,)) for prompt in PROMPTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert all(len(texts) == N_TOKENS for texts in together.values())
    for prompt in PROMPTS:
        assert together[prompt][:4] == alone[prompt][:4]
    # Nobody was served alone: before the first stream ended, every other had begun.
    first_end = min(len(order) - 1 - order[::-1].index(prompt) for prompt in PROMPTS)
    assert set(order[:first_end]) | {order[first_end]} == set(PROMPTS)


def test_the_two_ways_in_give_the_same_text(server: Server) -> None:
    prompt = PROMPTS[0]
    assert list(rest_texts(server, prompt))[:8] == list(grpc_texts(server, prompt))[:8]
