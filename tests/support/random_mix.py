"""Random requests of every kind for an engine on the scripted model, each checked against what it must answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from service.engine.language_model import DecodeFailed
from service.engine.request.events import Failed, Finished, Piece
from service.engine.request.requests import (
    EmbeddingRequest,
    GenerationRequest,
    Overflow,
    Request,
    SystemPrompt,
    SystemPromptRequest,
)
from service.model_facts import AdapterInfo
from service.sampling.gbnf import GbnfGuide
from service.testing.scripted_media import numbers
from service.testing.scripted_model import BOS, states
from tests.support.engine import GREEDY, EngineBench, RecordingSink, assert_scored, next_letters, pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.request.items import PromptItem
    from service.engine.request.media import MediaChunk

#: Adapters of models that have some, all of which are left out for everybody, and scales of requests.
ADAPTERS = (AdapterInfo("a.gguf", "aa", 10.0), AdapterInfo("b.gguf", "bb", 10.0))
SCALES = ((0.0, 0.0), (0.1, 0.0), (0.0, 0.3))
#: Reasons for which a request of the mix may fail.
REASONS = {"CONTEXT_LENGTH_EXCEEDED", "SLOTS_BUSY", "INTERNAL"}


@dataclass(frozen=True)
class _Open:
    """A request that has not ended, and the system prompt that it found."""

    request: Request
    sink: RecordingSink
    system: tuple[int, ...]


class RandomMix:
    """Submits, cancels and lets calls fail, at random but reproducibly.

    Args:
        bench: the engine.
        seed: decides everything.
        failures: part of the steps whose call fails.
        pictures: some prompts and inputs to embed have some of these.
    """

    def __init__(
        self, bench: EngineBench, seed: int, *, failures: float = 0.0, pictures: Sequence[MediaChunk] = ()
    ) -> None:
        self.bench = bench
        self._random = random.Random(seed)
        self._failures = failures
        self._pictures = pictures
        self._media = {chunk.key: chunk for chunk in pictures}
        n_ctx = bench.config.n_ctx_slot
        self._stems: list[tuple[PromptItem, ...]] = [
            tuple(self._random.randbytes(self._random.randrange(1, n_ctx))) for _ in range(3)
        ]
        if pictures:
            self._stems = [self._illustrated(stem[: n_ctx // 3]) for stem in self._stems]
        self._open: dict[int, _Open] = {}
        self.n_answered = 0
        self.n_failed = 0

    def step(self, rate: float = 0.3) -> None:
        """Perhaps a new request, perhaps a cancel, perhaps a failure; then a step of the engine."""
        random_, bench = self._random, self.bench
        if random_.random() < rate:
            self._submit()
        if self._open and random_.random() < rate / 3:
            task_id = random_.choice(list(self._open))
            bench.engine.cancel(task_id)
            self._check_events(self._open.pop(task_id), is_whole=False)
        if random_.random() < self._failures and not self._is_system_prompt_pending:
            bench.model.compute.fail_next = DecodeFailed("as planned")
        bench.step()
        self._collect()

    def finish(self) -> None:
        """Run until nothing is left to do; every request must have ended as it must."""
        self.bench.model.compute.fail_next = None
        self.bench.run()
        self._collect()
        assert not self._open

    @property
    def _is_system_prompt_pending(self) -> bool:
        system = self.bench.engine.snapshot().system_prompt
        return system is not None and len(self.bench.engine.dump().system.items) < len(system.tokens)

    def _submit(self) -> None:
        system = self.bench.engine.snapshot().system_prompt
        request = self._request()
        task_id, sink = self.bench.submit(request)
        if isinstance(request, GenerationRequest) and request.system_prompt is not None:
            system = request.system_prompt
        self._open[task_id] = _Open(request, sink, system.tokens if system is not None else ())

    def _request(self) -> Request:
        random_ = self._random
        kind = random_.random()
        if kind < 0.2:
            texts = (random_.randbytes(random_.randrange(1, 12)) for _ in range(random_.randrange(1, 9)))
            inputs = tuple(map(tuple, texts))
            return EmbeddingRequest(tuple(map(self._illustrated, inputs)) if self._pictures else inputs, self._media)
        if kind < 0.25:
            return SystemPromptRequest(self._system_prompt())
        has_bos = random_.random() < 0.3
        tail: tuple[PromptItem, ...] = tuple(random_.randbytes(random_.randrange(1, 5)))
        if self._pictures and random_.random() < 0.5:
            tail = self._illustrated(tail)
        return GenerationRequest(
            prompt=(*((BOS,) if has_bos else ()), *random_.choice(self._stems), *tail),
            has_bos=has_bos,
            n_sequences=random_.choice([1, 1, 1, 2, 5]),
            sampling=GREEDY,
            max_tokens=random_.choice([0, 1, 5, 30]),
            overflow=random_.choice(list(Overflow)),
            cache_prompt=random_.random() < 0.8,
            cache_salt=random_.choice(["", "", "salt"]),
            slot_id=random_.choice([None, 0, self.bench.config.n_slots]),
            priority=random_.choice([0, 0, 0, 1, -1]),
            n_keep=random_.choice([0, 3, -1]),
            guide=random_.choice([None, None, GbnfGuide('root ::= "yes" | "no"')]),
            system_prompt=self._system_prompt() if random_.random() < 0.05 else None,
            prompt_logprobs=None if self._pictures else random_.choice([None, None, None, 0, 2]),
            media=self._media,
            adapter_scales=random_.choice([None, *SCALES]) if self.bench.model.info.adapters else None,
        )

    def _illustrated(self, tokens: tuple[PromptItem, ...]) -> tuple[PromptItem, ...]:
        """Tokens with some pictures between, before or behind them; perhaps none."""
        items: list[PromptItem] = []
        places = [self._random.randrange(len(tokens) + 1) for _ in range(self._random.choice([0, 1, 1, 2]))]
        for place in range(len(tokens) + 1):
            for _ in range(places.count(place)):
                items += self._random.choice(self._pictures).items
            items += tokens[place : place + 1]
        return tuple(items)

    def _system_prompt(self) -> SystemPrompt:
        tokens = tuple(self._random.randbytes(self._random.randrange(self.bench.config.n_ctx_slot // 3)))
        return SystemPrompt("s" * len(tokens), tokens)

    def _collect(self) -> None:
        """Check and forget what has ended."""
        for task_id in [task_id for task_id, entry in self._open.items() if entry.sink.is_over]:
            self._check_events(self._open.pop(task_id), is_whole=True)

    def _check_events(self, entry: _Open, *, is_whole: bool) -> None:
        if not entry.sink.events:
            assert not is_whole
            return
        last = entry.sink.events[-1]
        if isinstance(last, Failed):
            assert last.error.reason in REASONS, last
            assert last.error.reason != "INTERNAL" or self._failures, last
            self.n_failed += 1
            return
        self.n_answered += is_whole
        match entry.request:
            case EmbeddingRequest(inputs):
                pooling = self.bench.model.info.pooling
                expected = np.concatenate([pooled(states(numbers(items)), pooling) for items in inputs])
                assert np.allclose(entry.sink.embedded.vectors, expected, atol=1e-4)
            case GenerationRequest():
                if is_whole:
                    assert sorted(entry.sink.endings) == list(range(entry.request.n_sequences))
                self._check_texts(entry, entry.request)

    @staticmethod
    def _check_texts(entry: _Open, request: GenerationRequest) -> None:
        own = numbers(request.prompt)
        own = own[1:] if entry.system and request.has_bos and len(own) > 1 else own
        endings = {event.index: event for event in entry.sink.events if isinstance(event, Finished)}
        records = entry.sink.prompt_tokens
        scales = request.adapter_scales or ()
        assert_scored(records, own, entry.system, scales)
        if request.prompt_logprobs is None or endings:
            assert len(records) == (0 if request.prompt_logprobs is None else len(own))
        for index in range(request.n_sequences):
            pieces = [event for event in entry.sink.events if isinstance(event, Piece) and event.index == index]
            ending = endings.get(index)
            if request.guide is not None:
                assert (
                    ending is None or ending.truncated or "".join(piece.text for piece in pieces) in _sayings(request)
                )
            elif ending is not None and not ending.truncated:
                text = "".join(piece.text for piece in pieces)
                assert text == next_letters((*entry.system, *own), ending.tokens_predicted, scales)


def _sayings(request: GenerationRequest) -> set[str]:
    """What the grammar of the mix lets a request say, cut by its limit."""
    limit = request.max_tokens
    return {"yes"[:limit], "no"[:limit]}
