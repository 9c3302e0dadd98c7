"""A prompt with pictures is worth what the same prompt with words of their colours is worth, whatever runs beside it.

The default model's own weights would make that unclear: what their kernels round depends on the batch and on where in
the cache a sequence lies. So what runs beside others, begins with what is cached, or is moved out and back, has the
same weights in single precision, where such noise is 5e-6. One request after the other in a single slot is exact with
the weights as they are, as long as calls are smaller than the kernels' tiles.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, MediaOptions, ModelConfig
from slotline.client import AsyncClient, image
from tests.support.float_model import write_float_model
from tests.support.image_files import encoded
from tests.support.scripted_core import WAIT_S, started
from tests.support.seeing_model import COLOURS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from tests.support.seeing_model import Kind, Pixels, Projector, SeeingModels

# A minute, but several on a machine that does other things, too.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

N_SLOTS, N_TOKENS = 8, 4
#: Cells of all slots: too few for eight of the longer prompts, so that some are moved out for a while.
N_CELLS = 320
#: Below the kernels' tiles of 64.
N_BATCH = 63
#: Of each test.
N_CASES = 24
#: Between log-probabilities.
TOLERANCE = 1e-3
#: What Qwen2-VL's projector puts around a picture; the default model has no such tokens, so they are texts there.
AROUND = ("<|vision_start|>", "<|vision_end|>")
#: Rows and columns that it does not resize.
GRIDS = ((2, 4), (4, 2), (3, 3))
#: Prompts begin with one of these, so that many begin alike; those without a text begin with the same picture.
BEGINNINGS = ("", "", "A cat.", "The car is")
TEXTS = (" and", " or", ".\nWhat is it?", " is a colour, ", "\n", " the car", " in my house", ": ")

#: A picture, and what stands for it in words.
Seen = tuple["Pixels", tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt.

    Attributes:
        parts: texts and pictures.
        slot_id: the slot that it asks for, if any.
        is_streamed: whether its text is taken as it comes.
        cache_prompt: whether it may begin with what is cached.
        n_sequences: continuations; all of them are the same.
    """

    parts: tuple[str | Seen, ...]
    slot_id: int | None
    is_streamed: bool
    cache_prompt: bool
    n_sequences: int

    @property
    def with_pictures(self) -> list[object]:
        """As the client takes it."""
        return [part if isinstance(part, str) else image(encoded(part[0])) for part in self.parts]

    @property
    def with_words(self) -> list[object]:
        """The same with tokens in place of pictures."""
        if not any(isinstance(part, str) for part in self.parts):
            return [token for part in self.parts for token in part[1]]
        return [part if isinstance(part, str) else list(part[1]) for part in self.parts]

    @property
    def begins_with_a_picture(self) -> bool:
        """Whether nothing is before the first one."""
        return not isinstance(self.parts[0], str)

    @property
    def n_rows(self) -> int:
        """Cells that pictures take."""
        return sum(len(part[1]) for part in self.parts if not isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Answer:
    """What followed: texts of continuations, and the first candidates for each token of the first one.

    ``n_cached`` items of the prompt were not evaluated; that may differ.
    """

    texts: tuple[str, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    n_cached: int = field(compare=False)


class Seer:
    """A core with a projector, and a client of it."""

    def __init__(
        self, client: AsyncClient, projector: Projector, n_slots: int, around: Sequence[tuple[int, ...]]
    ) -> None:
        self._client = client
        self._n_slots = n_slots
        self.projector = projector
        self._around = around

    def cases(self, seed: int) -> list[Case]:
        """Random prompts, of which many begin with the same picture."""
        source = random.Random(seed)
        shared = self._picture(source)
        return [self._case(source, shared) for _ in range(N_CASES)]

    def _case(self, source: random.Random, shared: Seen) -> Case:
        beginning = source.choice(BEGINNINGS)
        parts: list[str | Seen] = [beginning]
        for number in range(source.randint(1, 3 if self.projector.kind == "causal" else 2)):
            is_shared = number == 0 and not beginning
            parts += [shared if is_shared else self._picture(source), source.choice(TEXTS)]
        if source.random() < 0.2:
            # A prompt may end with a picture, and begin with one, and two may be neighbours.
            parts.pop()
        return Case(
            tuple(part for part in parts if part),
            slot_id=source.choice((None, source.randrange(N_SLOTS))),
            is_streamed=source.random() < 0.5,
            cache_prompt=source.random() < 0.8,
            n_sequences=source.choice((1, 1, 1, 2)),
        )

    def _picture(self, source: random.Random) -> Seen:
        if self.projector.kind == "causal":
            names = [source.choice(list(COLOURS)) for _ in range(4)]
            if source.random() < 0.5:
                names = names[:1] * 4
            return self.projector.draw(" ".join(names[:2]), " ".join(names[2:])), self._words(names)
        height, width = source.choice(GRIDS)
        if self.projector.kind == "grid":
            names = [source.choice(list(COLOURS)) for _ in range(height * width)]
            before, behind = self._around
            lines = [" ".join(names[start : start + width]) for start in range(0, len(names), width)]
            return self.projector.draw(*lines), (*before, *self._words(names), *behind)
        # Up to four tiles of two by two patches, then all of it in as many. Of one colour: it is resized.
        name = source.choice(list(COLOURS))
        height, width = source.choice(((2, 2), (2, 4), (4, 2), (4, 4)))
        n_tiles = height * width // 4
        n_chunks = n_tiles + 1 if n_tiles > 1 else 1
        return self.projector.draw(*[" ".join([name] * width)] * height), self._words([name] * 4 * n_chunks)

    def _words(self, names: Sequence[str]) -> tuple[int, ...]:
        return tuple(self.projector.words[name].token for name in names)

    async def ask(self, case: Case, is_seen: bool) -> Answer:
        """The likeliest tokens behind a prompt, with its pictures or with their words."""
        prompt: Any = case.with_pictures if is_seen else case.with_words
        options: Any = {
            "max_tokens": N_TOKENS,
            "temperature": 0,
            # Penalties are for words, not for pictures.
            "repeat_penalty": 1.0,
            "top_logprobs": 3,
            "ignore_eos": True,
            "cache_prompt": case.cache_prompt,
            "num_sequences": min(case.n_sequences, self._n_slots),
        }
        if case.slot_id is not None and case.n_sequences == 1 and self._n_slots > 1:
            options["slot_id"] = case.slot_id
        if case.is_streamed:
            generation = self._client.generate(prompt, **options)
            streamed = "".join([text async for text in generation])
            completion = generation.completion
            assert streamed == completion.text
        else:
            completion = await self._client.complete(prompt, **options)
        usage = completion.usage
        assert usage.image_tokens == (case.n_rows if is_seen else 0)
        assert usage.prompt_tokens <= N_BATCH
        texts = tuple(one.text for one in completion.continuations)
        first = completion.tokens
        ids = tuple(other.id for token in first for other in token.top_logprobs)
        logprobs = tuple(other.logprob for token in first for other in token.top_logprobs)
        return Answer(texts, ids, logprobs, usage.cached_prompt_tokens)

    async def compare(self, cases: Sequence[Case], n_at_once: int, seed: int) -> list[tuple[Answer, Answer]]:
        """For each case the answers with pictures and with words, which come in any order."""
        questions = [(number, is_seen) for number in range(len(cases)) for is_seen in (True, False)]
        random.Random(seed).shuffle(questions)
        free = asyncio.Semaphore(n_at_once)

        async def one(number: int, is_seen: bool) -> Answer:
            async with free:
                return await self.ask(cases[number], is_seen)

        answers = dict(zip(questions, await asyncio.gather(*(one(*each) for each in questions)), strict=True))
        return [(answers[number, True], answers[number, False]) for number in range(len(cases))]


@pytest.fixture(scope="module")
def float_model(seeing: SeeingModels, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The default model in single precision; 513 MiB that nobody needs afterwards."""
    path = write_float_model(seeing.default, tmp_path_factory.mktemp("float") / "float.gguf")
    yield path
    path.unlink()


@contextlib.asynccontextmanager
async def started_seer(projector: Projector, model: ModelConfig, *, kv_unified: bool) -> AsyncIterator[Seer]:
    """A core that sees, and a client."""
    media = MediaOptions(mmproj=str(projector.path))
    config = CoreConfig(model=model, media=media, kv_unified=kv_unified, listen=("127.0.0.1:0",))
    server = CoreServer(config)
    async with started(server), AsyncClient(server.addresses[0], deadline_s=10 * WAIT_S) as client:
        around = [tuple(await client.tokenize(text)) if projector.kind == "grid" else () for text in AROUND]
        yield Seer(client, projector, model.n_parallel, around)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["causal", "tiled", "grid"])
async def seer(seeing: SeeingModels, float_model: Path, request: pytest.FixtureRequest) -> AsyncIterator[Seer]:
    """Eight slots without noise. One thread, because threads wait for each other on a busy machine."""
    model = ModelConfig(
        str(float_model),
        n_ctx=N_CELLS,
        n_parallel=N_SLOTS,
        n_threads=1,
        cache_type_k="f32",
        cache_type_v="f32",
        flash_attention=False,
    )
    async with started_seer(seeing.projector(request.param), model, kv_unified=True) as made:
        yield made


@pytest.mark.parametrize("seed", range(3))
async def test_pictures_are_worth_their_words(seer: Seer, seed: int) -> None:
    cases = seer.cases(seed)
    answers = await seer.compare(cases, N_SLOTS, seed)
    for case, (seen, told) in zip(cases, answers, strict=True):
        assert seen.texts == told.texts, case.with_words
        assert seen.ids == told.ids
        np.testing.assert_allclose(seen.logprobs, told.logprobs, atol=TOLERANCE)
    # Pictures were found in caches, too.
    assert any(seen.n_cached for case, (seen, _) in zip(cases, answers, strict=True) if case.begins_with_a_picture)


@pytest.mark.parametrize("kind", ["causal", "tiled", "grid"])
async def test_pictures_are_worth_their_words_to_the_last_bit(seeing: SeeingModels, kind: Kind) -> None:
    projector = seeing.projector(kind)
    model = ModelConfig(str(projector.text_model), n_ctx=256, n_batch=N_BATCH, n_threads=1)
    async with started_seer(projector, model, kv_unified=False) as seer:
        cases = seer.cases(seed=9)
        for case, (seen, told) in zip(cases, await seer.compare(cases, 1, seed=9), strict=True):
            assert seen == told, case.with_words
