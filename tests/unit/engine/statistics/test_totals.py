"""What the engine counts of calls of the model, on the scripted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.engine import EngineBench, request

if TYPE_CHECKING:
    from service.engine.request.snapshots import Counters


def counters(bench: EngineBench) -> Counters:
    """The counters now."""
    return bench.engine.snapshot().counters


def test_a_call_counts_once_with_all_its_sequences() -> None:
    bench = EngineBench()
    bench.submit(request("hello", max_tokens=4))
    bench.submit(request("other", max_tokens=4))
    bench.run()
    found = counters(bench)
    # Two prompts in one call, and then three times one token for each; the fourth is chosen, and not evaluated.
    assert (found.model_calls, found.call_sequences) == (4, 8)


def test_inputs_that_were_embedded_are_counted_apart_from_prompts() -> None:
    bench = EngineBench()
    bench.embed("hello", "other one")
    found = counters(bench)
    assert (found.embedded_tokens, found.prompt_tokens) == (14, 0)
    assert found.model_calls > 0


def test_the_longest_sequence_is_the_one_with_most_tokens_of_prompt_and_output() -> None:
    bench = EngineBench()
    for prompt, max_tokens in (("hello", 20), ("hello you", 4)):
        bench.complete(request(prompt, max_tokens=max_tokens))
    assert counters(bench).longest == 25
