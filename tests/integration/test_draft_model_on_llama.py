"""A draft model beside a model, both of llama.cpp: the same texts and distributions, and nothing left behind."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests

from service.config import ModelConfig
from service.engine.request.events import Finished
from service.engine.request.requests import GenerationRequest, Overflow
from service.llama.llama_model import LlamaModel
from service.llama.load_errors import ModelLoadError
from service.llama.loader import load
from service.sampling.gbnf import GbnfGuide
from service.sampling.settings import SamplingSettings
from slotline.cli.default_model import default_model_path
from tests.support.engine import GREEDY
from tests.support.llama_bench import N_CTX_SLOT, N_SLOTS, LlamaBench
from tests.support.server import PATIENCE_S
from tests.support.serving import run_slotline
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf
from tests.support.tiny_mamba import write_tiny_mamba

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.engine import RecordingSink
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

MODEL = TinyModel(n_layers=2)
PROMPT = tuple(b"a prompt of some length, which both models read")
#: Critical value of chi-square at 0.1 %, by degrees of freedom.
CRITICAL = {7: 24.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For files of models."""
    return tmp_path_factory.mktemp("drafts")


@pytest.fixture(scope="module")
def model_path(folder: Path) -> Path:
    """The model."""
    return write_tiny_gguf(folder / "model.gguf", MODEL)


@pytest.fixture(scope="module", params=["itself", "another"])
def loaded(request: pytest.FixtureRequest, folder: Path, model_path: Path) -> Iterator[LlamaModel]:
    """The model with itself as the draft model, whose guesses are right, or with one whose guesses are not."""
    draft = model_path
    if request.param == "another":
        draft = write_tiny_gguf(folder / "draft.gguf", replace(MODEL, n_layers=1, seed=1))
    config = ModelConfig(
        str(model_path), n_ctx=N_SLOTS * N_CTX_SLOT, n_parallel=N_SLOTS, n_threads=1, draft_path=str(draft)
    )
    with load(config) as model:
        assert isinstance(model, LlamaModel)
        yield model


@pytest.fixture
def model(loaded: LlamaModel) -> LlamaModel:
    """The model and its draft model."""
    return loaded


def bench_of(model: LlamaModel, **options: int) -> LlamaBench:
    """An engine on a model and its draft model, both empty."""
    assert model.draft is not None
    for each in (model, model.draft):
        for seq_id in range(each.info.n_seq_max):
            each.memory.remove(seq_id, 0, -1)
    return LlamaBench(model, **options)


def bench_without(model: LlamaModel) -> LlamaBench:
    """An engine that knows of no draft model; the model is empty."""
    draft = model.draft
    bench_of(model)
    try:
        model.draft = None
        return LlamaBench(model)
    finally:
        model.draft = draft


def random_request(random_: random.Random) -> GenerationRequest:
    """A request whose prompt others may have, too."""
    return GenerationRequest(
        prompt=(*PROMPT[: random_.randrange(1, 40)], *random_.randbytes(random_.randrange(1, 5))),
        n_sequences=random_.choice([1, 1, 1, 4]),
        sampling=random_.choice([GREEDY, SamplingSettings(seed=1)]),
        max_tokens=random_.choice([0, 1, 10, 90]),
        overflow=random_.choice(list(Overflow)),
        cache_prompt=random_.random() < 0.8,
        cache_salt=random_.choice(["", "salt"]),
        priority=random_.choice([0, 0, 1]),
        n_keep=random_.choice([0, 3, -1]),
        guide=random_.choice([None, None, GbnfGuide('root ::= "yes" | "no"')]),
    )


@pytest.mark.parametrize("seed", range(3))
def test_random_requests_and_cancels_leave_nothing_behind(model: LlamaModel, seed: int) -> None:
    random_ = random.Random(seed)
    bench = bench_of(model)
    sinks = bench.run_random(random_, lambda: random_request(random_))
    assert all(isinstance(sink.events[-1], Finished) for sink in sinks)
    counters = bench.engine.snapshot().counters
    assert counters.drafted_tokens > 0
    bench.empty()


def test_greedy_texts_are_the_same(model: LlamaModel) -> None:
    sampling = replace(GREEDY, ignore_eos=True)
    request = GenerationRequest(prompt=PROMPT[:20], sampling=sampling, max_tokens=40, cache_prompt=False)
    plain = bench_without(model).complete(request)
    bench = bench_of(model)
    tried = bench.complete(request)
    assert tried.text == plain.text
    counters = bench.engine.snapshot().counters
    assert plain.finished.timings.draft_tokens == 0
    assert tried.finished.timings.draft_tokens == counters.drafted_tokens > 0


