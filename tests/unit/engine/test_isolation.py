"""An error that nobody foresaw ends the request it belongs to, and no other."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.config import EngineConfig, Lookup
from service.engine.cache.reuse import PromptReuse
from service.engine.cache.slot_memory import SlotMemory
from service.engine.language_model import DecodeFailed
from service.engine.output.text import TextOutput
from service.engine.request.events import Failed
from service.engine.request.requests import EmbeddingRequest, Overflow
from service.engine.request.snapshots import Outcome
from service.engine.request.state import SequenceState
from service.engine.schedule.admission import Admission
from service.engine.schedule.embedding import EmbeddingWork
from service.engine.schedule.lookup import Repetition
from service.engine.schedule.prefix_sharing import PrefixSharing
from service.errors import EngineFailure
from service.sampling.gbnf import GbnfGuide
from service.sampling.sampler import Sampler
from service.testing.scripted_model import ScriptedCompute, states
from tests.support.engine import EngineBench, RecordingSink, expected_text, prompt, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.request.sequence import SequenceLife

EMFILE = OSError(errno.EMFILE, "Too many open files")


class Fault:
    """Makes the n-th call of a method fail, and only that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, nth: int, error: Exception) -> None:
        real: Callable[..., Any] = getattr(owner, name)
        self.n_calls = 0

        def faulty(*arguments: Any, **named: Any) -> Any:
            self.n_calls += 1
            if self.n_calls == nth:
                raise error
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, faulty)
        self._nth = nth

    @property
    def has_happened(self) -> bool:
        """Whether the call that was to fail was made."""
        return self.n_calls >= self._nth


def assert_failed(sink: RecordingSink) -> None:
    """It ended with an error that says nothing about the inside."""
    assert isinstance(sink.failed.error, EngineFailure)
    assert sink.failed.error.message == "internal error; the server's log has the details"


@pytest.mark.parametrize(
    ("owner", "name", "nth"),
    [
        # The one request that waits.
        (Admission, "has_cells", 1),
        (PrefixSharing, "must_wait", 1),
        (Admission, "_prompt", 1),
        (Sampler, "__init__", 1),
        (PromptReuse, "choose_slot", 1),
        (PromptReuse, "attach_prefix", 1),
        (SlotMemory, "cut", 1),
        # The second of two that get a token.
        (Sampler, "prepare", 2),
        (Sampler, "finish", 2),
        (Sampler, "accept", 2),
        (TextOutput, "push", 2),
    ],
)
@pytest.mark.parametrize("error", [EMFILE, MemoryError()], ids=lambda error: type(error).__name__)
def test_a_fault_in_one_generation_is_its_own(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    name: str,
    nth: int,
    error: Exception,
) -> None:
    bench = EngineBench()
    _, good = bench.submit(request("good", max_tokens=20))
    bench.step()
    fault = Fault(monkeypatch, owner, name, nth, error)
    _, bad = bench.submit(request("bad", max_tokens=20, guide=GbnfGuide(f'root ::= "{"x" * 20}"')))
    bench.run()
    assert fault.has_happened
    assert good.text == expected_text("good", 20)
    assert_failed(bad)
    assert [record.message for record in caplog.records] == ["a request failed unexpectedly"]
    assert caplog.records[0].exc_info is not None
    assert_serves(bench)
    counters = bench.engine.snapshot().counters
    assert dict(zip(Outcome, counters.requests, strict=True))[Outcome.FAILED] == 1


def assert_serves(bench: EngineBench) -> None:
    """What comes later gets all slots."""
    later = [bench.submit(request(f"later {number}"))[1] for number in range(3)]
    bench.run()
    assert [sink.text for sink in later] == [expected_text(f"later {number}", 8) for number in range(3)]


def test_a_fault_ends_all_sequences_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=128))
    _, good = bench.submit(request("good", max_tokens=30))
    _, bad = bench.submit(request("bad", max_tokens=30, n_sequences=2))
    while sum(slot.task_id == 2 for slot in bench.engine.snapshot().slots) < 2:
        bench.step()
    Fault(monkeypatch, TextOutput, "push", 3, EMFILE)
    bench.run()
    assert good.text == expected_text("good", 30)
    assert_failed(bad)
    assert_serves(bench)


