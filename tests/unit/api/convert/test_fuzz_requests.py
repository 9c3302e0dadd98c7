"""Requests of any content: each becomes something that keeps its promises, or is refused by a field's name."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from service.api.convert.chat import RenderedChat
from service.api.convert.embedding import embedding_request
from service.api.convert.events import StreamEncoder
from service.api.convert.request import envelope, generation_request
from service.api.convert.settings import generation_settings
from service.api.convert.tokens import detokenize_response, tokenize_response
from service.api.rpc.rpc_errors import to_status
from service.engine.request.requests import GenerationRequest, Overflow, SystemPrompt
from service.errors import ContextLengthExceeded, InvalidArgument, NotSupported, ServiceError
from service.prompts.work import Work
from service.sampling.gbnf import check_grammar
from service.testing.scripted_model import BOS, N_VOCAB
from slotline.options import max_bytes
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, tokenization_pb2
from tests.support.messages import any_message, damaged
from tests.support.properties import fuzzed
from tests.support.scripted_core import ByteVocabulary, FimTokens
from tests.support.served import served_model

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from service.api.served_model import ServedModel

N_CTX = 64
MODEL = served_model(vocabulary=ByteVocabulary(adds_bos=True, fim_tokens=FimTokens()))
PLAIN = served_model()
IN_FORCE = SystemPrompt("x" * 20, (BOS, *b"x" * 19))
UNIT = st.floats(-2, 2, width=32)
POSITIVE = st.floats(0.125, 10, width=32)
#: What is not refused, or not always: so many fields have any value that one of them would be wrong in every message.
ALLOWED: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("temperature", "dynatemp_range", "dynatemp_exponent"), UNIT),
    **dict.fromkeys(("top_p", "min_p", "tfs_z", "typical_p"), UNIT),
    **dict.fromkeys(("repeat_penalty", "frequency_penalty", "presence_penalty"), POSITIVE),
    **dict.fromkeys(("mirostat_tau", "mirostat_eta"), POSITIVE),
    **dict.fromkeys(("image", "json_schema"), st.nothing()),
    "repeat_last_n": st.integers(-1, 2**31 - 1),
    "mirostat": st.integers(0, 2),
    "bias": st.sampled_from([-math.inf, -1.0, 0.0, 3e38]),
    "samplers": st.integers(0, 6),
    "token_id": st.integers(0, N_VOCAB - 1),
    "ids": st.integers(0, N_VOCAB - 1),
    "gbnf": st.just('root ::= "yes" | "no"'),
    "tools_json": st.sampled_from(["", "[]", '[{"type": "function"}]']),
    "template_kwargs_json": st.sampled_from(["", "{}", '{"a": 1}']),
    "tool_calls_json": st.sampled_from(["[]", '[{"function": {"arguments": "{"}}]']),
    "overflow": st.integers(0, 2),
    "n_keep": st.integers(-1, 2**31 - 1),
    "num_sequences": st.integers(1, 128),
    "n_probs": st.integers(0, N_VOCAB),
    "top_logprobs": st.integers(0, 20),
    "max_delta_delay_ms": st.integers(0, 10_000),
    "dimensions": st.just(MODEL.info.n_embd),
    "pooling": st.integers(0, 1),
}
GENERATE = any_message(generation_pb2.GenerateRequest, ALLOWED)
EMBED = any_message(embedding_pb2.EmbedRequest, ALLOWED)
TOKENIZE = any_message(tokenization_pb2.TokenizeRequest, ALLOWED)
DETOKENIZE = any_message(tokenization_pb2.DetokenizeRequest, ALLOWED)
TEMPLATE = any_message(model_pb2.ApplyTemplateRequest, ALLOWED)


def assert_named(error: ServiceError, request: Message) -> None:
    """A refusal names a field that exists, or says what is not supported, and can be sent."""
    assert to_status(error).details
    if isinstance(error, NotSupported):
        return
    assert isinstance(error, InvalidArgument), error
    assert error.metadata["field"] == error.field
    # What follows a field with JSON is a place in that.
    field = re.sub(r"(_json)\b.*", r"\1", error.field)
    names = {name.partition("[")[0] for name in field.split(".")}
    assert names <= field_names(request.DESCRIPTOR), error.field
    if isinstance(error, ContextLengthExceeded):
        assert error.n_prompt_tokens >= 0


def field_names(descriptor: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """The names of all fields and oneofs of a message and of those inside it."""
    if descriptor.full_name in seen:
        return set()
    seen |= {descriptor.full_name}
    names = {field.name for field in descriptor.fields} | {oneof.name for oneof in descriptor.oneofs}
    inner = [field_names(field.message_type, seen) for field in descriptor.fields if field.message_type]
    return names.union(*inner)


def assert_promises(request: GenerationRequest, n_system: int) -> None:
    """What ``GenerationRequest`` and ``SamplingSettings`` say about themselves."""
    assert request.prompt
    assert all(isinstance(token, int) and 0 <= token < N_VOCAB for token in request.prompt)
    own = request.prompt[1:] if request.has_bos and n_system else request.prompt
    assert own
    assert request.overflow is Overflow.TRUNCATE or len(own) < N_CTX - n_system
    assert not request.has_bos or request.prompt[0] == BOS
    assert 1 <= request.n_sequences <= 128
    assert request.max_tokens is None or 0 <= request.max_tokens < 2**32
    assert request.min_tokens >= 0
    assert all(request.stop_texts)
    assert all(0 <= token < N_VOCAB for token in request.stop_tokens)
    assert request.n_keep >= -1
    assert len(request.cache_salt.encode()) <= max_bytes("cache_salt")
    assert request.slot_id is None or 0 <= request.slot_id < 2
    if request.guide is not None and request.guide.gbnf:
        check_grammar(request.guide.gbnf)
    if request.system_prompt is not None:
        assert len(request.system_prompt.tokens) <= N_CTX - 8
        assert bool(request.system_prompt.tokens) is bool(request.system_prompt.text)
    assert_sampling_promises(request)


def assert_sampling_promises(request: GenerationRequest) -> None:
    """What ``SamplingSettings`` says about itself."""
    sampling = request.sampling
    for name in ("temperature", "dynatemp_range", "dynatemp_exponent", "top_p", "min_p", "tfs_z", "typical_p"):
        assert math.isfinite(getattr(sampling, name)), name
    for name in ("repeat_penalty", "frequency_penalty", "presence_penalty", "mirostat_tau", "mirostat_eta"):
        assert math.isfinite(getattr(sampling, name)), name
    assert sampling.repeat_penalty > 0
    assert sampling.repeat_last_n >= -1
    assert sampling.mirostat in (0, 1, 2)
    assert sampling.seed is None or 0 <= sampling.seed < 2**32
    assert all(0 <= token < N_VOCAB for token in sampling.penalty_prompt or ())
    assert all(0 <= token < N_VOCAB and not math.isnan(bias) and bias < math.inf for token, bias in sampling.logit_bias)
    assert len(sampling.chain) <= 64
    assert 0 <= sampling.n_probs <= N_VOCAB
    assert sampling.top_logprobs is None or 0 <= sampling.top_logprobs <= 100
    assert request.want_tokens or (not sampling.n_probs and sampling.top_logprobs is None)


@pytest.mark.parametrize("in_force", [None, IN_FORCE], ids=["alone", "behind a system prompt"])
@fuzzed
@given(message=st.one_of(GENERATE, damaged(GENERATE)))
def test_a_generate_request_keeps_its_promises_or_is_refused(
    in_force: SystemPrompt | None, message: generation_pb2.GenerateRequest
) -> None:
    try:
        wrapping = envelope(message)
        request = generation_request(message, MODEL, in_force)
    except ServiceError as error:
        assert_named(error, message)
        return
    event("accepted")
    assert 0 <= wrapping.delta_delay_s <= 10
    assert 0 < len(wrapping.request_id.encode()) <= 128
    system = request.system_prompt if request.system_prompt is not None else in_force
    assert_promises(request, len(system.tokens) if system else 0)
    # What is reported about it can be sent.
    assert generation_settings(request, MODEL, seed=1, n_keep=0, max_tokens=None).SerializeToString() is not None
    StreamEncoder(request, MODEL, wrapping.request_id, "run", 0)


@pytest.mark.parametrize("model", [PLAIN, served_model(can_generate=False)], ids=["causal", "encoder"])
@fuzzed
@given(message=st.one_of(EMBED, damaged(EMBED)))
def test_an_embed_request_keeps_its_promises_or_is_refused(
    model: ServedModel, message: embedding_pb2.EmbedRequest
) -> None:
    try:
        request = embedding_request(message, model)
    except ServiceError as error:
        assert_named(error, message)
        return
    event("accepted")
    assert 1 <= len(request.inputs) <= 2048
    longest = N_CTX - 1 if model.info.can_generate else model.info.n_hidden
    for tokens in request.inputs:
        assert 1 <= len(tokens) <= longest
        assert all(isinstance(token, int) and 0 <= token < N_VOCAB for token in tokens)


@fuzzed
@given(message=st.one_of(TOKENIZE, damaged(TOKENIZE)))
def test_a_tokenize_request_is_answered_or_refused(message: tokenization_pb2.TokenizeRequest) -> None:
    try:
        response = tokenize_response(message, MODEL, Work())
    except ServiceError as error:
        assert_named(error, message)
        return
    event("accepted")
    assert response.count == len(response.ids)
    assert len(response.pieces) == (response.count if message.with_pieces else 0)
    assert all(token < N_VOCAB for token in response.ids)


@fuzzed
@given(message=st.one_of(DETOKENIZE, damaged(DETOKENIZE)))
def test_a_detokenize_request_is_answered_or_refused(message: tokenization_pb2.DetokenizeRequest) -> None:
    try:
        response = detokenize_response(message, MODEL, Work())
    except ServiceError as error:
        assert_named(error, message)
        return
    event("accepted")
    assert response.text == response.raw.decode(errors="replace")


@fuzzed
@given(message=st.one_of(TEMPLATE, damaged(TEMPLATE)))
def test_a_conversation_is_rendered_or_refused(message: model_pb2.ApplyTemplateRequest) -> None:
    try:
        text = RenderedChat(message.chat, MODEL).text
    except ServiceError as error:
        assert_named(error, message)
        return
    event("accepted")
    assert text == "rendered"
