"""Every grammar is closed, however its request ends; what requests with grammars say is in the transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed
from service.engine.request.events import FinishReason
from service.engine.request.requests import GenerationRequest
from service.errors import EngineFailure
from service.sampling.gbnf import GbnfGuide
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import EOS
from tests.support.engine import GREEDY, EngineBench, prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.engine import Engine

YES_NO = GbnfGuide('root ::= "yes" | "no"')
LONG = GbnfGuide(f'root ::= "{"yes " * 20}"')


def request(text: str = "hello", **options: object) -> GenerationRequest:
    """A greedy request with a grammar."""
    defaults: dict[str, object] = {"prompt": prompt(text), "sampling": GREEDY, "max_tokens": 64, "guide": YES_NO}
    return GenerationRequest(**(defaults | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [{"sampling": SamplingSettings(ignore_eos=True, seed=1)}, {"min_tokens": 60}])
def test_a_complete_grammar_ends_the_text_even_if_the_end_is_banned(more: dict[str, Any]) -> None:
    bench = EngineBench()
    sink = bench.complete(request(**more))
    assert sink.text in ("yes", "no")
    assert (sink.finished.reason, sink.finished.eos_token) == (FinishReason.STOP, EOS)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_tokens": 3}, FinishReason.LENGTH),
        ({"max_tokens": 0}, FinishReason.LENGTH),
        ({"stop_texts": (b"s y",)}, FinishReason.STOP),
        ({"stop_tokens": frozenset(b"s")}, FinishReason.STOP),
    ],
)
def test_a_text_that_ends_before_its_grammar_closes_it(options: dict[str, Any], reason: FinishReason) -> None:
    bench = EngineBench()
    assert bench.complete(request(guide=LONG, **options)).finished.reason is reason
    assert bench.model.vocabulary.open_grammars == 0


def test_a_full_context_closes_the_grammar() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=16))
    assert bench.complete(request(guide=LONG)).finished.reason is FinishReason.LENGTH
    assert bench.model.vocabulary.open_grammars == 0


@pytest.mark.parametrize("n_steps", [1, 2, 5])
@pytest.mark.parametrize(
    "end",
    [
        lambda engine, task_id: engine.cancel(task_id),
        lambda engine, _: engine.stop(),
        lambda engine, _: engine.fail_all(EngineFailure("it died")),
    ],
    ids=["cancel", "stop", "fail"],
)
def test_a_request_that_is_ended_closes_its_grammar(end: Callable[[Engine, int], object], n_steps: int) -> None:
    bench = EngineBench()
    task_id, _ = bench.submit(request(guide=LONG))
    for _ in range(n_steps):
        bench.step()
    assert bench.model.vocabulary.open_grammars == 1
    end(bench.engine, task_id)
    assert bench.model.vocabulary.open_grammars == 0


def test_a_failed_decode_closes_the_grammar() -> None:
    bench = EngineBench()
    _, sink = bench.submit(request(guide=LONG))
    bench.step()
    bench.model.compute.fail_next = DecodeFailed("broken")
    bench.run()
    assert isinstance(sink.failed.error, EngineFailure)
    assert bench.model.vocabulary.open_grammars == 0


def test_a_preempted_request_that_is_cancelled_closes_its_grammar() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    task_id, low = bench.submit(request(guide=LONG))
    bench.step()
    bench.submit(request("high", guide=None, priority=1))
    bench.step()
    assert bench.engine.queue_depth == 1
    assert bench.model.vocabulary.open_grammars == 1
    bench.engine.cancel(task_id)
    assert bench.model.vocabulary.open_grammars == 0
    bench.run()
    assert not low.is_over
