"""The judge of answers of which the recorded file has no case: preflights, properties, metrics, lists of vectors."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.golden.compare import Agreement, Disagreement, compare
from tests.unit.golden.answers import CASES, compact, headers_of

CORS = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "*",
}
PREFLIGHT = {
    "name": "options",
    "method": "OPTIONS",
    "path": "/completion",
    "body": None,
    "status": 200,
    "content_type": "",
    "cors": {**CORS, "Access-Control-Allow-Origin": ""},
    "response_text": "",
}


def reasons(verdict: Agreement | Disagreement) -> str:
    assert isinstance(verdict, Disagreement)
    return "\n".join(verdict.reasons)


def test_a_preflight_is_headers_and_nothing_else() -> None:
    assert isinstance(compare(PREFLIGHT, 200, CORS, b""), Agreement)
    assert "body is 'x'; '' is expected" in reasons(compare(PREFLIGHT, 200, CORS, b"x"))
    assert "header access-control-allow-methods is 'GET'; 'POST' is expected" in reasons(
        compare(PREFLIGHT, 200, {**CORS, "Access-Control-Allow-Methods": "GET"}, b"")
    )
    assert "header content-type is 'text/html'" in reasons(
        compare(PREFLIGHT, 200, {**CORS, "Content-Type": "text/html"}, b"")
    )


def case_of(path: str, response: Any, **changes: Any) -> dict[str, Any]:
    return {
        "name": path,
        "method": "GET",
        "path": path,
        "body": None,
        "status": 200,
        "content_type": "application/json; charset=utf-8",
        "cors": {"Access-Control-Allow-Origin": ""},
        "response": response,
        **changes,
    }


def judge(case: dict[str, Any], answer: Any) -> Agreement | Disagreement:
    return compare(case, 200, headers_of(case), compact(answer).encode())


SETTINGS = {**CASES["greedy-fact"]["response"]["generation_settings"], "seed": -1, "stream": True}
PROPS: dict[str, Any] = {
    "assistant_name": "",
    "default_generation_settings": SETTINGS,
    "total_slots": 1,
    "user_name": "",
}
Change = Callable[[Any], object]


def test_properties_agree_but_for_the_model() -> None:
    answer = copy.deepcopy(PROPS)
    answer["default_generation_settings"]["model"] = "mine"
    assert judge(case_of("/props", PROPS), answer) == Agreement()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a.update(total_slots=4), "total_slots is 4; 1 is expected"),
        (lambda a: a.update(user_name=None), ".user_name is of type null"),
        (lambda a: a["default_generation_settings"].update(seed=4294967295), "settings.seed is 4294967295; -1"),
        (lambda a: a["default_generation_settings"].pop("top_k"), "default_generation_settings.top_k is missing"),
    ],
)
def test_wrong_properties_are_named(change: Change, reason: str) -> None:
    answer = copy.deepcopy(PROPS)
    change(answer)
    assert reason in reasons(judge(case_of("/props", PROPS), answer))


METRICS = "# HELP a A.\n# TYPE a counter\na 5\n# HELP b B.\n# TYPE b gauge\nb 0.25\n"


def judge_metrics(text: str) -> Agreement | Disagreement:
    case = case_of("/metrics", None, content_type="text/plain; version=0.0.4", cors={}, response_text=METRICS)
    return compare(case, 200, {"Content-Type": case["content_type"]}, text.encode())


def test_metrics_agree_in_names_and_kinds_and_more_may_follow() -> None:
    text = METRICS.replace("a 5", "a 7").replace("0.25", "1e-05")
    assert judge_metrics(text) == Agreement()
    assert judge_metrics(text + "c 1\n") == Agreement(("body: metrics of this project follow",))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("# TYPE a counter", "# TYPE a gauge", "line 2 is '# TYPE a gauge'"),
        ("a 5", "x 5", "line 3 is 'x'; 'a' is expected"),
        ("a 5", "a 5.0", "line 3: kind of number is 'float'; 'integer' is expected"),
        ("b 0.25", "b 0", "line 6: kind of number is 'integer'; 'float' is expected"),
        ("b 0.25", "b null", "line 6: kind of number is 'text'; 'float' is expected"),
        ("b 0.25\n", "", "line 6 is ''; 'b' is expected"),
        ("b 0.25\n", "b 0.25", "does not end with a line feed"),
    ],
)
def test_wrong_metrics_are_named(old: str, new: str, reason: str) -> None:
    assert reason in reasons(judge_metrics(METRICS.replace(old, new)))


def unit(*values: float) -> list[float]:
    length = math.hypot(*values)
    return [value / length for value in values]


NATIVE = {"results": [{"embedding": [3.0, 4.0]}, {"embedding": [0.0, 2.0]}]}
OPENAI: dict[str, Any] = {
    "data": [
        {"embedding": [3.0, 4.0], "index": 0, "object": "embedding"},
        {"embedding": [0.0, 2.0], "index": 1, "object": "embedding"},
    ],
    "model": "m",
    "object": "list",
    "usage": {"prompt_tokens": 0, "total_tokens": 0},
}


def own_native() -> Any:
    return {"results": [{"embedding": unit(3, 4)}, {"embedding": unit(0, 2)}]}


def own_openai() -> Any:
    answer = copy.deepcopy(OPENAI)
    for item in answer["data"]:
        item["embedding"] = unit(*item["embedding"])
    answer["usage"] = {"prompt_tokens": 7, "total_tokens": 7}
    return answer


def test_lists_of_vectors_agree_in_their_directions() -> None:
    native = judge(case_of("/embedding", NATIVE), own_native())
    assert isinstance(native, Agreement)
    assert native.explained == ("embedding: vectors have length 1, the reference's did not (docs/adr/0010)",)
    openai = judge(case_of("/v1/embeddings", OPENAI), own_openai())
    assert isinstance(openai, Agreement)
    assert openai.explained[0] == "usage: the reference did not count (docs/adr/0010)"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a["results"].pop(), "results: length is 1; 2 is expected"),
        (lambda a: a["results"][1].update(embedding=unit(1, 1)), "results[1].embedding has cosine 0.70711"),
        (lambda a: a["results"][1].update(embedding=[0.0, 2.0]), "results[1].embedding has length 2.0000"),
        (lambda a: a["results"][0].update(embedding=[1.0]), "results[0].embedding: length is 1; 2 is expected"),
        (lambda a: a["results"][0].update(index=0), "results[0].index is not expected"),
    ],
)
def test_wrong_vectors_are_named(change: Change, reason: str) -> None:
    answer = own_native()
    change(answer)
    assert reason in reasons(judge(case_of("/embedding", NATIVE), answer))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a["data"].reverse(), "data[0].index is 1; 0 is expected"),
        (lambda a: a["data"].pop(), "data: length is 1; 2 is expected"),
        (lambda a: a["data"][1].update(object="x"), "data[1].object is 'x'"),
        (lambda a: a.update(model="other"), "model is 'other'; 'm' is expected"),
        (lambda a: a["usage"].update(total_tokens=8), "usage.total_tokens is 8; 7 is expected"),
        (lambda a: a["usage"].update(prompt_tokens=0, total_tokens=0), "usage.prompt_tokens is 0"),
        (lambda a: a["data"][0].update(embedding="AACAPw=="), "data[0].embedding is of type string"),
    ],
)
def test_a_wrong_openai_answer_is_named(change: Change, reason: str) -> None:
    answer = own_openai()
    change(answer)
    assert reason in reasons(judge(case_of("/v1/embeddings", OPENAI), answer))


def test_texts_of_other_paths_are_compared_exactly() -> None:
    case = case_of("/nope", None, response_text="plain", content_type="text/plain", cors={})
    assert compare(case, 200, {"Content-Type": "text/plain"}, b"plain") == Agreement()
    assert "body is 'other'" in reasons(compare(case, 200, {"Content-Type": "text/plain"}, b"other"))
