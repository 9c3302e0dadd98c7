"""Parsed output through the engine: channels, calls, stop texts, records, the budget, and all that moves sequences."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import EngineConfig, Lookup
from service.dialogue.chat_format import CallFormat, CallStyle, ChatFormat, ReasoningMarkers
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.output import Channel, ReasoningFormat
from service.dialogue.parsing.factory import make_parser
from service.engine.request.events import FinishReason, Piece, ToolDelta
from service.engine.request.requests import GenerationRequest, OutputParsing, Overflow, ReasoningBudget
from service.sampling.gbnf import GbnfGuide
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import BOS, EOS
from tests.support.engine import EngineBench, RecordingSink, prompt
from tests.support.engine import request as plain_request
from tests.support.parsed import TOOLS, Call, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROMPT = "hello"
CALL = '<tool_call>\n{"name": "get", "arguments": {"n": 1}}\n</tool_call>'
CALLS = [Call("id0", "get", '{"n": 1}')]
#: A format of which the scripted model's BOS is a control token.
WITH_CONTROL = ChatFormat(
    CallFormat(CallStyle.NAME_JSON, call_open="<call>", name_close="|"),
    reasoning=ReasoningMarkers("<think>", "</think>"),
    control_tokens=("<call>",),
)


def says(*answer: str | int) -> Callable[[Sequence[int]], int]:
    """A script that answers ``PROMPT`` with texts and tokens, and then ends."""
    tokens = [token for part in answer for token in (prompt(part) if isinstance(part, str) else [part])]
    return lambda memory: [*tokens, EOS][min(len(memory) - len(PROMPT), len(tokens))]


def parsing(form: str | ChatFormat = "hermes", *, tail: str = "", **options: Any) -> OutputParsing:
    """How output is parsed; ids of calls are counted for each sequence."""
    chat_format = KNOWN_FORMATS[form] if isinstance(form, str) else form
    reasoning = options.pop("reasoning", ReasoningFormat.SEPARATE)

    def make() -> Any:
        numbers = itertools.count()
        return make_parser(chat_format, TOOLS, tail=tail, reasoning=reasoning, make_id=lambda: f"id{next(numbers)}")

    return OutputParsing(make, **options)


def request(parsed: OutputParsing | None = None, **options: Any) -> GenerationRequest:
    """A greedy request whose output is parsed."""
    return plain_request(PROMPT, **({"parsing": parsed or parsing(), "max_tokens": 300} | options))


def told(sink: RecordingSink, index: int = 0) -> tuple[str, str, list[Call]]:
    """Content, reasoning and calls of a sequence."""
    texts = dict.fromkeys(Channel, "")
    calls: list[Call] = []
    for event in sink.events:
        if isinstance(event, Piece) and event.index == index:
            assert event.channel is not None
            assert event.text or event.tokens
            texts[event.channel] += event.text
        elif isinstance(event, ToolDelta) and event.index == index:
            if event.name:
                calls.append(Call(event.id, event.name))
            assert event.call == len(calls) - 1
            calls[-1].arguments += event.arguments
    return texts[Channel.CONTENT], texts[Channel.REASONING], calls


def complete(*answer: str | int, **options: Any) -> RecordingSink:
    """Run a request whose answer this is."""
    return EngineBench(EngineConfig(n_slots=1, n_ctx_slot=512), script=says(*answer)).complete(request(**options))


def test_an_answer_comes_in_parts() -> None:
    sink = complete(f"<think>\nhm\n</think>\n\nHéllo\n{CALL}")
    assert told(sink) == ("Héllo", "hm", CALLS)
    assert (sink.finished.reason, sink.finished.n_calls) == (FinishReason.STOP, 1)
    assert sink.finished.reasoning_tokens == len("\nhm\n</think>")


def test_an_answer_without_calls_ends_as_ever() -> None:
    finished = complete("Hello").finished
    assert (finished.reason, finished.n_calls, finished.reasoning_tokens) == (FinishReason.STOP, 0, 0)


def test_a_limit_inside_of_a_call_leaves_what_was_streamed() -> None:
    sink = complete(CALL, max_tokens=CALL.index("1") + 1)
    assert told(sink) == ("", "", [Call("id0", "get", '{"n": 1')])
    assert (sink.finished.reason, sink.finished.n_calls) == (FinishReason.LENGTH, 0)


def test_a_limit_inside_of_a_marker_leaves_it_as_content() -> None:
    assert told(complete(CALL, max_tokens=5)) == (CALL[:5], "", [])


def test_a_character_that_is_cut_off_is_replaced() -> None:
    assert told(complete("é", max_tokens=1)) == ("\ufffd", "", [])


def test_a_control_token_is_seen_by_the_parser_only_if_it_is_named() -> None:
    answer = ("Hm", BOS, 'get|{"n": 1}')
    named = parsing(WITH_CONTROL, names={BOS: b"<call>"})
    assert told(complete(*answer, parsed=named)) == ("Hm", "", CALLS)
    assert told(complete(*answer, parsed=parsing(WITH_CONTROL))) == ('Hmget|{"n": 1}', "", [])


@pytest.mark.parametrize(
    ("answer", "stop", "is_found", "content", "reasoning", "calls"),
    [
        ("one two three", b"two", True, "one ", "", []),
        ("<think>two</think>one two", b"two", True, "one ", "two", []),
        (f"{CALL}one two", b"two", True, "one ", "", CALLS),
        (CALL, b"get", False, "", "", CALLS),
        (CALL, b"tool", False, "", "", CALLS),
        (f"a{CALL}b", b"ab", False, "ab", "", CALLS),
        (f"tw{CALL}o", b"two", False, "two", "", CALLS),
        ("one\n\n\n\n\n", b"\n\n", True, "one", "", []),
        (f"one\n{CALL}", b"\n", True, "one", "", []),
        ("<think>\n\nx\n\n</think>\n\none", b"\n\n", False, "one", "x", []),
    ],
)
def test_stop_texts_are_found_in_content_only(
    answer: str, stop: bytes, is_found: bool, content: str, reasoning: str, calls: list[Call]
) -> None:
    sink = complete(answer, stop_texts=(stop,))
    assert told(sink) == (content, reasoning, calls)
    assert sink.finished.stop_text == (stop if is_found else None)


def test_a_stop_text_in_what_was_held_back_to_the_end_is_found() -> None:
    sink = complete("one <tool", stop_texts=(b"<tool",))
    assert told(sink)[0] == "one "
    assert sink.finished.stop_text == b"<tool"


def test_records_come_with_content_and_reasoning_but_not_with_calls() -> None:
    sink = complete(f"<think>a\n</think>\nb <c\n{CALL}\nd", want_tokens=True)
    assert told(sink) == ("b <cd", "a", CALLS)
    by_channel = {
        channel: b"".join(
            record.token_bytes
            for event in sink.events
            if isinstance(event, Piece) and event.channel is channel
            for record in event.tokens
        )
        for channel in Channel
    }
    assert by_channel == {Channel.CONTENT: b"b <cd", Channel.REASONING: b"a"}


@pytest.mark.parametrize(("answer", "last"), [("Hi", [EOS]), (CALL, []), (f"Hi{CALL}", []), (f"{CALL}\n", [])])
def test_the_record_of_the_end_comes_with_a_text_or_not_at_all(answer: str, last: list[int]) -> None:
    sink = complete(answer, want_tokens=True)
    pieces = [event for event in sink.events if isinstance(event, Piece)]
    assert [record.id for piece in pieces if not piece.text for record in piece.tokens] == last


@pytest.mark.parametrize("n_tokens", [0, 1, 4])
@pytest.mark.parametrize("tail", ["<think>\n", ""])
def test_a_budget_closes_reasoning(tail: str, n_tokens: int) -> None:
    opening = "" if tail else "<think>"
    thought, closing = "abcdefgh" * 4, "!</think>"
    script = says(opening + thought)

    def answers(memory: Sequence[int]) -> int:
        return script(memory) if b"</think>" not in bytes(memory) else says(*[0] * 99)(memory) or EOS

    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=512), script=answers)
    budget = ReasoningBudget(n_tokens, prompt(closing))
    sink = bench.complete(request(parsing(tail=tail, budget=budget), max_tokens=40))
    assert told(sink) == ("", thought[:n_tokens] + "!", [])
    assert sink.finished.reasoning_tokens == n_tokens + len(closing)
    assert sink.finished.tokens_predicted == len(opening) + n_tokens + len(closing) + 1


def test_a_budget_ends_between_two_characters() -> None:
    budget = ReasoningBudget(1, prompt("</think>"))
    sink = complete("ééé", parsed=parsing(tail="<think>", budget=budget), max_tokens=2 + len("</think>"))
    assert told(sink) == ("", "é", [])


def test_a_budget_that_is_not_used_up_changes_nothing() -> None:
    budget = ReasoningBudget(100, prompt("</think>"))
    assert told(complete("hm</think>Yes", parsed=parsing(tail="<think>", budget=budget))) == ("Yes", "hm", [])


@pytest.mark.parametrize("is_deferred", [True, False])
def test_a_grammar_may_hold_for_what_follows_the_reasoning(is_deferred: bool) -> None:
    parsed = parsing(tail="<think>", defers_grammar=is_deferred)
    sink = complete("hm</think>zzz", parsed=parsed, guide=GbnfGuide('root ::= "yes"'))
    assert told(sink) == (("yes", "hm", []) if is_deferred else ("", "yes", []))


def test_each_sequence_has_a_parser_of_its_own() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=256), script=says(f"<think>a</think>b{CALL}"))
    sink = bench.complete(request(n_sequences=3))
    for index in range(3):
        assert told(sink, index) == ("b", "a", CALLS)
        assert sink.endings[index].n_calls == 1


def test_a_sequence_that_loses_its_slot_goes_on_where_it_was() -> None:
    answer = f"<think>abc</think>def{CALL}ghi"
    for n_steps in range(1, len(answer), 7):
        bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=256), script=says(answer))
        _, sink = bench.submit(request())
        for _ in range(n_steps):
            bench.step()
        _, other = bench.submit(request(priority=1, max_tokens=3))
        bench.run()
        assert other.finished.reason is FinishReason.LENGTH
        assert told(sink) == ("defghi", "abc", CALLS)


def goes_on(memory: Sequence[int], answer: bytes) -> int:
    """Goes on behind the last 16 tokens, so that it does not matter what was left out before."""
    own = bytes(memory[len(PROMPT) :][-16:])
    end = answer.index(own) + len(own) if own else 0
    return answer[end] if end < len(answer) else EOS


def test_a_context_that_is_shifted_changes_nothing() -> None:
    thought, content = (" ".join(f"{letter}{number:03}" for number in range(30)) for letter in "ab")
    answer = f"<think>{thought}</think>{content}{CALL}"
    config = EngineConfig(n_slots=1, n_ctx_slot=96)
    bench = EngineBench(config, script=partial(goes_on, answer=answer.encode()))
    sink = bench.complete(request(overflow=Overflow.TRUNCATE, n_keep=-1, max_tokens=600))
    assert sink.finished.truncated
    assert told(sink) == (content, thought, CALLS)


@pytest.mark.parametrize("lookup", Lookup)
def test_drafts_change_nothing(lookup: Lookup) -> None:
    answer = f"<think>{'hm so ' * 12}</think>{'yes no ' * 12}{CALL}{CALL}"
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=512, lookup=lookup), script=says(answer))
    sink = bench.complete(request())
    assert told(sink) == (
        ("yes no " * 12).strip(),
        ("hm so " * 12).strip(),
        [Call("id0", "get", '{"n": 1}'), Call("id1", "get", '{"n": 1}')],
    )
    counters = bench.engine.snapshot().counters
    assert (counters.drafted_tokens > 0) == (lookup is not Lookup.OFF)
    # Each has one token or more.
    assert min(counters.drafted_tokens, 1) <= counters.drafts <= counters.drafted_tokens


@pytest.mark.parametrize("lookup", Lookup)
def test_a_budget_holds_with_drafts(lookup: Lookup) -> None:
    budget = ReasoningBudget(41, prompt("</think>"))
    bench = EngineBench(
        EngineConfig(n_slots=1, n_ctx_slot=512, lookup=lookup), script=lambda memory: b"ab"[len(memory) % 2]
    )
    sink = bench.complete(request(parsing(tail="<think>", budget=budget), max_tokens=80))
    assert sink.finished.reasoning_tokens == 41 + len("</think>")
    assert len(told(sink)[1]) == 41


_MARKS = (b"<tool_call>", b'{"name": "get", "arguments": {', b'"n": 1}}', b"</tool_call>", b"<think>", b"</think>")
_NOISE = st.binary(max_size=3) | st.sampled_from([*_MARKS, b"\n", b"a"])


@given(st.lists(_NOISE, max_size=20), st.sampled_from(["hermes", "qwen3-coder", "lfm2"]), st.booleans())
def test_whatever_a_model_says_comes_as_it_is_parsed(noise: list[bytes], form: str, want_tokens: bool) -> None:
    """Bytes that are no text, halves of markers and of calls: nothing breaks, and nothing is lost in the engine."""
    said = b"".join(noise)
    sink = complete(*said, parsed=parsing(form), want_tokens=want_tokens)
    expected = parse(form, [said.decode("utf-8", "replace")])
    assert told(sink) == (expected.content, expected.reasoning, expected.calls)
    assert sink.finished.n_calls == expected.n_complete
    assert sink.finished.tokens_predicted == len(said) + 1


def test_a_request_that_is_ended_tells_what_was_held_back() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=256), script=says("Hi <tool_call>\n{"))
    _, sink = bench.submit(request())
    for _ in range(8):
        bench.step()
    for receiver, events in bench.engine.stop():
        receiver.put(events)
    assert told(sink)[0].startswith("Hi <")
    assert sink.finished.reason is FinishReason.CANCELLED


def test_sampling_other_than_greedy_is_parsed_as_well() -> None:
    settings = SamplingSettings(seed=1, temperature=0.5, top_logprobs=2)
    sink = complete(f"Hi{CALL}", sampling=settings, want_tokens=True)
    assert told(sink) == ("Hi", "", CALLS)
    records = [record for event in sink.events if isinstance(event, Piece) for record in event.tokens]
    assert all(record.logprob is not None for record in records)


def test_only_lines_of_content_must_be_indented() -> None:
    sink = complete("<think>a\nb</think>c\n  d\ne", min_indent=2)
    assert told(sink) == ("c\n  d\n", "a\nb", [])
    assert sink.finished.reason is FinishReason.LENGTH
    assert sink.finished.has_line_break


def test_a_time_limit_ends_parsed_output_at_a_line_break_and_never_inside_a_call() -> None:
    # A line break that may belong to a marker is known with what follows it.
    sink = complete("one\ntwo\nthree", line_limit_s=0.0)
    assert (told(sink)[0], sink.finished.reason) == ("one\nt", FinishReason.LENGTH)
    assert told(complete(CALL, line_limit_s=0.0)) == ("", "", CALLS)
