"""Long texts over real connections: they end with their caller, and nobody waits for another one's."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from service.prompts.pool import LONG_BYTES
from slotline.v1 import generation_pb2, prompt_pb2, tokenization_pb2
from tests.support.scripted_core import (
    WAIT_S,
    ByteVocabulary,
    RunningCore,
    ScriptedLoadedModel,
    running_core,
    scripted_model,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from service.api.served_model import LoadedModel
    from service.config import ModelConfig

N_BYTES = 4 * LONG_BYTES
STEP = 1024


@dataclass(frozen=True)
class StepVocabulary(ByteVocabulary):
    """Gives tokens a thousand at a time; those of texts of "x" wait until they are allowed."""

    steps: list[str] = field(default_factory=list)
    has_begun: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        for start in range(0, len(text), STEP):
            self.steps.append(text[0])
            if "x" in text[:64]:
                self.has_begun.set()
                assert self.may_go_on.wait(WAIT_S)
            yield list(text[start : start + STEP].encode())


@pytest.fixture
def vocabulary() -> StepVocabulary:
    return StepVocabulary()


@pytest.fixture
async def core(vocabulary: StepVocabulary) -> AsyncIterator[RunningCore]:
    class Model(ScriptedLoadedModel):
        pass

    Model.vocabulary = vocabulary

    def load(config: ModelConfig, *, on_progress: object) -> LoadedModel:
        return scripted_model(config, Model)

    async with running_core(load=load) as running:
        yield running
        vocabulary.may_go_on.set()


def start(core: RunningCore, method: str) -> Any:
    """A call with a long text."""
    text = "x" * N_BYTES
    part = prompt_pb2.PromptPart(text=text)
    chat = prompt_pb2.ChatPrompt(messages=[prompt_pb2.ChatMessage(role="user", content=[part])])
    match method:
        case "Tokenize":
            return core.inference.Tokenize(tokenization_pb2.TokenizeRequest(text=text))
        case "Tokenize a chat":
            return core.inference.Tokenize(tokenization_pb2.TokenizeRequest(chat=chat))
        case "Generate":
            return core.inference.Generate(generation_pb2.GenerateRequest(text=text))
    return core.inference.Generate(generation_pb2.GenerateRequest(chat=chat))


@pytest.mark.parametrize("method", ["Tokenize", "Tokenize a chat", "Generate", "Generate from a chat"])
async def test_work_ends_with_its_caller(core: RunningCore, vocabulary: StepVocabulary, method: str) -> None:
    call = start(core, method)
    assert await asyncio.to_thread(vocabulary.has_begun.wait, WAIT_S)
    call.cancel()
    pool = core.server.core.pool
    async with asyncio.timeout(WAIT_S):
        while (load := pool.long_load()).n_abandoned < load.n_jobs:
            await asyncio.sleep(0.001)
        vocabulary.may_go_on.set()
        while pool.long_load().n_jobs:
            await asyncio.sleep(0.001)
    assert len(vocabulary.steps) == 1
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_work_ends_when_the_server_stops(core: RunningCore, vocabulary: StepVocabulary) -> None:
    call = start(core, "Tokenize")
    assert await asyncio.to_thread(vocabulary.has_begun.wait, WAIT_S)
    core.server.core.pool.close()
    vocabulary.may_go_on.set()
    with pytest.raises(grpc.aio.AioRpcError, match="shutting down"):
        await call
    assert len(vocabulary.steps) == 1


async def test_a_short_text_does_not_wait_for_a_long_one(core: RunningCore, vocabulary: StepVocabulary) -> None:
    call = start(core, "Tokenize")
    assert await asyncio.to_thread(vocabulary.has_begun.wait, WAIT_S)
    short = await core.inference.Tokenize(tokenization_pb2.TokenizeRequest(text="y"), timeout=WAIT_S)
    assert short.count == 1
    assert not call.done()
    vocabulary.may_go_on.set()
    assert (await call).count == N_BYTES


async def test_long_texts_take_turns(core: RunningCore, vocabulary: StepVocabulary) -> None:
    first = start(core, "Tokenize")
    assert await asyncio.to_thread(vocabulary.has_begun.wait, WAIT_S)
    second = core.inference.Tokenize(tokenization_pb2.TokenizeRequest(text="y" * (LONG_BYTES + 1)))
    async with asyncio.timeout(WAIT_S):
        while not core.server.core.pool.long_load().n_waiting:
            await asyncio.sleep(0.001)
    vocabulary.may_go_on.set()
    assert (await second).count == LONG_BYTES + 1
    n_steps = LONG_BYTES // STEP + 1
    # The second one had its last step when the first one had had hardly more than as many.
    last = len(vocabulary.steps) - 1 - vocabulary.steps[::-1].index("y")
    assert vocabulary.steps[:last].count("x") <= n_steps + 2
    assert (await first).count == N_BYTES
