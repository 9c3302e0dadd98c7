"""Bodies that the newer routes refuse: 400, the field's name, its value and what is allowed; the core is not asked."""

from __future__ import annotations

import json

import pytest

from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, UNSUPPORTED
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, client_of, error_of

PROMPT_FORMS = (
    "is not a string, an array of strings and token ids, an object with prompt_string, or an array of prompts"
)
OBJECT_FORMS = 'is not a string, an array of strings and token ids, {"prompt_string": ...} or {"content": [...]}'
MIXED_FORMS = "is not a string or an array of strings and token ids"
NORMS = (
    "is not one of -1 (by nothing: they are as the model gives them), 0 (by the largest magnitude, times 32760), "
    "1 (by the sum of magnitudes), 2 (by the Euclidean length)"
)
TOKEN_ID = "is not a token id, an integer of at least 0"
INT32 = "is not an integer from -2147483648 to 2147483647"

EMBEDDING = [
    ({"content": 5}, f"content: 5 {PROMPT_FORMS}"),
    ({"content": True}, f"content: true {PROMPT_FORMS}"),
    ({"content": {"text": "a"}}, f'content: {{"text":"a"}} {OBJECT_FORMS}'),
    ({"content": [None]}, "content[0]: null is not a string or a token id"),
    ({"content": ["a", None]}, f"content[1]: null {PROMPT_FORMS}"),
    ({"content": ["a", True]}, f"content[1]: true {PROMPT_FORMS}"),
    ({"content": [1, None]}, "content[1]: null is not a string or a token id"),
    ({"content": [-1]}, "content[0]: -1 is not an integer from 0 to 4294967295"),
    ({"content": [1, 4294967296]}, "content[1]: 4294967296 is not an integer from 0 to 4294967295"),
    ({"content": [1, 1.5]}, f"content[1]: 1.5 {TOKEN_ID}"),
    ({"content": [[[1]]]}, "content[0][0]: [1] is not a string or a token id"),
    ({"content": ["a"] * 2049}, "content: 2049 prompts are more than the 2048 allowed"),
    ({"image_data": "aGk="}, 'image_data: "aGk=" is not an array of objects with data and id'),
    ({"image_data": [5]}, "image_data[0]: 5 is not an object"),
    ({"embd_normalize": -2}, f"embd_normalize: -2 {NORMS}"),
    ({"embd_normalize": 3}, f"embd_normalize: 3 {NORMS}"),
    ({"embd_normalize": "2"}, f'embd_normalize: "2" {INT32}'),
    ({"embd_normalize": []}, f"embd_normalize: [] {INT32}"),
    ({"timeout_s": 0}, "timeout_s: 0.0 is not above 0 and at most 604800 seconds"),
    ({"timeout_s": "1"}, 'timeout_s: "1" is not a finite number'),
]
OPENAI_EMBEDDINGS = [
    ({"input": 5}, f"input: 5 {PROMPT_FORMS}"),
    ({"input": False}, f"input: false {PROMPT_FORMS}"),
    ({"input": {}}, f"input: {{}} {OBJECT_FORMS}"),
    ({"input": []}, "input: [] is empty; at least one input is needed"),
    ({"input": [None]}, f"input[0]: null {PROMPT_FORMS}"),
    ({"input": [True]}, f"input[0]: true {PROMPT_FORMS}"),
    ({"input": [5, None]}, "input[1]: null is not a string or a token id"),
    ({"input": [5, True]}, "input[1]: true is not a string or a token id"),
    ({"input": [-5]}, "input[0]: -5 is not an integer from 0 to 4294967295"),
    ({"input": [[1], [2, 10**30]]}, f"input[1][1]: {10**30} is not an integer from 0 to 4294967295"),
    ({"input": [[[1]]]}, "input[0][0]: [1] is not a string or a token id"),
    ({"input": ["a"] * 2049}, "input: 2049 inputs are more than the 2048 allowed"),
    ({"model": 5}, "model: 5 is not a string"),
    ({"encoding_format": "int8"}, 'encoding_format: "int8" is not "float" or "base64"'),
    ({"encoding_format": 5}, 'encoding_format: 5 is not "float" or "base64"'),
    ({"encoding_format": ["float"]}, 'encoding_format: ["float"] is not "float" or "base64"'),
    ({"dimensions": 0}, "dimensions: 0 is not an integer from 1 to 4294967295"),
    ({"dimensions": -1}, "dimensions: -1 is not an integer from 1 to 4294967295"),
    ({"dimensions": "576"}, 'dimensions: "576" is not an integer from 1 to 4294967295'),
    ({"embd_normalize": 3}, f"embd_normalize: 3 {NORMS}"),
    ({"timeout_s": -1}, "timeout_s: -1.0 is not above 0 and at most 604800 seconds"),
]
INFILL = [
    ({"input_prefix": 5}, f"input_prefix: 5 {MIXED_FORMS}"),
    ({"input_prefix": True}, f"input_prefix: true {MIXED_FORMS}"),
    ({"input_suffix": {}}, f"input_suffix: {{}} {MIXED_FORMS}"),
    ({"input_suffix": [None]}, "input_suffix[0]: null is not a string or a token id"),
    ({"input_suffix": ["a", ["b"]]}, 'input_suffix[1]: ["b"] is not a string or a token id'),
    ({"input_prefix": [1, -1]}, "input_prefix[1]: -1 is not an integer from 0 to 4294967295"),
    ({"input_prefix": [1.5]}, f"input_prefix[0]: 1.5 {TOKEN_ID}"),
    ({"prompt": 5}, f"prompt: 5 {MIXED_FORMS}"),
    ({"prompt": [[1]]}, "prompt[0]: [1] is not a string or a token id"),
    ({"stream": 1}, "stream: 1 is not true or false"),
    ({"n_predict": "5"}, f'n_predict: "5" {INT32}'),
    (
        {"system_prompt": 5},
        "system_prompt: 5 is not a string or an object with prompt, anti_prompt and assistant_name",
    ),
    ({"system_prompt": {"prompt": []}}, "system_prompt.prompt: [] is not a string"),
]
RANGE_N = "is not an integer from 1 to 128"
RANGE_LOGPROBS = "is not an integer from 0 to 100"
TEXT_COMPLETIONS = [
    ({"prompt": 5}, f"prompt: 5 {PROMPT_FORMS}"),
    ({"prompt": True}, f"prompt: true {PROMPT_FORMS}"),
    ({"prompt": {}}, f"prompt: {{}} {PROMPT_FORMS}"),
    ({"prompt": ["a", None]}, f"prompt[1]: null {PROMPT_FORMS}"),
    ({"prompt": [1, -1]}, "prompt[1]: -1 is not an integer from 0 to 4294967295"),
    ({"prompt": [[1], [2, 1.5]]}, f"prompt[1][1]: 1.5 {TOKEN_ID}"),
    ({"prompt": ["a"] * 4097}, "prompt: 4097 prompts are more than the 4096 allowed"),
    ({"max_tokens": "8"}, f'max_tokens: "8" {INT32}'),
    ({"max_tokens": 2**31}, f"max_tokens: {2**31} {INT32}"),
    ({"n_predict": []}, f"n_predict: [] {INT32}"),
    ({"temperature": "hot"}, 'temperature: "hot" is not a finite number'),
    ({"top_p": []}, "top_p: [] is not a finite number"),
    ({"presence_penalty": "1"}, 'presence_penalty: "1" is not a finite number'),
    ({"frequency_penalty": {}}, "frequency_penalty: {} is not a finite number"),
    ({"n": 0}, f"n: 0 {RANGE_N}"),
    ({"n": 129}, f"n: 129 {RANGE_N}"),
    ({"n": "2"}, f'n: "2" {RANGE_N}'),
    ({"best_of": 2}, "best_of: 2 is not equal to n, 1; all answers that are made are given"),
    ({"n": 3, "best_of": 4}, "best_of: 4 is not equal to n, 3; all answers that are made are given"),
    ({"best_of": "1"}, f'best_of: "1" {INT32}'),
    ({"logprobs": True}, f"logprobs: true {RANGE_LOGPROBS}"),
    ({"logprobs": -1}, f"logprobs: -1 {RANGE_LOGPROBS}"),
    ({"logprobs": 101}, f"logprobs: 101 {RANGE_LOGPROBS}"),
    ({"logprobs": "5"}, f'logprobs: "5" {RANGE_LOGPROBS}'),
    ({"top_logprobs": 5}, "top_logprobs: is not a field of this route; set logprobs to the number"),
    ({"echo": 1}, "echo: 1 is not true or false"),
    ({"echo": True, "logprobs": 21}, "logprobs: 21 is not 0 to 20, for a prompt"),
    (
        {"echo": True, "logprobs": 1, "suffix": "."},
        "echo: true is not allowed together with logprobs and suffix; leave one of them out",
    ),
    ({"prompt_logprobs": True}, "prompt_logprobs: true is not an integer from 0 to 20"),
    ({"prompt_logprobs": 21}, "prompt_logprobs: 21 is not 0 to 20, for a prompt"),
    ({"prompt_logprobs": -1}, "prompt_logprobs: -1 is not 0 to 20, for a prompt"),
    ({"prompt_logprobs": 1, "logprobs": 2}, "prompt_logprobs: 1 is not 2, as many as logprobs"),
    (
        {"prompt_logprobs": 1, "stream": True},
        "prompt_logprobs: is not allowed in a stream; send echo and logprobs there",
    ),
    ({"suffix": 5}, "suffix: 5 is not a string"),
    ({"suffix": ["a"]}, 'suffix: ["a"] is not a string'),
    ({"stop": 5}, "stop: 5 is not a string or an array of strings"),
    ({"stop": ["a", 7]}, "stop[1]: 7 is not a string"),
    ({"seed": "x"}, 'seed: "x" is not an integer from -9223372036854775808 to 18446744073709551615'),
    ({"stream": "yes"}, 'stream: "yes" is not true or false'),
    ({"stream_options": []}, "stream_options: [] is not an object"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage: 1 is not true or false"),
    ({"model": 5}, "model: 5 is not a string"),
    ({"response_format": {"type": "xml"}}, 'response_format.type: "xml" is not "text", "json_object" or "json_schema"'),
    ({"tools": [{}]}, 'tools: is not supported; leave it out, or send "none" as tool_choice'),
    ({"messages": [{}]}, "messages: is not a field of this route; send prompt, or use /v1/chat/completions"),
    (
        {"prompt": ["a", "b"], "system_prompt": "s"},
        "system_prompt: cannot be set together with several prompts; set it with one prompt",
    ),
    ({"timeout_s": 0}, "timeout_s: 0.0 is not above 0 and at most 604800 seconds"),
]
CASES = [
    *(("/embedding", *case) for case in EMBEDDING),
    *(("/v1/embeddings", *case) for case in OPENAI_EMBEDDINGS),
    *(("/infill", *case) for case in INFILL),
    *(("/v1/completions", *case) for case in TEXT_COMPLETIONS),
]
ROUTES = ("/embedding", "/v1/embeddings", "/infill", "/v1/completions")
FIELDS = {"/embedding": "content", "/v1/embeddings": "input", "/infill": "input_prefix"}


@pytest.mark.parametrize(("path", "body", "message"), CASES, ids=lambda value: str(value)[:40])
def test_a_wrong_field_is_named(path: str, body: dict[str, object], message: str) -> None:
    core = MemoryCore(answer)
    response = client_of(core).post(path, json=body)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["message"], error["type"]) == (message, "invalid_request_error")
    if path.startswith("/v1/"):
        assert error["param"] == message.partition(": ")[0]
        assert error["code"] in (INVALID_TYPE, INVALID_VALUE, UNSUPPORTED)
    assert (core.requests, core.unary_requests) == ([], [])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON: Expecting value at line 1, column 1"),
        (b'{"content":Infinity}', "the body is not JSON: Infinity is not a JSON number"),
        (b'{"input":"\xff"}', "the body is not UTF-8: invalid start byte at byte 10"),
        (b'{"input":"\\ud800"}', "the body is not JSON: \\ud800 is half of a surrogate pair"),
        (b"[" * 200_000, "the body is nested too deeply"),
    ],
)
@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_is_not_json(path: str, body: bytes, message: str) -> None:
    response = client_of(MemoryCore(answer)).post(path, data=body)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["message"], error["type"]) == (message, "invalid_request_error")
    if path.startswith("/v1/"):
        assert (error["code"], error["param"]) == (None, None)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("path", [*ROUTES, "/completion"])
def test_deep_nesting_is_refused_at_every_depth(path: str, opening: bytes, closing: bytes) -> None:
    client = client_of(MemoryCore(answer))
    key = json.dumps(FIELDS.get(path, "prompt")).encode()
    # Somewhere among these the limit of the JSON library lies, and one level before it that of error messages.
    for depth in (*range(3, 20), *range(880, 1000)):
        response = client.post(path, data=b"{" + key + b":" + opening * depth + b"1" + closing * depth + b"}")
        assert response.status_code == 400, (depth, response.data)
        error = error_of(response)
        is_named = error["message"].startswith(json.loads(key))
        assert is_named or error["message"] == "the body is nested too deeply"
