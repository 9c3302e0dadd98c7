"""Turns recorded answers into those that this project would give to the same requests."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.golden import compare as compare_module
from tests.golden.probabilities import survivors

if TYPE_CHECKING:
    from collections.abc import Mapping

Case = dict[str, Any]

CASES: dict[str, Case] = {
    case["name"]: case
    for case in json.loads((Path(compare_module.__file__).parent / "reference_2024.json").read_text())["cases"]
}


def compact(value: Any) -> str:
    """The JSON dialect of the REST API."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def events(text: str) -> list[Any]:
    """The JSON values of a stream; ``[DONE]`` stays a string."""
    data = [event.removeprefix("data: ") for event in text.strip().split("\n\n")]
    return [event if event == "[DONE]" else json.loads(event) for event in data]


def stream(values: list[Any]) -> bytes:
    """A stream of these events."""
    return "".join(f"data: {value if value == '[DONE]' else compact(value)}\n\n" for value in values).encode()


def headers_of(case: Case) -> dict[str, str]:
    # The server of 2024 sent an empty origin to whoever had none.
    kind = compare_module.own_content_type(case) or ""
    return {"Content-Type": kind, **{name: value for name, value in case["cors"].items() if value}}


def own_answer(case: Case) -> Any:
    """The decoded body, or the events of a stream."""
    case = copy.deepcopy(case)
    if "response_text" in case:
        values = events(case["response_text"])
        return _chat_events(values) if case["path"] != "/completion" else [*values[:-1], _result(case, values[-1])]
    response = case["response"]
    if case["path"] == "/embedding":
        length = math.hypot(*response["embedding"])
        return {"embedding": [value / length for value in response["embedding"]]}
    if "choices" in response:
        return _with_additions(response)
    if case["path"] != "/completion":
        return response
    if "results" in response:
        return {"results": [_result(case, result) for result in response["results"]]}
    return _result(case, response)


def own_body(case: Case) -> bytes:
    """The body as it goes over the wire."""
    answer = own_answer(case)
    return stream(answer) if "response_text" in case else compact(answer).encode()


def _with_additions(chat: dict[str, Any]) -> dict[str, Any]:
    for choice in chat["choices"]:
        choice["logprobs"] = None
        choice["message"]["refusal"] = None
    chat["usage"]["prompt_tokens_details"] = {"cached_tokens": 0}
    return chat


def _result(case: Case, result: dict[str, Any]) -> dict[str, Any]:
    # Divisions by zero give 0, and the settings show what the request was given.
    result["timings"] = {key: 0.0 if value is None else value for key, value in result["timings"].items()}
    result["generation_settings"]["n_predict"] = case["body"]["n_predict"]
    if "completion_probabilities" in result:
        n_probs = case["body"]["n_probs"]
        items = [_item(item, n_probs) for item in result["completion_probabilities"]]
        # The reference left out tokens that end inside a character.
        partial = {"content": "byte: \\xe6", "probs": [{"prob": 0.0, "tok_str": ""}] * n_probs}
        result["completion_probabilities"] = [partial] * (result["tokens_predicted"] - len(items)) + items
    return result


def _item(item: Mapping[str, Any], n_probs: int) -> dict[str, Any]:
    kept = survivors(item["probs"])
    dropped = [{"prob": 0.0, "tok_str": entry["tok_str"]} for entry in item["probs"][len(kept) : n_probs]]
    return {"content": item["content"], "probs": [*kept, *dropped]}


def _chat_events(values: list[Any]) -> list[Any]:
    """With the role in front, one id, and the end marked."""
    first = copy.deepcopy(values[0])
    first["choices"][0]["delta"] = {"role": "assistant"}
    values = [first, *values]
    for value in values:
        value["id"] = values[0]["id"]
    return [*values, "[DONE]"]
