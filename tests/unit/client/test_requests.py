"""The client's Python values to messages."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from slotline.client import GenerateOptions, SlotlineError
from slotline.client.errors import from_rpc_error
from slotline.client.requests import embed_request, generate_request, tokenize_request
from slotline.client.results import StreamState
from slotline.v1 import generation_pb2, tokens_pb2


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


def test_every_option_is_tested_or_special() -> None:
    special = {"stop", "logit_bias", "truncate", "system_prompt"}
    assert set(GenerateOptions.__annotations__) == {row[0] for row in OPTIONS} | special


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
        ("Hi", {"temprature": 1}, "unknown option 'temprature'; known are max_tokens"),
        ([1, "a"], {}, "a prompt is a text, token ids, messages"),
        ([{"role": "user"}, 1], {}, "a prompt is a text, token ids, messages"),
    ],
)
def test_mistakes_are_named(prompt: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        generate_request(prompt, options)


def test_text_and_messages_can_be_tokenised() -> None:
    assert tokenize_request("Hi").text == "Hi"
    assert tokenize_request([{"role": "user", "content": "Hi"}]).chat.messages[0].role == "user"


def test_an_answer_is_complete_only_at_its_end() -> None:
    state = StreamState()
    state.add(generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted(slot_id=1)))
    with pytest.raises(RuntimeError, match="iterate to the end first"):
        state.completion()


def test_several_continuations_are_kept_apart_and_the_first_is_the_text() -> None:
    def piece(index: int, text: str) -> generation_pb2.GenerateResponse:
        delta = generation_pb2.Delta(index=index, pieces=[generation_pb2.Piece(text=text)])
        return generation_pb2.GenerateResponse(delta=delta)

    def ending(index: int, reason: Any, usage: tokens_pb2.Usage | None = None) -> generation_pb2.GenerateResponse:
        finished = generation_pb2.Finished(index=index, reason=reason, usage=usage)
        return generation_pb2.GenerateResponse(finished=finished)

    state = StreamState()
    state.add(generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted(slot_id=1)))
    assert [state.add(piece(index, text)) for index, text in ((1, "x"), (0, "a"), (1, "y"), (0, "b"))] == [
        *("", "a"),
        *("", "b"),
    ]
    state.add(ending(0, generation_pb2.FINISH_REASON_STOP))
    with pytest.raises(RuntimeError, match="not complete"):
        state.completion()
    state.add(ending(1, generation_pb2.FINISH_REASON_LENGTH, tokens_pb2.Usage(completion_tokens=4)))
    completion = state.completion()
    assert (completion.text, completion.finish_reason) == ("ab", "stop")
    assert completion.usage.completion_tokens == 4
    assert [(one.text, one.finish_reason) for one in completion.continuations] == [("ab", "stop"), ("xy", "length")]


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
