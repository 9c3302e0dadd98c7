"""A core whose steps a test allows, whose calls and hand-overs are counted, and a client of it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import grpc

from service.config import ModelConfig
from slotline.v1 import inference_service_pb2_grpc
from tests.counts.calls import ThreadCalls
from tests.counts.hand_overs import HandOvers
from tests.counts.step_gate import StepGate, load_gated
from tests.support.calls import request
from tests.support.scripted_core import WAIT_S, core_config
from tests.support.scripted_service import CoreThread
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from slotline.v1.generation_pb2 import GenerateResponse

N_CTX_SLOT = 1024


class Streams:
    """Messages of several calls, each read by a thread of its own.

    Args:
        calls: the calls.

    Attributes:
        messages: all so far.
    """

    def __init__(self, calls: list[Iterator[GenerateResponse]]) -> None:
        self.messages: list[GenerateResponse] = []
        self._changed = threading.Condition()
        self._n_pieces = 0
        for call in calls:
            threading.Thread(target=self._read, args=(call,), daemon=True).start()

    def wait_for_pieces(self, n_pieces: int) -> None:
        """Wait until there are so many of them in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._n_pieces == n_pieces, WAIT_S), "pieces are missing"

    def _read(self, call: Iterator[GenerateResponse]) -> None:
        # The test ends before the streams do.
        with contextlib.suppress(grpc.RpcError):
            for message in call:
                with self._changed:
                    self.messages.append(message)
                    self._n_pieces += len(message.delta.pieces)
                    self._changed.notify_all()


class CountedCore:
    """The core, in a thread of its own.

    Args:
        directory: for its socket.
        n_slots: number of slots.
        hand_overs, calls: what counts; both were there before.

    Attributes:
        gate: closed at first.
    """

    def __init__(self, directory: Path, n_slots: int, hand_overs: HandOvers, calls: ThreadCalls) -> None:
        self.hand_overs = hand_overs
        self.calls = calls
        self.gate = StepGate()
        address = f"unix:{directory}/core.sock"
        model = ModelConfig(path="/models/scripted.gguf", n_ctx=n_slots * N_CTX_SLOT, n_parallel=n_slots)
        # The watch for hangs looks from time to time.
        config = core_config([address], model=model, hang_timeout_s=None)
        self._core = CoreThread(config, load_gated(self.gate))
        self._n_tasks = self._core.n_tasks()
        # asyncio would share gRPC's queue with the core.
        self._channel = grpc.insecure_channel(address)
        self._inference: Any = inference_service_pb2_grpc.InferenceServiceStub(self._channel)

    def close(self) -> None:
        """Stop it, and all calls."""
        self.gate.open()
        self._channel.close()
        self._core.close()

    def generate(self, text: str, max_tokens: int | None) -> Iterator[GenerateResponse]:
        """Start a call."""
        call: Iterator[GenerateResponse] = self._inference.Generate(request(text, max_tokens), timeout=WAIT_S)
        return call

    def start_streams(self, n_streams: int) -> Streams:
        """Start calls; the next step, and all after it, has a token for each of them."""
        streams = Streams([self.generate(f"{number} is a number", None) for number in range(n_streams)])
        while self.gate.n_decoding < n_streams:
            self.step(streams)
        return streams

    def step(self, streams: Streams) -> None:
        """Allow a step, and wait until the clients have what it made."""
        self.gate.step()
        streams.wait_for_pieces(self.gate.n_rows)

    def wait_until_idle(self) -> None:
        """Wait until nothing is left of any call."""
        wait_until("no call is left", lambda: self._core.n_tasks() <= self._n_tasks)


@contextlib.contextmanager
def counted_core(directory: Path, n_slots: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedCore]:
    """A core with so many slots."""
    with ThreadCalls("service/api", "service/prompts") as calls:
        core = CountedCore(directory, n_slots, HandOvers(monkeypatch), calls)
        try:
            yield core
        finally:
            core.close()
