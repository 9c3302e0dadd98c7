"""What tokens and requests cost in the adapter."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.counts.counted_adapter import BODIES, CountedAdapter, Stream, counted_adapter
from tests.counts.decoding import N_STREAMS
from tests.counts.hand_overs import HUB, LOOP, POOL, THREAD, WRITES, WRITTEN
from tests.counts.table import ROOM, THREADS_ROOM, Figure, check

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

TABLE = Path(__file__).parent / "figures" / "adapter.txt"
#: Tokens of each stream before those that are counted.
N_FIRST_TOKENS = 4
#: Tokens of each stream that are counted: some greenlet may be a little behind at the first and the last of them.
N_TOKENS = 32
#: The same for requests that follow each other.
N_FIRST_REQUESTS, N_REQUESTS = 2, 8


@pytest.fixture
def adapter(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedAdapter]:
    """The adapter."""
    with counted_adapter(temporary, monkeypatch) as adapter:
        yield adapter


@pytest.mark.parametrize("n_streams", N_STREAMS)
@pytest.mark.parametrize("kind", BODIES)
def test_tokens_cost_the_adapter_no_more_than_is_written(
    adapter: CountedAdapter, kind: str, n_streams: int, is_rewriting: bool
) -> None:
    with contextlib.ExitStack() as connections:
        n_all = N_FIRST_TOKENS + N_TOKENS
        streams = [Stream(connections.enter_context(adapter.connect()), kind, n_all + 1) for _ in range(n_streams)]
        for number in range(n_all):
            if number == N_FIRST_TOKENS:
                adapter.hand_overs.take()
                n_calls = adapter.calls.total
            adapter.allow_step()
            for stream in streams:
                stream.read_token(number)
        n_calls = adapter.calls.total - n_calls
        figures = _figures(adapter.hand_overs.take(), n_calls, N_TOKENS)
    check(TABLE, f"{kind}, {n_streams}", figures, is_rewriting=is_rewriting)


@pytest.mark.parametrize("kind", BODIES)
def test_a_request_costs_the_adapter_no_more_than_is_written(
    adapter: CountedAdapter, kind: str, is_rewriting: bool
) -> None:
    with adapter.connect() as connection:
        for number in range(N_FIRST_REQUESTS + N_REQUESTS):
            if number == N_FIRST_REQUESTS:
                adapter.hand_overs.take()
                n_calls = adapter.calls.total
            Stream(connection, kind, 1).read_all()
        n_calls = adapter.calls.total - n_calls
        figures = _figures(adapter.hand_overs.take(), n_calls, N_REQUESTS)
    check(TABLE, f"a {kind} request", figures, is_rewriting=is_rewriting)


def _figures(counts: Counter[str], n_calls: int, n_times: int) -> dict[str, Figure]:
    return {
        **{kind: Figure(counts[kind] / n_times) for kind in (POOL, LOOP, THREAD)},
        # Who has not yet come to wait again is not woken up: how often is a matter of chance, and fewer are as good.
        HUB: Figure(round(counts[HUB] / n_times), below=1.0),
        WRITES: Figure(counts[WRITES] / n_times),
        WRITTEN: Figure(counts[WRITTEN] / n_times, ROOM),
        "Python calls": Figure(round(n_calls / n_times), THREADS_ROOM),
    }
