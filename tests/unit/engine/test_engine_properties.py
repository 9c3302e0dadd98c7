"""Random mixes of requests and cancels: nothing leaks, nobody is disturbed, streamed text is the model's text."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from service.config import EngineConfig
from service.engine.scripted import next_letter
from service.engine.types import Failed, Finished, GenerationRequest, Overflow, SlotState
from tests.support.engine import GREEDY, EngineBench, RecordingSink


def undisturbed(prompt: tuple[int, ...], n_tokens: int) -> str:
    """The scripted model's text for a prompt, as far as no context shift happens."""
    tokens = list(prompt)
    for _ in range(n_tokens):
        tokens.append(next_letter(tokens))
    return bytes(tokens[len(prompt) :]).decode()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(16, 64), st.integers(-40, 40))
def test_random_requests_and_cancels_leave_nothing_behind(seed: int, n_slots: int, n_ctx: int, spare: int) -> None:
    random_ = random.Random(seed)
    config = EngineConfig(n_slots=n_slots, n_ctx_slot=n_ctx, n_batch=random_.choice([1, 7, 64, 512]))
    bench = EngineBench(config, n_cells=max(n_ctx, n_slots * n_ctx + spare), n_batch=512)
    stems = [tuple(random_.randbytes(random_.randrange(1, n_ctx))) for _ in range(3)]
    alive: dict[int, tuple[GenerationRequest, RecordingSink]] = {}
    ended: list[tuple[GenerationRequest, RecordingSink]] = []
    for _ in range(80):
        if random_.random() < 0.3:
            request = GenerationRequest(
                prompt=(*random_.choice(stems), *random_.randbytes(random_.randrange(5))),
                sampling=GREEDY,
                max_tokens=random_.choice([0, 1, 5, 30]),
                overflow=random_.choice(list(Overflow)),
                cache_prompt=random_.random() < 0.8,
                slot_id=random_.choice([None, 0, n_slots]),
                n_keep=random_.choice([0, 3, -1]),
            )
            task_id, sink = bench.submit(request)
            alive[task_id] = (request, sink)
        if alive and random_.random() < 0.1:
            task_id = random_.choice(list(alive))
            bench.engine.cancel(task_id)
            ended.append(alive.pop(task_id))
        bench.step()
    bench.run()
    for request, sink in alive.values():
        assert sink.is_over
        last = sink.events[-1]
        if isinstance(last, Finished) and not last.truncated:
            assert sink.text == undisturbed(request.prompt, last.tokens_predicted)
        if isinstance(last, Failed):
            assert last.error.reason in {"CONTEXT_LENGTH_EXCEEDED", "KV_CACHE_EXHAUSTED"}
    snapshot = bench.engine.snapshot()
    assert all(slot.state is SlotState.IDLE for slot in snapshot.slots)
    assert snapshot.queue_depth == 0
    assert snapshot.kv_cells_used == sum(slot.cached_tokens for slot in snapshot.slots)
