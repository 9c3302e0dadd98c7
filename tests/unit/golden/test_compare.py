"""The judge of recorded answers: it lets right answers pass and names what is wrong with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.golden.compare import Agreement, Disagreement, compare
from tests.golden.findings import Findings
from tests.golden.probabilities import survivors
from tests.golden.text import is_same_start, parse_events
from tests.unit.golden.answers import CASES, compact, headers_of, own_answer, own_body, stream


def judge(name: str, answer: Any) -> Agreement | Disagreement:
    case = CASES[name]
    body = stream(answer) if "response_text" in case else compact(answer).encode()
    return compare(case, case["status"], headers_of(case), body)


def reasons(verdict: Agreement | Disagreement) -> str:
    assert isinstance(verdict, Disagreement)
    return "\n".join(verdict.reasons)


@pytest.mark.parametrize("name", CASES)
def test_what_this_project_answers_agrees(name: str) -> None:
    case = CASES[name]
    assert isinstance(compare(case, 200, headers_of(case), own_body(case)), Agreement)


def test_status_and_headers_count() -> None:
    case = CASES["tokenize-3"]
    body = own_body(case)
    assert "status is 404; 200 is expected" in reasons(compare(case, 404, headers_of(case), body))
    assert "header content-type is 'application/json'" in reasons(
        compare(case, 200, {**headers_of(case), "Content-Type": "application/json"}, body)
    )
    for name in ("tokenize-3", "health"):
        # Recorded is an empty one, or none.
        headers = {**headers_of(CASES[name]), "access-control-allow-origin": ""}
        assert "access-control-allow-origin is ''; None is expected" in reasons(
            compare(CASES[name], 200, headers, own_body(CASES[name]))
        )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"tokens": [1,4093,198,6004,2]}', "is not compact JSON"),
        (b'{"tokens":[1,4093,198,6004,2]', "is not JSON"),
        (b'{"tokens":["\xff"]}', "is not UTF-8"),
        (b'{"tokens":[1,4093,198,6004]}', "body is {'tokens': [1, 4093, 198, 6004]}"),
    ],
)
def test_a_body_must_be_the_same_compact_json(body: bytes, reason: str) -> None:
    case = CASES["tokenize-3"]
    assert reason in reasons(compare(case, 200, headers_of(case), body))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("greedy-fact", lambda r: r.pop("truncated"), ".truncated is missing"),
        ("greedy-fact", lambda r: r.update(extra=1), ".extra is not expected"),
        ("greedy-fact", lambda r: r.update(tokens_predicted=24.0), ".tokens_predicted is of type float"),
        ("greedy-fact", lambda r: r.update(content=" London."), ".content is ' London.'"),
        ("greedy-fact", lambda r: r.update(tokens_evaluated=6), ".tokens_evaluated is 6; 5 is expected"),
        ("greedy-fact", lambda r: r.update(tokens_cached=29), ".tokens_cached is 29; 28 is expected"),
        ("greedy-fact", lambda r: r.update(stopped_limit=False), ".stopped_limit is False; True is expected"),
        ("greedy-fact", lambda r: r.update(prompt="x"), ".prompt is 'x'"),
        ("greedy-fact", lambda r: r["timings"].update(prompt_ms=None), ".timings.prompt_ms"),
        ("greedy-fact", lambda r: r["timings"].update(prompt_ms=-1.0), ".timings.prompt_ms is -1.0"),
        ("greedy-fact", lambda r: r["timings"].update(predicted_n=3), ".timings.predicted_n is 3; 24 is expected"),
        ("greedy-fact", lambda r: r["generation_settings"].update(top_p=0.95), ".top_p is 0.95; 0.949999988079071"),
        ("greedy-fact", lambda r: r["generation_settings"].update(n_predict=7), ".n_predict is 7; 24 is expected"),
        ("bias-id", lambda r: r["generation_settings"].update(logit_bias=[[7042, 4.0]]), "lacks [[260, -3.5]]"),
        ("ignore-eos", lambda r: r["generation_settings"].update(logit_bias=[[2, 1.0]]), "has [[2, 1.0]]"),
        ("plain-fact", lambda r: r["completion_probabilities"].clear(), "length is 0; 1 is expected"),
        ("plain-code", lambda r: r.update(tokens_predicted=2, tokens_cached=20), ".tokens_predicted is 2; the limit"),
        ("plain-code", lambda r: r.update(stopped_limit=False), "has none of stopped_eos, stopped_limit"),
        ("multi", lambda r: r["results"].reverse(), "results[0].prompt is 'Two plus two equals'"),
        ("multi", lambda r: r["results"].pop(), "results: length is 1; 2 is expected"),
        ("embedding-0", lambda r: r.update(embedding=r["embedding"][::-1]), "has cosine"),
        ("embedding-0", lambda r: r.update(embedding=[2 * v for v in r["embedding"]]), "has length 2.0000"),
        ("embedding-0", lambda r: r["embedding"].pop(), "embedding: length is 575; 576 is expected"),
        ("health", lambda r: r.update(slots_idle=0), "body is {'slots_idle': 0"),
        ("models", lambda r: r["data"][0].update(owned_by="me"), "data.owned_by is 'me'; 'llamacpp' is expected"),
        ("models", lambda r: r["data"][0].pop("created"), ".data[0].created is missing"),
        ("chat-0", lambda r: r["usage"].update(total_tokens=1), "usage.total_tokens is 1; 23 is expected"),
        ("chat-0", lambda r: r["choices"][0].update(finish_reason="length"), "finish_reason is 'length'"),
        ("chat-0", lambda r: r["choices"][0]["message"].update(content="No"), "content is 'No'"),
        ("chat-0", lambda r: r.update(id="1"), "id is '1'; 'chatcmpl-'"),
        ("chat-0", lambda r: r["choices"][0].pop("logprobs"), "choices[0].logprobs is missing"),
        ("chat-0", lambda r: r["choices"][0]["message"].update(refusal=""), "message.refusal is of type string; null"),
        ("chat-0", lambda r: r["usage"].pop("prompt_tokens_details"), "usage.prompt_tokens_details is missing"),
        ("chat-0", lambda r: r["choices"][0]["message"].update(tool_calls=[]), "message.tool_calls is not expected"),
        ("chat-0", lambda r: r.update(model="MODEL"), "model is 'MODEL'; 'm' is expected"),
    ],
)
def test_a_wrong_answer_is_named(name: str, change: Change, reason: str) -> None:
    answer = own_answer(CASES[name])
    change(answer)
    assert reason in reasons(judge(name, answer))


@pytest.mark.parametrize("change", [lambda slots: slots.clear(), lambda slots: slots[0].update(prompt=1)])
def test_slots_are_compared_by_number_and_shape(change: Callable[[Any], object]) -> None:
    slots = own_answer(CASES["slots"])
    change(slots)
    assert isinstance(judge("slots", slots), Disagreement)
    busy = own_answer(CASES["slots"])
    busy[0].update(prompt=None, task_id=-1, state=1)
    assert isinstance(judge("slots", busy), Agreement)


def test_a_greedy_text_may_part_after_four_tokens() -> None:
    answer = own_answer(CASES["greedy-fact"])
    answer["content"] = answer["content"][:20] + " something else"
    verdict = judge("greedy-fact", answer)
    assert isinstance(verdict, Agreement)
    assert any("parts from the recorded text" in reason for reason in verdict.explained)


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (" Paris.\n- The", " Paris.\n- A", True),
        (" Paris. A", " Paris. B C", False),
        (" five.", " five.", True),
        (" five.", " five. And", False),
        ("12345", "12346", True),
        ("1234", "1235", False),
        ("don't stop", "don't sing a", False),
        ("", "x", False),
    ],
)
def test_texts_have_the_same_start_if_their_first_four_pieces_are_the_same(
    expected: str, actual: str, same: bool
) -> None:
    assert is_same_start(expected, actual) is same


# Probabilities.


def candidates(*pairs: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"prob": probability, "tok_str": text} for text, probability in pairs]


def test_survivors_end_where_they_sum_to_1() -> None:
    kept = candidates(("a", 0.7), ("b", 0.3))
    assert survivors([*kept, *candidates(("c", 0.2))]) == kept
    assert survivors([*kept, *candidates(("c", 0.0))]) == kept
    assert survivors(candidates(("a", 0.7), ("b", 0.2))) == candidates(("a", 0.7), ("b", 0.2))


def judge_probabilities(name: str, *pairs: tuple[str, float]) -> Agreement | Disagreement:
    answer = own_answer(CASES[name])
    listed = candidates(*pairs)
    filler = [{"prob": 0.0, "tok_str": "?"}] * (CASES[name]["body"]["n_probs"] - len(listed))
    answer["completion_probabilities"][0]["probs"] = listed + filler
    return judge(name, answer)


# Recorded: a 0.921, an 0.043, two 0.028, three 0.006, many 0.002, and no others.
@pytest.mark.parametrize(
    "pairs",
    [
        ((" a", 0.85), (" an", 0.1), (" two", 0.05)),
        ((" a", 0.9), (" an", 0.05), (" the", 0.05)),
    ],
    ids=["within the tolerance", "another candidate near the cut"],
)
def test_probabilities_may_differ_a_little(pairs: tuple[tuple[str, float], ...]) -> None:
    assert isinstance(judge_probabilities("minkeep-minp-story", *pairs), Agreement)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (((" a", 0.8), (" an", 0.15), (" two", 0.05)), "gives ' a' 0.800; 0.921"),
        (((" a", 0.83), (" the", 0.12), (" an", 0.05)), "gives ' the' 0.120; 0.000"),
        (((" an", 0.9), (" a", 0.1)), "begins with ' an'; ' a' is expected"),
        (((" an", 0.1), (" a", 0.9)), "are not sorted"),
        (((" a", 0.9), (" an", 0.9)), "are not probabilities"),
        ((), "has 0 survivors; 5 are expected"),
    ],
)
def test_wrong_probabilities_are_named(pairs: tuple[tuple[str, float], ...], reason: str) -> None:
    assert reason in reasons(judge_probabilities("minkeep-minp-story", *pairs))


def test_a_list_must_have_the_length_asked_for() -> None:
    answer = own_answer(CASES["plain-fact"])
    answer["completion_probabilities"][0]["probs"].pop()
    assert "length is 11; 12 is expected" in reasons(judge("plain-fact", answer))


def test_token_0_may_differ_where_penalties_are_on() -> None:
    answer = own_answer(CASES["repeat1.3-list"])
    probs = answer["completion_probabilities"][0]["probs"]
    probs.pop()
    probs.insert(1, {"prob": probs[0]["prob"], "tok_str": ""})
    for entry in probs:
        entry["prob"] *= 0.9
    verdict = judge("repeat1.3-list", answer)
    assert isinstance(verdict, Agreement), verdict
    answer["generation_settings"]["repeat_penalty"] = 1.0
    assert isinstance(judge("repeat1.3-list", answer), Disagreement)


def test_drifted_cases_are_compared_by_shape() -> None:
    verdict = judge_probabilities("typical0.1-uni", ("x", 1.0))
    assert isinstance(verdict, Agreement)
    assert any("move the cut" in reason for reason in verdict.explained)


# Streams.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("data: {}\n", "does not end with a blank line"),
        ("event: x\n\n", "'data: ' and one line"),
        ("data: {}\ndata: {}\n\n", "'data: ' and one line"),
        ("data: {\n\n", "is not JSON"),
        ('data: {"a": 1}\n\n', "is not compact JSON"),
    ],
)
def test_framing_of_events(text: str, reason: str) -> None:
    findings = Findings()
    parse_events(findings, text)
    assert reason in findings.differences[0]


Events = Callable[[list[Any]], object]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("stream-uni", lambda e: e[0].update(extra=1), "event 0.extra is not expected"),
        ("stream-uni", lambda e: e[0].update(stop=True), "event 0.stop is True"),
        ("stream-uni", lambda e: e[0].update(slot_id=3), "event 0.slot_id is 3"),
        ("stream-uni", lambda e: e[-1].update(content="x"), "final event.content is 'x'"),
        ("stream-uni", lambda e: e[0].update(content="?"), 'final event.content is "?'),
        (
            "stream-uni",
            lambda e: e.insert(1, {**e[0], "content": e.pop(1)["content"] + e.pop(1)["content"]}),
            "texts of",
        ),
        ("stream-uni", lambda e: e.append("[DONE]"), "is not expected"),
        ("chat-stream-1", lambda e: e.pop(), "last event is"),
        ("chat-stream-1", lambda e: e.pop(0), "first delta is {'content': 'Italy'}"),
        ("chat-stream-1", lambda e: e.pop(-2), "last delta is"),
        ("chat-stream-1", lambda e: e[2].update(id="chatcmpl-x"), "id changes within the stream"),
        ("chat-stream-1", lambda e: e[2].update(usage=None), "event 2.usage is not expected"),
        ("chat-stream-1", lambda e: e[2]["choices"][0].update(delta={"content": ""}), "a content that is not empty"),
        ("chat-stream-1", lambda e: e[2]["choices"][0].update(delta={"content": "!"}), "content is 'Italy! indeed"),
        ("chat-stream-1", lambda e: e[-2]["choices"][0].update(finish_reason="stop"), "finish_reason is 'stop'"),
        ("chat-stream-1", lambda e: e[2]["choices"][0].update(finish_reason="stop"), "finish_reason before the last"),
    ],
)
def test_a_wrong_stream_is_named(name: str, change: Events, reason: str) -> None:
    answer = own_answer(CASES[name])
    change(answer)
    assert reason in reasons(judge(name, answer))


def test_events_without_text_may_be_sent() -> None:
    answer = own_answer(CASES["stream-uni"])
    answer.insert(5, {**answer[0], "content": ""})
    assert isinstance(judge("stream-uni", answer), Agreement)


NODES = ["plain-uni", "bias-id", "multi", "embedding-0", "slots", "models", "chat-0", "stream-uni", "chat-stream-1"]


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("replacement", [None, 7, 0.5, "x", True, [], {}, [[]], [{}]], ids=repr)
def test_a_malformed_answer_is_judged_not_choked_on(name: str, replacement: object) -> None:
    answer = own_answer(CASES[name])
    for holder, key in list(_nodes(answer, depth=5)):
        kept, holder[key] = holder[key], replacement
        assert isinstance(judge(name, answer), Agreement | Disagreement)
        holder[key] = kept


def _nodes(value: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """Every place inside a JSON value; of long arrays the first three."""
    keys = list(value) if isinstance(value, dict) else range(min(3, len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        if depth:
            yield from _nodes(value[key], depth - 1)


def test_a_default_system_message_changes_counts_and_texts() -> None:
    answer = own_answer(CASES["chat-0"])
    answer["usage"] |= {"prompt_tokens": 37, "completion_tokens": 7, "total_tokens": 44}
    answer["choices"][0]["message"]["content"] = "Four."
    assert isinstance(judge("chat-0", answer), Agreement)
    streamed = own_answer(CASES["chat-stream-0"])
    streamed[1]["choices"][0]["delta"]["content"] = "Four"
    assert isinstance(judge("chat-stream-0", streamed), Agreement)