def test_logits_that_cannot_be_read_cost_the_requests_of_that_step(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench()
    _, first = bench.submit(request("first", max_tokens=20))
    bench.step()
    Fault(
        monkeypatch,
        ScriptedCompute,
        "all_logits",
        1,
        DecodeFailed("llama.cpp has no logits for the last 2 rows of the batch"),
    )
    _, second = bench.submit(request("second"))
    bench.run()
    assert_failed(first)
    assert_failed(second)
    assert_serves(bench)


def test_a_fault_while_a_request_is_queued_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench()
    _, good = bench.submit(request("good", max_tokens=20))
    bench.step()
    Fault(monkeypatch, EmbeddingWork, "submit", 1, MemoryError())
    _, bad = bench.submit(EmbeddingRequest((prompt("a"),)))
    bench.run()
    assert good.text == expected_text("good", 20)
    assert_failed(bad)


def test_a_fault_after_a_part_was_queued_leaves_nothing_in_the_queue() -> None:
    bench = EngineBench()

    def fail(life: SequenceLife, _: SequenceState) -> None:
        if life.index == 2 and life.state is SequenceState.SHARING:
            raise EMFILE

    bench.engine.listen(fail)
    _, bad = bench.submit(request("hello", n_sequences=4))
    assert bench.engine.queue_depth == 0
    bench.run()
    assert_failed(bad)
    counters = bench.engine.snapshot().counters
    assert dict(zip(Outcome, counters.requests, strict=True))[Outcome.FAILED] == 1
    assert_serves(bench)


def test_a_fault_in_one_embedding_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench()
    # All of them are in one call: the first input of the first request, then its second, which has gone with it.
    Fault(monkeypatch, EmbeddingWork, "_pool", 1, MemoryError())
    _, bad = bench.submit(EmbeddingRequest((prompt("a"), prompt("b"))))
    _, good = bench.submit(EmbeddingRequest((prompt("c"),)))
    bench.run()
    sinks = {"bad": bad, "good": good}
    failed = [name for name, sink in sinks.items() if isinstance(sink.events[-1], Failed)]
    assert len(failed) == 1
    assert_failed(sinks.pop(failed[0]))
    (other,) = sinks.values()
    texts = "c" if other is good else "ab"
    assert np.array_equal(other.embedded.vectors, [states(prompt(text))[-1] for text in texts])
    assert_serves(bench)


def test_a_fault_in_a_full_context_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=64))
    Fault(monkeypatch, SlotMemory, "shift", 1, MemoryError())
    _, good = bench.submit(request("good", max_tokens=40))
    _, bad = bench.submit(request("b" * 50, max_tokens=40, overflow=Overflow.TRUNCATE))
    bench.run()
    assert good.text == expected_text("good", 40)
    assert_failed(bad)
    assert_serves(bench)


def test_a_fault_in_coming_back_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    _, bad = bench.submit(request("bad", max_tokens=20, guide=GbnfGuide(f'root ::= "{"x" * 20}"')))
    bench.step()
    _, good = bench.submit(request("good", max_tokens=20, priority=1))
    Fault(monkeypatch, SlotMemory, "swap_in", 1, MemoryError())
    bench.run()
    assert good.text == expected_text("good", 20)
    assert_failed(bad)
    assert_serves(bench)


def test_a_fault_in_a_draft_costs_nothing_but_drafts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = EngineBench(
        EngineConfig(n_slots=2, n_ctx_slot=128, lookup=Lookup.ON), script=lambda tokens: tokens[-3], token_s=0.0001
    )
    fault = Fault(monkeypatch, Repetition, "draft", 1, MemoryError())
    sink = bench.complete(request("abcabcabc", max_tokens=40))
    assert fault.has_happened
    assert sink.text == ("abc" * 14)[:40]
    assert [record.message for record in caplog.records] == ["drafts of LookupDrafts are off, after an error"]
