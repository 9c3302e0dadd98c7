"""The system prompt, as far as it is not in the transcripts."""

from __future__ import annotations

from service.engine.request.events import SystemPromptSet
from service.engine.request.requests import SystemPrompt, SystemPromptRequest
from service.sampling.settings import SamplingSettings
from tests.support.engine import EngineBench, expected_text, prompt, request


def test_snapshots_have_all_of_the_one_in_force() -> None:
    bench = EngineBench()
    one, other = (
        SystemPrompt(text, prompt(text), anti_prompt="User:", assistant_name="Bot") for text in ("Old one. ", "New. ")
    )
    assert bench.complete(SystemPromptRequest(one)).events == [SystemPromptSet()]
    assert bench.engine.snapshot().system_prompt == one
    bench.complete(request("hello", system_prompt=other))
    assert bench.engine.snapshot().system_prompt == other
    bench.complete(request("hello", system_prompt=SystemPrompt()))
    assert bench.engine.snapshot().system_prompt is None


def test_the_penalties_do_not_see_it() -> None:
    bench = EngineBench()
    bench.complete(SystemPromptRequest(SystemPrompt("z" * 20, prompt("z" * 20))))
    penalised = SamplingSettings(temperature=0.0, repeat_penalty=1000.0, repeat_last_n=-1)
    sink = bench.complete(request("q", sampling=penalised, max_tokens=1))
    assert sink.text == expected_text("z" * 20 + "q", 1)
