"""The client's Python values to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from slotline.client import GenerateOptions, SlotlineError
from slotline.client.errors import from_rpc_error
from slotline.client.requests import (
    embed_request,
    erase_slot_request,
    generate_request,
    lora_scales_request,
    rerank_request,
    restore_slot_request,
    save_slot_request,
    tokenize_request,
    whole_request,
)
from slotline.options import BY_PATH
from slotline.options.plain_options import PlainOptions
from slotline.protocol.collecting import COLLECTED_MS
from slotline.v1 import generation_pb2, sampling_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from google.protobuf.message import Message


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        ("Hi", "text"),
        ("", "text"),
        ([1, 2], "token_ids"),
        ([], "token_ids"),
        ([{"role": "user", "content": "Hi"}], "chat"),
    ],
)
def test_a_prompt_takes_its_form(prompt: Any, form: str) -> None:
    assert generate_request(prompt, {}).WhichOneof("prompt") == form


def test_messages_keep_role_and_text() -> None:
    request = generate_request([{"role": "system", "content": "Be brief."}, {"role": "user"}], {})
    turns = [(turn.role, [part.text for part in turn.content]) for turn in request.chat.messages]
    assert turns == [("system", ["Be brief."]), ("user", [""])]


@pytest.mark.parametrize(("options", "delay_ms"), [({}, COLLECTED_MS), ({"max_delta_delay_ms": 0}, 0)])
def test_an_answer_that_is_read_at_its_end_is_collected_unless_it_says_otherwise(
    options: GenerateOptions, delay_ms: int
) -> None:
    request = whole_request("Hi", options)
    assert (request.text, request.output.max_delta_delay_ms) == ("Hi", delay_ms)


def test_a_whole_request_of_the_caller_stays_as_it_is() -> None:
    given = generation_pb2.GenerateRequest(text="Hi")
    request = whole_request(given, {})
    assert (request.text, request.output.max_delta_delay_ms) == ("Hi", COLLECTED_MS)
    assert given == generation_pb2.GenerateRequest(text="Hi")


OPTIONS: list[tuple[str, Any, str]] = [
    ("max_tokens", 0, "stop.max_tokens"),
    ("min_tokens", 2, "stop.min_tokens"),
    ("temperature", 0.0, "sampling.temperature"),
    ("top_k", 0, "sampling.top_k"),
    ("top_p", 0.5, "sampling.top_p"),
    ("min_p", 0.5, "sampling.min_p"),
    ("typical_p", 0.5, "sampling.typical_p"),
    ("tfs_z", 0.5, "sampling.tfs_z"),
    ("repeat_penalty", 1.5, "sampling.repeat_penalty"),
    ("repeat_last_n", -1, "sampling.repeat_last_n"),
    ("frequency_penalty", 0.5, "sampling.frequency_penalty"),
    ("presence_penalty", 0.5, "sampling.presence_penalty"),
    ("seed", 0, "sampling.seed"),
    ("ignore_eos", True, "sampling.ignore_eos"),
    ("tokens", True, "output.tokens"),
    ("n_probs", 3, "output.n_probs"),
    ("top_logprobs", 0, "output.top_logprobs"),
    ("prompt_logprobs", True, "output.prompt_logprobs"),
    ("cache_prompt", False, "cache.cache_prompt"),
    ("slot_id", 0, "cache.slot_id"),
    ("cache_salt", "mine", "cache.cache_salt"),
    ("num_sequences", 3, "num_sequences"),
    ("n_keep", -1, "n_keep"),
    ("model", "m", "model"),
    ("request_id", "r", "request_id"),
]


@pytest.mark.parametrize(("name", "value", "path"), OPTIONS, ids=[row[0] for row in OPTIONS])
def test_an_option_reaches_its_field_also_if_it_is_zero(name: str, value: Any, path: str) -> None:
    options: Any = {name: value}
    *parents, field = path.split(".")
    message: Any = generate_request("Hi", options)
    for parent in parents:
        assert message.HasField(parent)
        message = getattr(message, parent)
    assert getattr(message, field) == value
    if message.DESCRIPTOR.fields_by_name[field].has_presence:
        assert message.HasField(field)


EXAMPLES: dict[str, Any] = {
    "stop": "a",
    "stop_token_ids": [1],
    "logit_bias": {1: 2.0},
    "dry_sequence_breakers": [".", "\n"],
    "samplers": ["top_k"],
    "penalty_prompt": "a",
    "grammar": "root ::= [a]",
    "json_schema": {"type": "object"},
    "json_object": True,
    "json_style": {"lenient": True},
    "choice": ["a"],
    "regex": "a",
    "lark": 'start: "a"',
    "parse_output": True,
    "reasoning_format": "both",
    "system_prompt": "a",
    "lora": {0: 0.5},
    "truncate": True,
    "model": "m",
    "request_id": "r",
    "extra": {"a": 1},
}
PLAIN = {facts.field: facts for facts in BY_PATH.values() if facts.field in PlainOptions.__annotations__}
PLAIN_EXAMPLES: dict[str, Any] = {"number": 0.5, "integer": 1, "boolean": True, "text": "a"}
# Other fields that say what to continue.
#: Also the defaults of APIs that are put in front of the contract, such as REST.
PROMPTS = {"text", "token_ids", "parts", "infill", "sampling_defaults"}


HOLDERS = ("sampling", "stop", "output", "constraint", "cache", "chat", "chat.tool_policy", "chat.reasoning")
CHAT: Any = [{"role": "user", "content": "Hi"}]
CHAT_EXAMPLES: dict[str, Any] = {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "required",
    "allowed_tools": ["f"],
    "parallel_tool_calls": False,
    "enable_thinking": False,
    "reasoning_effort": "low",
    "reasoning_budget_tokens": 0,
    "reasoning_budget_message": "Enough.",
    "reasoning_lenient": True,
    "template_kwargs": {"a": 1},
    "continue_final_message": True,
    "add_generation_prompt": False,
}


def set_paths(message: Message, prefix: str = "") -> Iterator[str]:
    """Paths of the fields that are set, down to what holds options."""
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if path in HOLDERS:
            yield from set_paths(value, f"{path}.")
        else:
            yield path


def fields_of(descriptor: Any, prefix: str = "") -> Iterator[str]:
    """Paths of all fields, down to what holds options."""
    for field in descriptor.fields:
        path = f"{prefix}{field.name}"
        if path in HOLDERS:
            yield from fields_of(field.message_type, f"{path}.")
        else:
            yield path


def test_every_field_of_a_request_can_be_set_by_an_option() -> None:
    assert set(GenerateOptions.__annotations__) == set(EXAMPLES) | set(CHAT_EXAMPLES) | set(PLAIN)
    reached: set[str] = set()
    for name in GenerateOptions.__annotations__:
        if name in PLAIN:
            value = PLAIN_EXAMPLES[PLAIN[name].kind]
        else:
            value = EXAMPLES[name] if name in EXAMPLES else CHAT_EXAMPLES[name]
        options: Any = {name: value}
        reached |= set(set_paths(generate_request(CHAT, options)))
    assert reached == set(fields_of(generation_pb2.GenerateRequest.DESCRIPTOR)) - PROMPTS


@pytest.mark.parametrize("scales", [{0: 0.5, 3: -1}, {}])
def test_scales_of_adapters_are_there_even_if_there_are_none(scales: dict[int, float]) -> None:
    request = generate_request("Hi", {"lora": scales})
    assert request.HasField("lora")
    assert {one.id: one.scale for one in request.lora.scales} == scales


@pytest.mark.parametrize("names", [["top_k", "temperature"], [], ("min_p", "min_p")])
def test_samplers_are_named(names: Sequence[str]) -> None:
    sampling = generate_request("Hi", {"samplers": names}).sampling
    assert sampling.HasField("samplers")
    numbers = [sampling_pb2.SamplerType.Value(f"SAMPLER_TYPE_{name.upper()}") for name in names]
    assert list(sampling.samplers.samplers) == numbers


def test_a_penalty_prompt_is_a_text_or_token_ids() -> None:
    assert generate_request("Hi", {"penalty_prompt": "a"}).sampling.penalty_prompt.text == "a"
    ids = generate_request("Hi", {"penalty_prompt": []}).sampling.penalty_prompt
    assert ids.WhichOneof("source") == "token_ids"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"grammar": "root ::= [a]"}, "gbnf"),
        ({"json_object": True}, "json_object"),
        ({"json_object": False}, None),
        ({"choice": ["yes", "no"]}, "choice"),
        ({"json_schema": {"type": "object"}}, "json_schema"),
        ({"json_schema": "{}"}, "json_schema"),
        ({"regex": "[0-9]+"}, "regex"),
        ({"lark": 'start: "a"'}, "lark"),
    ],
)
def test_a_constraint_is_one_of_several(options: Any, kind: str | None) -> None:
    assert generate_request("Hi", options).constraint.WhichOneof("kind") == kind


def test_a_style_of_json_goes_with_its_constraint() -> None:
    style: Any = {"whitespace_pattern": " ?", "disable_any_whitespace": False, "lenient": True}
    constraint = generate_request("Hi", {"json_style": style, "json_object": True}).constraint
    assert constraint.WhichOneof("kind") == "json_object"
    assert constraint.json_style == generation_pb2.JsonStyle(whitespace_pattern=" ?", lenient=True)


@pytest.mark.parametrize("word", ["separate", "inline", "both"])
def test_the_place_of_reasoning_is_a_word(word: Any) -> None:
    output = generate_request("Hi", {"reasoning_format": word}).output
    assert generation_pb2.ReasoningFormat.Name(output.reasoning_format) == f"REASONING_FORMAT_{word.upper()}"


def test_numbers_of_other_packages_are_numbers() -> None:
    options: Any = {"temperature": np.float32(0.5), "top_k": np.int64(3), "stop_token_ids": (np.int32(1),)}
    request = generate_request("Hi", options)
    assert (request.sampling.temperature, request.sampling.top_k, list(request.stop.token_ids)) == (0.5, 3, [1])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"temperature": "hot"}, TypeError, "temperature: 'hot' is not a number"),
        ({"temperature": True}, TypeError, "temperature: True is not a number"),
        ({"temperature": None}, TypeError, "temperature: None is not a number"),
        ({"temperature": 1e39}, ValueError, "temperature: 1e+39 is not a number from -3.40282e+38 to 3.40282e+38"),
        ({"top_k": 1.5}, TypeError, "top_k: 1.5 is not a whole number"),
        ({"top_k": 2**31}, ValueError, "top_k: 2147483648 is not a whole number from -2147483648 to 2147483647"),
        ({"max_tokens": -1}, ValueError, "max_tokens: -1 is not a whole number from 0 to 4294967295"),
        ({"ignore_eos": 1}, TypeError, "ignore_eos: 1 is not True or False"),
        ({"cache_salt": 5}, TypeError, "cache_salt: 5 is not a text"),
        ({"stop": 5}, TypeError, "stop: 5 is not a list of texts"),
        ({"stop": ["a", 5]}, TypeError, "stop[1]: 5 is not a text"),
        ({"stop_token_ids": "ab"}, TypeError, "stop_token_ids: 'ab' is not a list of token ids"),
        ({"stop_token_ids": [-1]}, ValueError, "stop_token_ids[0]: -1 is not a whole number from 0 to 4294967295"),
        ({"logit_bias": [1]}, TypeError, "logit_bias: [1] is not a mapping from tokens"),
        ({"logit_bias": {"a": "b"}}, TypeError, "logit_bias['a']: 'b' is not a number"),
        ({"logit_bias": {1.5: 1}}, TypeError, "logit_bias, token: 1.5 is not a whole number"),
        ({"lora": [1.0]}, TypeError, "lora: [1.0] is not a mapping of numbers of adapters to their scales"),
        ({"lora": {0: "x"}}, TypeError, "lora[0]: 'x' is not a number"),
        ({"lora": {-1: 1.0}}, ValueError, "lora: -1 is not a whole number from 0 to"),
        ({"samplers": "top_k"}, TypeError, "samplers: 'top_k' is not a list of texts"),
        ({"samplers": ["top_k", "best"]}, ValueError, "samplers[1]: 'best' is not a sampler; known are top_k, tfs_z, "),
        ({"penalty_prompt": 5}, TypeError, "penalty_prompt: 5 is not a list of token ids"),
        ({"choice": "yes"}, TypeError, "choice: 'yes' is not a list of texts"),
        ({"json_schema": 5}, TypeError, "json_schema: 5 is not a JSON Schema"),
        (
            {"json_schema": {"a": float("nan")}},
            ValueError,
            "json_schema: {'a': nan} has a value that JSON does not know",
        ),
        ({"json_schema": {"a": {1}}}, ValueError, "json_schema: {'a': {1}} has a value that JSON does not know"),
        ({"grammar": "a", "choice": ["b"]}, ValueError, "choice: there is grammar already; allowed is one constraint"),
        ({"regex": 5}, TypeError, "regex: 5 is not a text"),
        ({"lark": "a", "regex": "b"}, ValueError, "regex: there is lark already; allowed is one constraint"),
        ({"json_style": "lenient"}, TypeError, "json_style: 'lenient' is not a mapping with "),
        ({"json_style": {"loose": True}}, ValueError, "json_style: 'loose' is not one of whitespace_pattern, "),
        ({"json_style": {"lenient": 1}}, TypeError, "json_style.lenient: 1 is not True or False"),
        ({"json_style": {"whitespace_pattern": 1}}, TypeError, "json_style.whitespace_pattern: 1 is not a text"),
        ({"parse_output": "yes"}, TypeError, "parse_output: 'yes' is not True or False"),
        ({"reasoning_format": "auto"}, ValueError, "reasoning_format: 'auto' is not one of separate, inline, both"),
        ({"truncate": "yes"}, TypeError, "truncate: 'yes' is not True or False"),
        ({"system_prompt": None}, TypeError, "system_prompt: None is not a text"),
        ({"model": 5}, TypeError, "model: 5 is not a text"),
        ({"extra": 5}, TypeError, "extra: 5 is not a mapping"),
        ({"extra": {"a": {1}}}, ValueError, "extra: {'a': {1}} has a value that JSON does not know"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        generate_request("Hi", options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["Be brief.", ""])
def test_a_system_prompt_is_set_also_if_it_is_empty(text: str) -> None:
    request = generate_request("Hi", {"system_prompt": text})
    assert request.HasField("system_prompt")
    assert request.system_prompt.prompt == text
    assert not generate_request("Hi", {}).HasField("system_prompt")


def test_texts_and_token_ids_can_be_embedded() -> None:
    first, second = embed_request(["ab", [1, 2]]).inputs
    assert first.text == "ab"
    assert list(second.token_ids.ids) == [1, 2]
    with pytest.raises(TypeError, match="a list of one"):
        embed_request("ab")


@pytest.mark.parametrize(("stop", "texts"), [("ab", ["ab"]), (["a", "b"], ["a", "b"]), ([], [])])
def test_stop_is_one_text_or_several(stop: str | list[str], texts: list[str]) -> None:
    assert list(generate_request("Hi", {"stop": stop}).stop.texts) == texts


def test_biases_keep_their_order() -> None:
    request = generate_request("Hi", {"logit_bias": {5: 1.0, 3: float("-inf")}})
    assert [(entry.token_id, entry.bias) for entry in request.sampling.logit_bias] == [(5, 1.0), (3, float("-inf"))]


@pytest.mark.parametrize(
    ("truncate", "overflow"),
    [(True, generation_pb2.OVERFLOW_TRUNCATE), (False, generation_pb2.OVERFLOW_REFUSE)],
)
def test_truncation_is_a_choice(truncate: bool, overflow: int) -> None:
    assert generate_request("Hi", {"truncate": truncate}).overflow == overflow


def test_nothing_that_was_not_asked_for_is_sent() -> None:
    assert generate_request("Hi", {}) == generation_pb2.GenerateRequest(text="Hi")


def test_a_whole_request_is_sent_as_it_is() -> None:
    request = generation_pb2.GenerateRequest(text="Hi")
    assert generate_request(request, {}) is request
    with pytest.raises(TypeError, match="options beside it are not used: seed"):
        generate_request(request, {"seed": 1})


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ([{"content": "Hi"}], {}, r"messages\[0\]: {'content': 'Hi'} has no role"),
        ([{"role": "user", "text": "Hi"}], {}, r"messages\[0\]: unknown key 'text'; known are role, content, name"),
        ([{"role": "user", "content": 5}], {}, r"messages\[0\].content: 5 is not a text"),
        ([{"role": "assistant", "tool_calls": "f"}], {}, r"messages\[0\].tool_calls: 'f' is not a list of tool calls"),
        ([{"role": "assistant", "tool_calls": ["f"]}], {}, r"messages\[0\].tool_calls\[0\]: 'f' is not a tool call"),
        ("Hi", {"temprature": 1}, "unknown option 'temprature'; known are max_tokens"),
        ([1, "a"], {}, r"prompt\[0\]: 1 is not a text, a list of token ids, or a picture"),
        (b"Hi", {}, "a prompt is a text, token ids, messages, parts"),
        ([{"role": "user"}, 1], {}, "a prompt is a text, token ids, messages"),
    ],
)
def test_mistakes_are_named(prompt: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        generate_request(prompt, options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: save_slot_request(-1, "a"), ValueError, "slot_id: -1 is not a whole number from 0 to"),
        (lambda: save_slot_request(0, 5), TypeError, "filename: 5 is not a text"),  # type: ignore[arg-type]
        (lambda: restore_slot_request("x", "a"), TypeError, "slot_id: 'x' is not a whole number"),  # type: ignore[arg-type]
        (lambda: erase_slot_request(1 << 32), ValueError, "slot_id: 4294967296 is not a whole number from 0 to"),
        (lambda: lora_scales_request({-1: 1.0}), ValueError, "scales: -1 is not a whole number from 0 to"),
        (lambda: lora_scales_request({0: "x"}), TypeError, r"scales\[0\]: 'x' is not a number"),  # type: ignore[dict-item]
        (lambda: lora_scales_request([1.0]), TypeError, "scales: .* is not a mapping"),  # type: ignore[arg-type]
        (lambda: rerank_request(3, ["a"]), TypeError, "query: 3 is not a text"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_of_other_calls_are_named(
    make: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


def test_text_and_messages_can_be_tokenised() -> None:
    assert tokenize_request("Hi").text == "Hi"
    assert tokenize_request([{"role": "user", "content": "Hi"}]).chat.messages[0].role == "user"


class RpcFailure:
    """What gRPC raises, as far as it is looked at."""

    def __init__(self, trailers: Any) -> None:
        self._trailers = trailers

    def code(self) -> grpc.StatusCode:
        """The status."""
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str | None:
        """The text."""
        return "connection refused"

    def trailing_metadata(self) -> Any:
        """The trailers."""
        return self._trailers


@pytest.mark.parametrize("trailers", [None, (), (("grpc-status-details-bin", b"\xff\xff"),), (("other", "x"),)])
def test_a_failure_without_details_keeps_code_and_text(trailers: Any) -> None:
    error = from_rpc_error(RpcFailure(trailers))
    assert isinstance(error, SlotlineError)
    assert str(error) == "UNAVAILABLE: connection refused"
    assert (error.reason, error.metadata, error.violations, error.retry_after_s) == ("", {}, (), None)
