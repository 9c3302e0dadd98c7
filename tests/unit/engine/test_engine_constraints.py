"""Compiled constraints through the engine, whatever happens to the sequences that obey them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.config import EngineConfig, Lookup
from service.constraints.compiler import ConstraintCompiler
from service.constraints.spec import ConstraintKind, ConstraintSpec
from service.engine.request.events import FinishReason
from service.engine.request.requests import GenerationRequest, Overflow
from service.errors import InvalidArgument
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import EOS
from tests.support.engine import GREEDY, EngineBench, prompt
from tests.support.scripted_core import ByteVocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.constraints.grammar import LarkGuide

DIGITS = "[0-9]{3}(-[a-c]{2}){4}"
#: Every token is as likely as any other.
RANDOM = SamplingSettings(temperature=1000.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0)


@pytest.fixture(scope="module")
def compiler() -> Iterator[ConstraintCompiler]:
    compiler = ConstraintCompiler.of(ByteVocabulary())
    yield compiler
    compiler.close()


@pytest.fixture(scope="module")
def digits(compiler: ConstraintCompiler) -> LarkGuide:
    return compiler.compile(ConstraintSpec(ConstraintKind.REGEX, DIGITS), field="constraint.regex")


def request(guide: LarkGuide | None, text: str = "hello", **options: object) -> GenerationRequest:
    defaults: dict[str, object] = {"prompt": prompt(text), "sampling": RANDOM, "max_tokens": 64, "guide": guide}
    return GenerationRequest(**(defaults | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        *({"sampling": replace(RANDOM, seed=seed)} for seed in range(4)),
        {"sampling": GREEDY},
        {"sampling": replace(RANDOM, ignore_eos=True, seed=1)},
        {"sampling": replace(RANDOM, mirostat=2, seed=1)},
        {"sampling": replace(RANDOM, n_probs=3, top_logprobs=2, seed=1)},
        {"sampling": replace(RANDOM, logit_bias=((ord("0"), 100.0), (ord("1"), float("-inf"))), seed=1)},
        {"min_tokens": 60},
        {"prompt_logprobs": 1, "want_tokens": True},
    ],
)
def test_the_text_obeys_whatever_else_is_asked_for(digits: LarkGuide, options: dict[str, Any]) -> None:
    sink = EngineBench().complete(request(digits, **options))
    assert re.fullmatch(DIGITS, sink.text)
    assert (sink.finished.reason, sink.finished.eos_token) == (FinishReason.STOP, EOS)


def test_all_sequences_of_a_request_obey_for_themselves(digits: LarkGuide) -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128))
    sink = bench.complete(request(digits, n_sequences=5))
    texts = [sink.text_of(index) for index in range(5)]
    assert all(re.fullmatch(DIGITS, text) for text in texts)
    assert len(set(texts)) > 1


def test_requests_of_one_constraint_do_not_know_each_other(digits: LarkGuide) -> None:
    bench = EngineBench(EngineConfig(n_slots=4, n_ctx_slot=128))
    sinks = [bench.submit(request(digits, f"request {number}"))[1] for number in range(9)]
    free = bench.submit(request(None, "free"))[1]
    bench.run()
    assert all(re.fullmatch(DIGITS, sink.text) for sink in sinks)
    assert free.is_over


def test_a_sequence_that_gives_way_goes_on_in_its_grammar(digits: LarkGuide) -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    _, low = bench.submit(request(digits))
    for _ in range(6):
        bench.step()
    begun = low.text
    assert begun
    _, high = bench.submit(request(None, "high", priority=1, max_tokens=3))
    bench.step()
    assert bench.engine.queue_depth == 1
    bench.run()
    assert high.is_over
    assert low.text.startswith(begun)
    assert re.fullmatch(DIGITS, low.text)


def test_a_context_shift_leaves_the_grammar_alone(compiler: ConstraintCompiler) -> None:
    guide = compiler.compile(ConstraintSpec(ConstraintKind.REGEX, "(ab){40}"), field="constraint.regex")
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    sink = bench.complete(request(guide, max_tokens=200, overflow=Overflow.TRUNCATE))
    assert sink.text == "ab" * 40
    assert sink.finished.truncated


@pytest.mark.parametrize("lookup", [Lookup.ON, Lookup.AUTO])
def test_drafts_are_tested_token_by_token(compiler: ConstraintCompiler, lookup: Lookup) -> None:
    """The model repeats itself, so drafts are right until the grammar wants something else."""
    guide = compiler.compile(ConstraintSpec(ConstraintKind.REGEX, "(abc){9}x(abc){9}"), field="constraint.regex")
    bench = EngineBench(
        EngineConfig(n_slots=1, n_ctx_slot=256, lookup=lookup),
        script=lambda tokens: tokens[-3] if len(tokens) > 3 else 97,
    )
    sink = bench.complete(request(guide, "abcabcabcabcabc", sampling=GREEDY, max_tokens=100))
    assert sink.text == "abc" * 9 + "x" + "abc" * 9
    if lookup is Lookup.ON:
        assert bench.engine.snapshot().counters.accepted_tokens > 0


def test_a_grammar_that_becomes_too_complex_fails_its_request_and_nobody_else(
    compiler: ConstraintCompiler, digits: LarkGuide
) -> None:
    text = "start: a{1,100000}\na: b{1,100000}\nb: /x/{1,100000}\n"
    guide = compiler.compile(ConstraintSpec(ConstraintKind.LARK, text), field="constraint.lark")
    bench = EngineBench()
    _, bad = bench.submit(request(guide, max_tokens=1000, sampling=replace(RANDOM, ignore_eos=True)))
    _, good = bench.submit(request(digits, "good"))
    bench.run()
    error = bad.failed.error
    assert isinstance(error, InvalidArgument)
    assert error.field == "constraint.lark"
    assert f"could not be followed beyond {len(bad.text)} tokens of the output" in error.problem
    assert "Current row has" in error.problem
    assert re.fullmatch(DIGITS, good.text)


def test_if_nothing_is_left_the_text_ends(compiler: ConstraintCompiler) -> None:
    guide = compiler.compile(ConstraintSpec.choice(["ab"]), field="constraint.choice.texts")
    banned = replace(RANDOM, logit_bias=((ord("b"), float("-inf")),))
    sink = EngineBench().complete(request(guide, sampling=banned))
    assert (sink.text, sink.finished.reason, sink.finished.eos_token) == ("a", FinishReason.STOP, EOS)


def test_random_texts_obey_a_schema(compiler: ConstraintCompiler) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"enum": ["x", None]}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    spec = ConstraintSpec(ConstraintKind.JSON_SCHEMA, json.dumps(schema))
    guide = compiler.compile(spec, field="constraint.json_schema")
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=512))
    sink = bench.complete(request(guide, n_sequences=8, max_tokens=400))
    for index in range(8):
        answer = json.loads(sink.text_of(index))
        assert list(answer) == ["a", "b"]
        assert answer["a"] in range(100)
        assert answer["b"] in ("x", None)
