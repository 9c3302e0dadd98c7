"""What a step and a request cost in the core, between the engine and gRPC."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.counts.counted_core import counted_core
from tests.counts.decoding import N_STREAMS
from tests.counts.hand_overs import LOOP, POOL, THREAD
from tests.counts.table import ROOM, THREADS_ROOM, Figure, check

TABLE = Path(__file__).parent / "figures" / "core.txt"
#: Steps that are counted: a handler may be a little behind at the first and the last of them.
N_STEPS = 32


@pytest.mark.parametrize("n_streams", N_STREAMS)
def test_a_step_costs_the_core_no_more_than_is_written(
    n_streams: int, temporary: Path, monkeypatch: pytest.MonkeyPatch, is_rewriting: bool
) -> None:
    with counted_core(temporary, n_streams, monkeypatch) as core:
        streams = core.start_streams(n_streams)
        core.hand_overs.take()
        streams.messages.clear()
        n_calls = core.calls.total
        for _ in range(N_STEPS):
            core.step(streams)
        n_calls = core.calls.total - n_calls
        counts = core.hand_overs.take()
        messages = streams.messages.copy()
    figures = {
        **{kind: Figure(counts[kind] / N_STEPS) for kind in (POOL, LOOP, THREAD)},
        "messages": Figure(len(messages) / N_STEPS),
        "bytes of messages": Figure(sum(message.ByteSize() for message in messages) / N_STEPS, ROOM),
        "Python calls": Figure(round(n_calls / N_STEPS), THREADS_ROOM),
    }
    check(TABLE, str(n_streams), figures, is_rewriting=is_rewriting)


def test_a_warm_request_costs_the_core_no_more_than_is_written(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, is_rewriting: bool
) -> None:
    with counted_core(temporary, 1, monkeypatch) as core:
        core.gate.open()
        for _ in range(2):
            core.hand_overs.take()
            n_calls = core.calls.total
            messages = list(core.generate("Hello", 1))
            core.wait_until_idle()
        n_calls = core.calls.total - n_calls
        counts = core.hand_overs.take()
    assert messages[-1].finished.usage.cached_prompt_tokens == 4, "the prompt is not cached"
    figures = {
        **{kind: Figure(counts[kind]) for kind in (POOL, LOOP, THREAD)},
        "messages": Figure(len(messages)),
        "bytes of messages": Figure(sum(message.ByteSize() for message in messages), ROOM),
        "Python calls": Figure(n_calls, THREADS_ROOM),
    }
    check(TABLE, "a warm request", figures, is_rewriting=is_rewriting)
