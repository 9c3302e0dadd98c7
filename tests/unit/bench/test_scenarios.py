"""Scenarios that only send requests, in front of servers that answer at once: every quantity has its figures."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench import answers, chat, conversation, copying, prompt, shared_decode, shared_prefix, streams, waiting, warm
from bench.harness import contest as contest_module
from bench.harness.contest import GRPC, REST, Contest
from bench.harness.load import Job, StreamTiming
from bench.harness.rest_client import RestTarget
from bench.harness.servers import PEER, STOCK_PEER
from bench.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

SETTINGS = Settings(
    Path("model.gguf"),
    peers_python=Path("python"),
    stock_peers_python=Path("python"),
    repeats=2,
    users=(2, 3),
    streams=(1, 16),
    new_prompts=(16, 300),
    cached_prompts=(8, 16),
    max_foreign_cores=float("inf"),
)


class _Target(RestTarget):
    """A token every 10 ms, from 100 ms after the request on."""

    def __init__(self) -> None:
        super().__init__(port=0)

    async def answer(self, job: Job) -> StreamTiming:
        return await self.generate(job)

    async def generate(self, job: Job, *, on_event: Callable[[], None] = lambda: None) -> StreamTiming:
        arrivals = tuple(0.1 + 0.01 * number for number in range(job.n_tokens))
        return StreamTiming(0.0, arrivals[0], arrivals[-1] + 0.001, job.n_tokens, arrivals, text="an answer of words")


@asynccontextmanager
async def _contest(settings: Settings, *, has_grpc: bool = True, **options: Any) -> AsyncIterator[Contest]:
    running = Contest(settings, {}, ())
    running.targets |= {name: _Target() for name in (*([GRPC] if has_grpc else []), REST, PEER, STOCK_PEER)}
    yield running


@pytest.fixture(autouse=True)
def _without_servers_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (contest_module, answers, chat, copying, prompt, shared_decode, streams, waiting, warm):
        monkeypatch.setattr(module, "contest", _contest)
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: sleep(0))


@pytest.mark.parametrize(
    ("module", "rows"),
    [
        (warm, ["back to back, 8 tokens", "after 2 s, 16 tokens", "REST minus gRPC, after 50 ms, 8 tokens"]),
        (conversation, ["turn 1: first token", "turn 8: first token", "whole conversation"]),
        (chat, ["turn 1: first token, median, 2 users", "all conversations, 3 users"]),
        (prompt, ["first token, 16 tokens", "first token, 300 tokens"]),
        (streams, ["decoding, 1 stream", "whole burst, 16 streams", "between tokens, longest, 16 streams"]),
        (answers, ["whole answers, 1 at once", "whole answers, 16 at once"]),
        (shared_decode, ["decoding, 4 streams", "decoding, 8 streams"]),
        (shared_prefix, ["first token, median of the burst", "whole burst"]),
        (copying, ["decoding, text, 1 stream", "copied share of the answer, JSON, 4 streams"]),
        (waiting, ["first token of the last, 0 wait", "first token, median, 64 wait"]),
    ],
)
def test_every_quantity_is_measured_of_every_server(module: ModuleType, rows: list[str]) -> None:
    result = module.run(SETTINGS)
    assert result.failures == ()
    found = {figure.row for figure in result.figures}
    assert set(rows) <= found
    for row in found:
        figures = [figure for figure in result.figures if figure.row == row]
        assert all(len(figure.samples) == SETTINGS.repeats for figure in figures)
        columns = {figure.column for figure in figures}
        assert columns == {""} or columns >= {REST, PEER, STOCK_PEER}, row


def test_equal_servers_meet_every_goal_that_is_a_tie() -> None:
    figures = [
        figure for module in (warm, prompt, streams, chat) for figure in module.run(SETTINGS).figures if figure.against
    ]
    assert {figure.median for figure in figures} == {1.0}
    assert {figure.is_goal_met for figure in figures if figure.goal} == {True}


def test_one_stream_may_decode_a_little_slower_than_beside_llama_server() -> None:
    goals = {figure.row: str(figure.goal) for figure in streams.run(SETTINGS).figures if figure.against and figure.goal}
    assert goals["decoding, 1 stream"] == "at least 0.97"
    assert goals["decoding, 16 streams"] == goals["whole burst, 1 stream"] == "at least 1"