def test_nearly_all_guesses_of_the_model_itself_are_right(folder: Path, model_path: Path) -> None:
    config = ModelConfig(str(model_path), n_ctx=512, n_threads=1, draft_path=str(model_path))
    with load(config) as loaded:
        assert isinstance(loaded, LlamaModel)
        bench = bench_of(loaded, n_slots=1, n_ctx_slot=512)
        sampling = replace(GREEDY, ignore_eos=True)
        bench.complete(GenerationRequest(prompt=PROMPT, sampling=sampling, max_tokens=300))
        counters = bench.engine.snapshot().counters
        assert counters.accepted_tokens > 0.95 * counters.drafted_tokens > 200
        assert counters.steps < 100


def test_distributions_are_the_same(model: LlamaModel) -> None:
    """Tokens at a place that drafts reach, with other seeds each: two samples of one distribution, by chi-square."""
    sampling = SamplingSettings(temperature=1.0, top_k=8, top_p=1.0, min_p=0.0, repeat_penalty=1.0, ignore_eos=True)

    def request(seed: int) -> GenerationRequest:
        return GenerationRequest(
            prompt=PROMPT[:8], sampling=replace(sampling, seed=seed), max_tokens=5, want_tokens=True
        )

    def third_tokens(bench: LlamaBench, seeds: range) -> list[int]:
        return [_tokens(bench.complete(request(seed)))[2] for seed in seeds]

    plain = third_tokens(bench_without(model), range(400))
    bench = bench_of(model)
    tried = third_tokens(bench, range(1000, 1400))
    assert bench.engine.snapshot().counters.drafted_tokens > 400
    kinds, counts = np.unique([*plain, *tried], return_counts=True)
    common = kinds[np.argsort(counts)[-7:]]
    table = np.array([[*(sample.count(token) for token in common)] for sample in (plain, tried)], float)
    table = np.column_stack([table, 400 - table.sum(axis=1)])
    expected = table.sum(axis=0) / 2
    expected[expected == 0] = 1.0
    assert ((table - expected) ** 2 / expected).sum() < CRITICAL[7]


def _tokens(sink: RecordingSink) -> list[int]:
    return [record.id for event in sink.events for record in getattr(event, "tokens", ())]


def test_a_recurrent_model_neither_guesses_nor_is_guessed(
    folder: Path, model_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mamba = write_tiny_mamba(folder / "mamba.gguf")
    plain = write_tiny_gguf(folder / "plain.gguf", TinyModel())
    with pytest.raises(ModelLoadError, match="cannot take back tokens that were wrong; `draft_path` must name"):
        load(ModelConfig(str(plain), n_ctx=256, n_threads=1, draft_path=str(mamba)))
    with load(ModelConfig(str(mamba), n_ctx=256, n_threads=1, draft_path=str(plain))) as model:
        assert isinstance(model, LlamaModel)
        assert model.draft is None
    assert "the draft model is not loaded: this model cannot take back tokens" in caplog.text


def test_another_vocabulary_is_one_line(model_path: Path) -> None:
    for command in ("serve", "core"):
        status, process = run_slotline(command, "--model-draft", str(model_path))
        assert status == 1
        assert process.stderr == (
            f"error: draft model file {model_path} has another vocabulary than the model: it has 261 tokens, not "
            "49152; --model-draft must name a model of the same family\n"
        )


def test_an_option_of_drafts_without_a_draft_model_is_one_line() -> None:
    status, process = run_slotline("serve", "--draft-max", "4")
    assert status == 1
    assert process.stderr.startswith("error: --draft-max 4 is of no use without --model-draft\n")


@pytest.fixture(scope="module")
def server(servers: ServerPool) -> Server:
    """The default model that guesses for itself."""
    return servers.get("-c", "1024", "-np", "2", "--metrics", "-md", str(default_model_path()), "--draft-max", "4")


def test_a_server_with_a_draft_model_answers_as_one_without(server: Server, servers: ServerPool) -> None:
    body = {"prompt": "1, 2, 3,", "n_predict": 24, "temperature": 0, "cache_prompt": False}
    plain = servers.get("-c", "1024", "-np", "2", "--metrics")
    answers = [
        requests.post(f"{each.rest_url}/completion", json=body, timeout=PATIENCE_S).json() for each in (server, plain)
    ]
    assert answers[0]["content"] == answers[1]["content"]
    metrics = requests.get(f"{server.rest_url}/metrics", timeout=PATIENCE_S).text
    assert "slotline_drafted_tokens_total 0.0" not in metrics
