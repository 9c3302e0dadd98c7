"""The compiler: each constraint once, in threads of its own, with callers that may go and waits that end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from service.constraints import compiled
from service.constraints.compiled import MAX_KEPT, MAX_WAITING, CompiledGrammars
from service.constraints.compiler import ConstraintCompiler
from service.constraints.grammar import CompiledGrammar
from service.constraints.spec import ConstraintKind, ConstraintSpec
from service.errors import Draining, InvalidArgument, NotSupported, QueueFull
from service.prompts.work import Abandoned, Turns, Work
from tests.support.scripted_core import WAIT_S, ByteVocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.constraints.grammar import LarkGuide


class HeldCompilations:
    """Takes the place of ``CompiledGrammar``: counts, and waits while it is told to."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.begun = threading.Semaphore(0)

    def __call__(self, tokenizer: object, eog_tokens: frozenset[int], text: str) -> CompiledGrammar:
        self.texts.append(text)
        self.begun.release()
        assert self.may_go_on.wait(WAIT_S)
        return CompiledGrammar(tokenizer, eog_tokens, text)  # type: ignore[arg-type]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldCompilations]:
    held = HeldCompilations()
    monkeypatch.setattr(compiled, "CompiledGrammar", held)
    yield held
    held.may_go_on.set()


@pytest.fixture
def compiler(held: HeldCompilations) -> Iterator[ConstraintCompiler]:
    compiler = ConstraintCompiler.of(ByteVocabulary())
    yield compiler
    held.may_go_on.set()
    compiler.close()


def compile_text(compiler: ConstraintCompiler, text: str) -> LarkGuide:
    return compiler.compile(ConstraintSpec.choice([text]), field="choice")


def test_a_constraint_is_compiled_once(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    first, second = compile_text(compiler, "a"), compile_text(compiler, "a")
    assert first.grammar is second.grammar
    assert len(held.texts) == 1
    compile_text(compiler, "b")
    assert len(held.texts) == 2


def test_callers_that_come_together_share_one_compilation(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    held.may_go_on.clear()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(compile_text, compiler, "a") for _ in range(8)]
        assert held.begun.acquire(timeout=WAIT_S)
        held.may_go_on.set()
        grammars = {id(call.result(WAIT_S).grammar) for call in calls}
    assert len(grammars) == 1
    assert len(held.texts) == 1


def test_what_was_used_last_is_kept(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    for number in range(MAX_KEPT):
        compile_text(compiler, str(number))
    compile_text(compiler, "0")
    compile_text(compiler, "one more")
    n_compiled = len(held.texts)
    compile_text(compiler, "0")
    assert len(held.texts) == n_compiled
    compile_text(compiler, "1")
    assert len(held.texts) == n_compiled + 1


def test_what_has_cost_much_is_not_kept_beside_much_else(
    compiler: ConstraintCompiler, held: HeldCompilations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "MAX_KEPT_S", 10.0)
    for text in "abc":
        compile_text(compiler, text).grammar.cost_s = 4.0
    compile_text(compiler, "d").grammar.cost_s = 0.0
    n_compiled = len(held.texts)
    for text in "bcd":
        compile_text(compiler, text)
    assert len(held.texts) == n_compiled
    compile_text(compiler, "a")
    assert len(held.texts) == n_compiled + 1


def test_what_cannot_be_compiled_is_not_tried_again(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    for field in ("constraint.lark", "constraint.gbnf"):
        with pytest.raises(InvalidArgument) as caught:
            compiler.compile(ConstraintSpec(ConstraintKind.REGEX, "(?=a)"), field=field)
        assert caught.value.field == field
    assert len(held.texts) == 1


def test_a_caller_gives_up_after_a_while(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    held.may_go_on.clear()
    hasty = replace(compiler, timeout_s=0.001)
    with pytest.raises(InvalidArgument, match=r"choice: takes more than 0\.001 s to compile") as caught:
        compile_while_begun(hasty, held)
    assert caught.value.field == "choice"
    # What goes on is there for those who ask again.
    held.may_go_on.set()
    assert compile_text(compiler, "a").grammar
    assert len(held.texts) == 1


def compile_while_begun(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    """Compile "a" with a caller whose patience begins only once a thread works at it."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(compile_text, replace(compiler, timeout_s=WAIT_S), "a")
        assert held.begun.acquire(timeout=WAIT_S)
        try:
            compile_text(compiler, "a")
        finally:
            held.may_go_on.set()


def test_an_abandoned_caller_does_not_wait(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    held.may_go_on.clear()
    work = Work(Turns(1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(compile_text, compiler.paced(work), "a")
        assert held.begun.acquire(timeout=WAIT_S)
        work.abandon()
        assert isinstance(call.exception(WAIT_S), Abandoned)
        held.may_go_on.set()


def test_a_caller_that_waits_holds_no_turn(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    held.may_go_on.clear()
    turns = Turns(1)
    turns.take()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(compile_text, compiler.paced(Work(turns)), "a")
        assert held.begun.acquire(timeout=WAIT_S)
        # Would wait for ever otherwise.
        turns.take()
        turns.give_back()
        held.may_go_on.set()
        assert call.result(WAIT_S)


def test_too_many_that_wait_are_refused(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    held.may_go_on.clear()
    with ThreadPoolExecutor(MAX_WAITING) as pool:
        calls = [pool.submit(compile_text, compiler, str(number)) for number in range(MAX_WAITING)]
        for _ in range(2):
            assert held.begun.acquire(timeout=WAIT_S)
        while compiler.grammars.n_unfinished < MAX_WAITING:
            wait(calls, timeout=0.001)
        with pytest.raises(QueueFull):
            compile_text(compiler, "one more")
        held.may_go_on.set()
        assert all(call.result(WAIT_S) for call in calls)


def test_a_closed_compiler_lets_callers_go(compiler: ConstraintCompiler, held: HeldCompilations) -> None:
    held.may_go_on.clear()
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(compile_text, compiler, text) for text in "abc"]
        for _ in range(2):
            assert held.begun.acquire(timeout=WAIT_S)
        while compiler.grammars.n_unfinished < 3:
            wait(calls, timeout=0.001)
        compiler.close()
        held.may_go_on.set()
        errors = [call.exception(WAIT_S) for call in calls]
    assert sorted(str(type(error).__name__) for error in errors) == ["Draining", "NoneType", "NoneType"]
    with pytest.raises(Draining):
        compile_text(compiler, "d")


def test_the_vocabulary_is_read_once_and_ahead_if_wanted() -> None:
    n_read = 0

    class Counting(ByteVocabulary):
        def token_bytes(self, token: int, special: bool = False) -> bytes:
            nonlocal n_read
            n_read += token == 0
            return super().token_bytes(token, special)

    compiler = ConstraintCompiler.of(Counting())
    assert n_read == 0
    compiler.prepare()
    compiler.grammars.read_vocabulary().result(WAIT_S)
    once = n_read
    assert once > 0
    compile_text(compiler, "a")
    assert n_read == once
    compiler.close()


def test_a_model_whose_texts_have_no_end_takes_no_constraints() -> None:
    compiler = ConstraintCompiler(CompiledGrammars(ByteVocabulary(eog_tokens=frozenset())))
    compiler.prepare()
    with pytest.raises(NotSupported, match="no end-of-generation token"):
        compile_text(compiler, "a")
