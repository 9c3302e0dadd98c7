"""Bodies that no route takes, or not with these values: types, ranges, sizes, encodings, prompts, messages."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from tests.support.wrong_requests import WrongRequest, http, wrong_body

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
RESPONSES = "/v1/responses"
EMBEDDINGS = "/v1/embeddings"
MESSAGES = [{"role": "user", "content": "Hi"}]
# A body that each route takes.
GOOD: dict[str, dict[str, object]] = {
    "/completion": {"prompt": "Hello", "n_predict": 2},
    "/completions": {"prompt": "Hello", "n_predict": 2},
    "/infill": {"input_prefix": "a", "input_suffix": "b", "n_predict": 2},
    TEXT: {"prompt": "Hello", "max_tokens": 2},
    CHAT: {"messages": MESSAGES, "max_tokens": 2},
    "/chat/completions": {"messages": MESSAGES, "max_tokens": 2},
    RESPONSES: {"input": "Hi", "max_output_tokens": 2},
    "/responses": {"input": "Hi", "max_output_tokens": 2},
    "/v1/responses/input_tokens": {"input": "Hi"},
    "/v1/chat/completions/input_tokens": {"messages": MESSAGES},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 2},
    "/v1/messages/count_tokens": {"messages": MESSAGES},
    "/embedding": {"content": "Hello"},
    EMBEDDINGS: {"input": "Hello"},
    "/tokenize": {"content": "Hello"},
    "/detokenize": {"tokens": [1]},
}
GENERATING = ("/completion", TEXT, CHAT, RESPONSES)
UNKNOWN_TOKEN = 999_999
INT32 = "is not an integer from -2147483648 to 2147483647"
FINITE = "is not a finite number"
FLAG = "is not true or false"
TOKEN = "is not an integer from 0 to 4294967295"

_NO_JSON: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "empty": (b"", ("the body is not JSON", "line 1, column 1")),
    "blank": (b" \r\n\t ", ("the body is not JSON",)),
    "cut": (b'{"a": 1', ("the body is not JSON", "column")),
    "two values": (b"{}{}", ("the body is not JSON", "Extra data")),
    "comma at the end": (b'{"a": 1,}', ("the body is not JSON",)),
    "single quotes": (b"{'a': 1}", ("the body is not JSON", "double quotes")),
    "comment": (b'{"a": 1 /* one */}', ("the body is not JSON",)),
    "form": (b"prompt=Hello&n_predict=2", ("the body is not JSON",)),
    "NaN": (b'{"a": NaN}', ("NaN is not a JSON number",)),
    "Infinity": (b'{"a": Infinity}', ("Infinity is not a JSON number",)),
    "-Infinity": (b'{"a": -Infinity}', ("-Infinity is not a JSON number",)),
    "leading zero": (b'{"a": 012}', ("the body is not JSON",)),
    "hexadecimal": (b'{"a": 0x10}', ("the body is not JSON",)),
    "plus": (b'{"a": +1}', ("the body is not JSON",)),
    "too many digits": (b'{"a": 1%b}' % (b"0" * 5000), ("a number with too many digits", "4300")),
    "raw line feed": (b'{"a": "\n"}', ("the body is not JSON", "control character")),
    "unknown escape": (b'{"a": "\\x41"}', ("the body is not JSON", "escape")),
    "half of a pair": (b'{"a": "\\ud800"}', ("\\ud800 is half of a surrogate pair",)),
    "other half": (b'{"\\uDC00": 1}', ("\\udc00 is half of a surrogate pair",)),
    "raw surrogate": (b'{"a": "\xed\xa0\x80"}', ("the body is not UTF-8", "byte 7")),
    "bad UTF-8": (b'{"a": "\xff"}', ("the body is not UTF-8", "byte 7")),
    "cut UTF-8": (b'{"a": "\xe2\x82', ("the body is not UTF-8", "byte 7")),
    "overlong UTF-8": (b'{"a": "\xc0\xaf"}', ("the body is not UTF-8", "byte 7")),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), ("the body is not UTF-8",)),
    "UTF-16": ('{"a": "b"}'.encode("utf-16"), ("the body is not UTF-8", "byte 0")),
    "UTF-16 without mark": ('{"a": "b"}'.encode("utf-16-le"), ("the body is not JSON",)),
    "UTF-32": ('{"a": "b"}'.encode("utf-32"), ("the body is not UTF-8",)),
    "gzip": (gzip.compress(b'{"a": 1}', mtime=0), ("the body is not UTF-8",)),
    "100,000 arrays": (b"[" * 100_000, ("nested too deeply",)),
    "100,000 objects": (b'{"a":' * 100_000, ("nested too deeply",)),
    "100,000 arrays, closed": (b'{"prompt":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ("nested too deeply",)),
    "null byte": (b'{"a": 1}\0', ("the body is not JSON",)),
}

# Of every generating route: a field, a value, and what the message must hold beside the field's name.
_OPTIONS: tuple[tuple[str, object, str], ...] = (
    ("temperature", "hot", f'"hot" {FINITE}'),
    ("temperature", [], f"[] {FINITE}"),
    ("temperature", {}, f"{{}} {FINITE}"),
    ("temperature", 1e39, f"1e+39 {FINITE}"),
    ("temperature", -1e39, f"-1e+39 {FINITE}"),
    ("top_p", "1", f'"1" {FINITE}'),
    ("min_p", [0.1], f"[0.1] {FINITE}"),
    ("tfs_z", 10**60, FINITE),
    ("typical_p", "x", f'"x" {FINITE}'),
    ("dynatemp_range", {}, FINITE),
    ("dynatemp_exponent", "", f'"" {FINITE}'),
    ("repeat_penalty", 0, "allowed is any finite number above 0"),
    ("repeat_penalty", -1, "allowed is any finite number above 0"),
    ("repeat_penalty", "1", f'"1" {FINITE}'),
    ("presence_penalty", "1", f'"1" {FINITE}'),
    ("frequency_penalty", [1], f"[1] {FINITE}"),
    ("mirostat_tau", "5", f'"5" {FINITE}'),
    ("mirostat_eta", [], f"[] {FINITE}"),
    ("mirostat", "2", f'"2" {INT32}'),
    ("top_k", "40", f'"40" {INT32}'),
    ("top_k", 2**31, f"{2**31} {INT32}"),
    ("top_k", -(2**31) - 1, f"{-(2**31) - 1} {INT32}"),
    ("top_k", 1e300, INT32),
    ("min_keep", [], f"[] {INT32}"),
    ("repeat_last_n", "64", f'"64" {INT32}'),
    ("repeat_last_n", 2**63, INT32),
    ("n_predict", "8", f'"8" {INT32}'),
    ("n_predict", {"a": 1}, INT32),
    ("n_predict", 10**400, INT32),
    ("n_keep", "all", f'"all" {INT32}'),
    ("n_probs", "5", f'"5" {INT32}'),
    ("n_probs", 100_000, "is 100000; allowed are 0 to"),
    ("slot_id", "0", f'"0" {INT32}'),
    ("seed", "x", f'"x" is not an integer from {-(2**63)} to {2**64 - 1}'),
    ("seed", 2**64, f"{2**64} is not an integer"),
    ("seed", -(2**63) - 1, f"{-(2**63) - 1} is not an integer"),
    ("seed", [1], "[1] is not an integer"),
    ("penalize_nl", 1, f"1 {FLAG}"),
    ("ignore_eos", "true", f'"true" {FLAG}'),
    ("cache_prompt", 0, f"0 {FLAG}"),
    ("stream", "yes", f'"yes" {FLAG}'),
    ("stream", 1, f"1 {FLAG}"),
    ("stop", 5, "5 is not a string or an array of strings"),
    ("stop", {"a": "b"}, "is not a string or an array of strings"),
    ("grammar", 5, "5 is not a string"),
    ("grammar", ["root ::= [a]"], "is not a string"),
    ("logit_bias", [[97, 1e39]], "is not a pair of a token and a finite number or false"),
    ("logit_bias", [["a", -1e39]], "is not a pair of a token and a finite number or false"),
    ("logit_bias", {"97": 1e39}, "is not a pair of a token and a finite number or false"),
    ("timeout_s", 0, "0.0 is not above 0 and at most 604800 seconds"),
    ("timeout_s", -1, "-1.0 is not above 0"),
    ("timeout_s", 604_801, "604801.0 is not above 0 and at most 604800 seconds"),
    ("timeout_s", "1", f'"1" {FINITE}'),
)
_IMAGES: tuple[tuple[object, str], ...] = (
    ("aGk=", '"aGk=" is not an array of objects with data and id'),
    ([5], "image_data[0]: 5 is not an object"),
)
# Here only, because the routes of OpenAI have other words for it or take no such thing.
_GRAMMARS = {
    "word ::= [a]": "root",
    "root ::= [a": "grammar",
    "root ::= unknown": "unknown",
    "root ::= root": "root",
    "root ::= " + "(" * 5000 + '"a"' + ")" * 5000: "grammar",
    'root ::= "' + "a" * 70_000 + '"': "65536",
    'root ::= "a"{3,2}': "grammar",
    "root ::= [\\q]": "escape",
}
_SYSTEM = "a string or an object with prompt, anti_prompt and assistant_name"
_FORMS = "is not a string, an array of strings and token ids, an object with prompt_string, or an array of prompts"
_OBJECT_FORMS = 'is not a string, an array of strings and token ids, {"prompt_string": ...} or {"content": [...]}'
_PROMPTS: tuple[tuple[object, str], ...] = (
    (5, f"prompt: 5 {_FORMS}"),
    (True, f"prompt: true {_FORMS}"),
    ({}, f"prompt: {{}} {_FORMS}"),
    (["a", None], f"prompt[1]: null {_FORMS}"),
    ([None], "prompt[0]: null is not a string or a token id"),
    ([1, True], "prompt[1]: true is not a string or a token id"),
    ([1, [2]], "prompt[1]: [2] is not a string or a token id"),
    ([-1], f"prompt[0]: -1 {TOKEN}"),
    ([1, 2**32], f"prompt[1]: {2**32} {TOKEN}"),
    ([1, 1.5], "prompt[1]: 1.5 is not a token id, an integer of at least 0"),
    ([1, UNKNOWN_TOKEN], f"{UNKNOWN_TOKEN} is not a token of this model; allowed are 0 to"),
    (["a", UNKNOWN_TOKEN, "b"], f"{UNKNOWN_TOKEN} is not a token of this model"),
    ([["a", "b"], "c"], "is not one prompt: several strings would be several prompts inside another list"),
    ([[[1]]], "prompt[0][0]: [1] is not a string or a token id"),
    (["a"] * 4097, "prompt: 4097 prompts are more than the 4096 allowed"),
)


def wrong_bodies() -> Iterator[WrongRequest]:
    """All of them."""
    yield from _no_json()
    yield from _options()
    yield from _native()
    yield from _openai()
    yield from _embeddings()
    yield from _tokens()


def _no_json() -> Iterator[WrongRequest]:
    routes = tuple(GOOD)
    for number, (name, (body, words)) in enumerate(_NO_JSON.items()):
        # Every route reads its body in the same way; each gets some of them, /completion all.
        for path in dict.fromkeys(("/completion", routes[number % len(routes)])):
            yield WrongRequest(f"{path} {name}", http("POST", path, body), 400, "invalid_request_error", words)
    for path in routes:
        body = b'{"a":' + b"[" * 500
        yield wrong_body(path, body, "the body is not JSON")


def _options() -> Iterator[WrongRequest]:
    for path in GENERATING:
        for name, value, problem in _OPTIONS:
            if (path, name) != (RESPONSES, "n_probs"):
                yield wrong_body(path, GOOD[path] | {name: value}, name, problem)
        yield wrong_body(path, GOOD[path] | {"stop": ["a", 7]}, "stop[1]: 7 is not a string")
        yield wrong_body(path, GOOD[path] | {"stop": ["x"] * 200}, "stop", "20", "allowed are at most 128")
        yield wrong_body(path, GOOD[path] | {"samplers": ["top_k"] * 65}, "samplers", "65", "64")
        for grammar, word in _GRAMMARS.items():
            yield wrong_body(path, GOOD[path] | {"grammar": grammar}, "grammar", word)
    for value, problem in _IMAGES:
        for path in ("/completion", "/embedding", EMBEDDINGS):
            yield wrong_body(path, GOOD[path] | {"image_data": value}, "image_data", problem)
        for path in ("/infill", TEXT, CHAT, RESPONSES, "/v1/messages"):
            yield wrong_body(path, GOOD[path] | {"image_data": value}, "image_data: ", "is not supported")


def _native() -> Iterator[WrongRequest]:
    path = "/completion"
    for prompt, problem in _PROMPTS:
        yield wrong_body(path, {"prompt": prompt, "n_predict": 2}, problem)
    for value, problem in ((5, f"5 is not {_SYSTEM}"), ([], f"[] is not {_SYSTEM}")):
        yield wrong_body(path, {"prompt": "a", "system_prompt": value}, "system_prompt", problem)
    for name in ("prompt", "anti_prompt", "assistant_name"):
        body = {"prompt": "a", "system_prompt": {name: 5}}
        yield wrong_body(path, body, f"system_prompt.{name}: 5 is not a string")
    yield wrong_body(path, {"prompt": ["a", "b"], "system_prompt": "s"}, "system_prompt", "several prompts")
    # Of equal keys in one object the last counts.
    yield wrong_body(path, b'{"n_predict": 2, "n_predict": "two"}', f'n_predict: "two" {INT32}')
    # A mark at the beginning of UTF-8 is nothing.
    yield wrong_body(path, b'\xef\xbb\xbf{"n_predict": "2"}', f'n_predict: "2" {INT32}')
    yield wrong_body(path, b'{"temperature": 1e400}', f"temperature: Infinity {FINITE}")
    yield wrong_body(path, b'{"n_predict": 1e400}', f"n_predict: Infinity {INT32}")
    yield wrong_body(path, b'{"prompt": [1e400, 1]}', "prompt[0]: Infinity is not a token id")
    yield wrong_body(path, b'{"prompt": [-0.5]}', "prompt[0]: -0.5 is not a token id")
    for name in ("input_prefix", "input_suffix"):
        for side in ("5", "true", "{}"):
            yield wrong_body(
                "/infill",
                GOOD["/infill"] | {name: json.loads(side)},
                f"{name}: {side}",
                "is not a string or an array of strings",
            )
        yield wrong_body("/infill", GOOD["/infill"] | {name: ["a", None]}, f"{name}[1]: null")
        yield wrong_body("/infill", GOOD["/infill"] | {name: [-1]}, f"{name}[0]: -1 {TOKEN}")
    yield wrong_body("/infill", GOOD["/infill"] | {"prompt": 5}, "prompt: 5 is not a string")
    yield wrong_body("/infill", GOOD["/infill"], "infill", status=501, kind="not_supported_error")


def _openai() -> Iterator[WrongRequest]:
    for path in (TEXT, CHAT):
        for name, value, problem in (
            ("n", 0, "0 is not an integer from 1 to 128"),
            ("n", -1, "-1 is not an integer from 1 to 128"),
            ("n", 129, "129 is not an integer from 1 to 128"),
            ("n", "2", '"2" is not an integer from 1 to 128'),
            ("max_tokens", "8", f'"8" {INT32}'),
            ("max_tokens", 2**31, INT32),
            ("max_completion_tokens", [], f"[] {INT32}"),
            ("model", 5, "5 is not a string"),
            ("model", ["a"], "is not a string"),
            ("functions", [{"name": "f"}], "is not supported"),
            ("function_call", {"name": "f"}, "functions are not supported"),
            ("modalities", ["audio"], '["audio"] is not supported; allowed is ["text"]'),
            ("stream_options", [], "[] is not an object"),
            ("stream_options", {"include_usage": 1}, f"include_usage: 1 {FLAG}"),
            ("response_format", "json", '"json" is not an object'),
            ("response_format", {}, "type"),
            ("response_format", {"type": "xml"}, '"xml" is not "text", "json_object" or "json_schema"'),
            ("response_format", {"type": "json_schema"}, "json_schema: null is not an object"),
            ("response_format", {"type": "json_schema", "json_schema": {"schema": []}}, "schema: [] is not an object"),
        ):
            yield wrong_body(path, GOOD[path] | {name: value}, name, problem)
        both = {"grammar": 'root ::= "a"', "response_format": {"type": "json_object"}}
        yield wrong_body(path, GOOD[path] | both, "response_format", "grammar")
    yield wrong_body(TEXT, GOOD[TEXT] | {"tools": [TOOL]}, "tools", "is not supported")
    yield wrong_body(TEXT, GOOD[TEXT] | {"tool_choice": "required"}, "tool_choice", "tools are not supported")
    for body, problem in _MESSAGES:
        yield wrong_body(CHAT, body, problem)
    for fields, problem in _CHAT_FIELDS:
        yield wrong_body(CHAT, GOOD[CHAT] | fields, problem)
    for fields, problem in _TEXT_FIELDS:
        yield wrong_body(TEXT, GOOD[TEXT] | fields, problem)
    for prompt, problem in _PROMPTS:
        yield wrong_body(TEXT, {"prompt": prompt}, problem)
    too_long = {"prompt": "long " * 10_000}
    yield wrong_body(TEXT, too_long, "tokens", status=400, kind="exceed_context_size_error")


TOOL: dict[str, object] = {"type": "function", "function": {"name": "f"}}
_CHAT_FIELDS: tuple[tuple[dict[str, object], str], ...] = (
    ({"tools": TOOL}, "tools: "),
    ({"tools": ["f"]}, 'tools[0]: "f" is not an object'),
    ({"tools": [TOOL, {"function": {"name": "f"}}]}, 'tools[1].type: is missing; send "function"'),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, 'tools[0].type: "custom" is not "function"'),
    ({"tools": [{"type": "function"}]}, "tools[0].function: null is not an object"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name: is missing"),
    ({"tools": [{"type": "function", "function": {"name": ""}}]}, 'tools[0].function.name: "" is empty'),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
        "tools[0].function.parameters: [] is not an object",
    ),
    ({"tool_choice": "always"}, 'tool_choice: "always" is not "none", "auto", "required"'),
    ({"tool_choice": "required"}, 'tool_choice: "required" needs tools'),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        'tool_choice.function.name: "g" is not among the tools; allowed are "f"',
    ),
    ({"tools": [TOOL], "parallel_tool_calls": "no"}, f'parallel_tool_calls: "no" {FLAG}'),
    ({"reasoning_format": "some"}, 'reasoning_format: "some" is not "none", "auto", "deepseek", "deepseek-legacy"'),
    ({"enable_thinking": "false"}, f'enable_thinking: "false" {FLAG}'),
    ({"chat_template_kwargs": {"enable_thinking": "no"}}, f'chat_template_kwargs.enable_thinking: "no" {FLAG}'),
    ({"thinking_token_budget": -2}, "thinking_token_budget: -2 is not an integer from -1"),
)
_MESSAGES: tuple[tuple[object, str], ...] = (
    ({}, "messages: is missing; send an array of objects with role and content"),
    ([], "messages: is missing"),
    ("text", "messages: is missing"),
    ({"prompt": "Hi"}, "messages: is missing"),
    ({"messages": None}, "messages: is missing"),
    ({"messages": []}, "messages: [] is empty; at least one message is needed"),
    ({"messages": "Hi"}, 'messages: "Hi" is not an array'),
    ({"messages": {"role": "user"}}, "messages: "),
    ({"messages": ["Hi"]}, 'messages[0]: "Hi" is not an object'),
    ({"messages": [None]}, "messages[0]: null is not an object"),
    ({"messages": [*MESSAGES, 5]}, "messages[1]: 5 is not an object"),
    ({"messages": [{"role": ["user"], "content": "Hi"}]}, 'messages[0].role: ["user"] is not a string'),
    ({"messages": [{"role": 5, "content": "Hi"}]}, "messages[0].role: 5 is not a string"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content: 5 is not a string or an array"),
    ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]: 5 is not a part"),
    ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, '.type: "input_audio" is not "text" or'),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "content[0].text: null is not a string"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "text: 5 is not a string"),
    ({"messages": [{"role": "user", "content": "a", "name": 5}]}, "messages[0].name: 5 is not a string"),
    ({"messages": [{"role": "user", "content": "a", "tool_calls": 5}]}, "tool_calls: 5 is not an array"),
    ({"messages": MESSAGES, "top_logprobs": 5}, "top_logprobs: 5 is not allowed unless logprobs is true"),
    ({"messages": MESSAGES, "logprobs": 1}, f"logprobs: 1 {FLAG}"),
    ({"messages": MESSAGES, "logprobs": True, "top_logprobs": 21}, "21 is not an integer from 0 to 20"),
    ({"messages": MESSAGES, "logprobs": True, "top_logprobs": -1}, "-1 is not an integer from 0 to 20"),
)
_TEXT_FIELDS: tuple[tuple[dict[str, object], str], ...] = (
    ({"best_of": 2}, "best_of: 2 is not equal to n, 1"),
    ({"best_of": "1"}, f'best_of: "1" {INT32}'),
    ({"logprobs": True}, "logprobs: true is not an integer from 0 to 100"),
    ({"logprobs": -1}, "logprobs: -1 is not an integer from 0 to 100"),
    ({"logprobs": 101}, "logprobs: 101 is not an integer from 0 to 100"),
    ({"echo": "yes"}, f'echo: "yes" {FLAG}'),
    ({"echo": True, "logprobs": 0, "suffix": "a"}, "echo: true is not allowed together with logprobs and suffix"),
    ({"suffix": 5}, "suffix: 5 is not a string"),
    ({"messages": MESSAGES}, "messages: is not a field of this route"),
    ({"top_logprobs": 1}, "top_logprobs: is not a field of this route"),
)


_CONTENTS: tuple[tuple[object, str], ...] = (
    (5, f"content: 5 {_FORMS}"),
    ({}, f"content: {{}} {_OBJECT_FORMS}"),
    (["a", None], "content[1]: null"),
    ([-1], f"content[0]: -1 {TOKEN}"),
    ([0.5], "content[0]: 0.5 is not a token id"),
    ([UNKNOWN_TOKEN], f"content[0]: {UNKNOWN_TOKEN} is not a token of this model"),
    (["a"] * 2049, "content: 2049 prompts are more than the 2048 allowed"),
)
_INPUTS: tuple[tuple[object, str], ...] = (
    (5, f"input: 5 {_FORMS}"),
    ([], "input: [] is empty; at least one input is needed"),
    ([None], "input[0]: null"),
    ({}, f"input: {{}} {_OBJECT_FORMS}"),
    (["a", None], "input[1]: null"),
    ([[1], [UNKNOWN_TOKEN]], f"input[1][0]: {UNKNOWN_TOKEN} is not a token of this model"),
    (["a"] * 2049, "input: 2049 inputs are more than the 2048 allowed"),
)
_TEXTS: tuple[tuple[object, str], ...] = (
    (5, "content: 5 is not a string or an array of strings and token ids"),
    (True, "content: true is not a string"),
    ({}, "content: {} is not a string"),
    (["a", None], "content[1]: null is not a string or a token id"),
    ([["a"]], 'content[0]: ["a"] is not a string or a token id'),
    ([-1], f"content[0]: -1 {TOKEN}"),
    ([UNKNOWN_TOKEN], f"{UNKNOWN_TOKEN} is not a token of this model"),
)
_TOKENS: tuple[tuple[object, str], ...] = (
    (5, "tokens: 5 is not an array of token ids"),
    ("1", 'tokens: "1" is not an array of token ids'),
    (["1"], 'tokens[0]: "1" is not a token id'),
    ([None], "tokens[0]: null is not a token id"),
    ([1, True], "tokens[1]: true is not a token id"),
    ([1.5], "tokens[0]: 1.5 is not a token id"),
    ([-1], f"tokens[0]: -1 {TOKEN}"),
    ([2**32], f"tokens[0]: {2**32} {TOKEN}"),
    ([1, UNKNOWN_TOKEN], f"tokens[1]: {UNKNOWN_TOKEN} is not a token of this model"),
    ([[1]], "tokens[0]: [1] is not a token id"),
)


def _embeddings() -> Iterator[WrongRequest]:
    native = "/embedding"
    for value, problem in _CONTENTS:
        yield wrong_body(native, {"content": value}, problem)
    for value, problem in _INPUTS:
        yield wrong_body(EMBEDDINGS, {"input": value}, problem)
    for name, value in (("encoding_format", "int8"), ("dimensions", 0), ("dimensions", 7), ("embd_normalize", 7)):
        yield wrong_body(EMBEDDINGS, {"input": "a", name: value}, name, json.dumps(value))
    for path, field in ((native, "content"), (EMBEDDINGS, "input")):
        body = {field: "long " * 10_000}
        yield wrong_body(path, body, field, "tokens", status=400, kind="exceed_context_size_error")
        yield wrong_body(path, {field: "a", "timeout_s": 0}, "timeout_s: 0.0 is not above 0")


def _tokens() -> Iterator[WrongRequest]:
    for value, problem in _TEXTS:
        yield wrong_body("/tokenize", {"content": value}, problem)
    for value, problem in _TOKENS:
        yield wrong_body("/detokenize", {"tokens": value}, problem)
