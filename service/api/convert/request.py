"""``GenerateRequest`` to ``GenerationRequest``, and how its answer is to be sent."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from service.api.convert.checks import at_least, at_most, count_at_most, size_at_most
from service.api.convert.constraint import constraint_grammar
from service.api.convert.prompt import prompt_tokens
from service.api.convert.sampling import sampling_settings
from service.api.served_model import ServedModel
from service.engine.context import resolve_n_keep
from service.engine.types import GenerationRequest, Overflow
from service.errors import ContextLengthExceeded, InvalidArgument, NotImplementedFeature
from service.prompts.prompt import check_ids
from slotline.v1 import generation_pb2

MAX_REQUEST_ID_BYTES = 128
MAX_DELTA_DELAY_MS = 10_000

_OVERFLOWS = {
    generation_pb2.OVERFLOW_UNSPECIFIED: Overflow.REFUSE,
    generation_pb2.OVERFLOW_REFUSE: Overflow.REFUSE,
    generation_pb2.OVERFLOW_TRUNCATE: Overflow.TRUNCATE,
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the answer to a request is sent; known before its prompt is tokenised.

    Attributes:
        request_id: the caller's, or a new one.
        delta_delay_s: output may be collected for so long.
    """

    request_id: str
    delta_delay_s: float


def envelope(request: generation_pb2.GenerateRequest) -> Envelope:
    """How to send the answer.

    Raises:
        InvalidArgument: the request id is too long, or the delay is out of range.
    """
    size_at_most("request_id", len(request.request_id.encode()), MAX_REQUEST_ID_BYTES)
    delay_ms = at_most("output.max_delta_delay_ms", request.output.max_delta_delay_ms, MAX_DELTA_DELAY_MS)
    return Envelope(request.request_id or uuid.uuid4().hex, delay_ms / 1000)


def generation_request(request: generation_pb2.GenerateRequest, model: ServedModel) -> GenerationRequest:
    """What the engine is asked for. Tokenises and renders, so it may take a while.

    Raises:
        InvalidArgument: a field has a value that is not allowed.
        ContextLengthExceeded: the prompt does not fit and may not be truncated.
        NotImplementedFeature: a part of the contract that is not available.
    """
    _refuse_missing_features(request)
    overflow = _overflow(request)
    n_keep = at_least("n_keep", request.n_keep, -1)
    stop, output = request.stop, request.output
    count_at_most("stop.texts", len(stop.texts), model.limits.max_stop_texts)
    sampling = sampling_settings(request.sampling, output, model)
    prompt = prompt_tokens(request, model)
    n_ctx = model.engine.n_ctx_slot
    if len(prompt) >= n_ctx and overflow is Overflow.REFUSE:
        raise ContextLengthExceeded(len(prompt), n_ctx)
    return GenerationRequest(
        prompt=drop_blocks(prompt, n_ctx, n_keep),
        sampling=sampling,
        max_tokens=stop.max_tokens if stop.HasField("max_tokens") else None,
        min_tokens=stop.min_tokens,
        stop_texts=tuple(text.encode() for text in stop.texts if text),
        stop_tokens=frozenset(check_ids(stop.token_ids, model.vocabulary.n_vocab, "stop.token_ids")),
        include_match=stop.include_match,
        n_keep=n_keep,
        overflow=overflow,
        cache_prompt=request.cache.cache_prompt if request.cache.HasField("cache_prompt") else model.cache_prompt,
        slot_id=_slot_id(request, model),
        want_tokens=output.tokens or output.n_probs > 0 or output.HasField("top_logprobs"),
        grammar=constraint_grammar(request.constraint),
        echo=request,
    )


def drop_blocks(prompt: Sequence[int], n_ctx: int, n_keep: int) -> tuple[int, ...]:
    """A prompt that the engine truncates to the same tokens, but hardly longer than a slot's context.

    A queue full of the longest prompts allowed would otherwise hold gigabytes of token ids. Truncation removes whole
    blocks from one place, so some of them can go beforehand; the engine still sees that the prompt does not fit.
    """
    if len(prompt) < n_ctx:
        return tuple(prompt)
    keep = resolve_n_keep(n_keep, len(prompt), n_ctx)
    block = (n_ctx - keep) // 2
    surplus = (len(prompt) - n_ctx) // block * block
    return (*prompt[:keep], *prompt[keep + surplus :])


def _overflow(request: generation_pb2.GenerateRequest) -> Overflow:
    if request.overflow not in _OVERFLOWS:
        names = ", ".join(generation_pb2.Overflow.keys())
        raise InvalidArgument("overflow", f"is {request.overflow}; allowed are {names}")
    return _OVERFLOWS[request.overflow]


def _slot_id(request: generation_pb2.GenerateRequest, model: ServedModel) -> int | None:
    """The wished-for slot; a wish for one that does not exist is none."""
    wish = request.cache.slot_id
    return wish if request.cache.HasField("slot_id") and wish < model.engine.n_slots else None


def _refuse_missing_features(request: generation_pb2.GenerateRequest) -> None:
    if request.HasField("num_sequences"):
        at_least("num_sequences", request.num_sequences, 1)
    for feature, is_asked_for in (
        ("num_sequences above 1", request.num_sequences > 1),
        ("system_prompt", request.HasField("system_prompt")),
        ("output.prompt_logprobs", request.output.prompt_logprobs),
        ("cache.cache_salt", bool(request.cache.cache_salt)),
    ):
        if is_asked_for:
            raise NotImplementedFeature(feature)
