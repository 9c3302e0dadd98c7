"""``GenerateRequest`` to ``GenerationRequest``, and how to send its answer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.api.convert.answer import answer_guide, answer_parsing, answer_policy
from service.api.convert.candidates import bounded_max_tokens
from service.api.convert.checks import at_most, count_at_most, size_at_most, within
from service.api.convert.lora import adapter_scales
from service.api.convert.prompt import TokenizedPrompt, tokenized_prompt
from service.api.convert.purpose import told_purpose
from service.api.convert.sampling import sampling_settings
from service.api.convert.system_prompt import system_prompt, system_prompt_text
from service.engine.cache.context_shift import drop_blocks
from service.engine.request.requests import GenerationRequest, Overflow, SystemPrompt
from service.errors import ContextLengthExceeded, InvalidArgument, NotSupported
from service.prompts.paced import TooManyTokens
from service.prompts.prompt import check_ids
from slotline.options import BY_PATH, max_bytes, maximum
from slotline.v1 import generation_pb2

if TYPE_CHECKING:
    from service.api.convert.pictures import Pictures
    from service.api.served_model import ServedModel

MAX_REQUEST_ID_BYTES = 128
#: Most candidates for each token of a prompt, and most tokens and candidates of a whole prompt, about 100 bytes each.
MAX_PROMPT_LOGPROBS = 20
MAX_PROMPT_ENTRIES = 1 << 17

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
        delta_delay_s: how long output may be held back.
    """

    request_id: str
    delta_delay_s: float


def envelope(request: generation_pb2.GenerateRequest) -> Envelope:
    """How to send the answer.

    Raises:
        InvalidArgument: the request id is too long, or the delay is out of range.
    """
    size_at_most("request_id", len(request.request_id.encode()), MAX_REQUEST_ID_BYTES)
    delay_ms = at_most("output.max_delta_delay_ms", request.output.max_delta_delay_ms, maximum("max_delta_delay_ms"))
    return Envelope(request.request_id or uuid.uuid4().hex, delay_ms / 1000)


def generation_request(
    request: generation_pb2.GenerateRequest, model: ServedModel, in_force: SystemPrompt | None = None
) -> GenerationRequest:
    """What the engine is asked for. Tokenises and renders, so it may take a while.

    Args:
        request: the message.
        model: the model that is to answer.
        in_force: the system prompt of all slots, unless the request replaces it.

    Raises:
        InvalidArgument: a field has a value that is not allowed.
        ContextLengthExceeded: the prompt does not fit and may not be truncated.
        NotSupported: the model cannot do it.
        ServiceError: see ``PictureEncoder.encode``; pictures are encoded once all else is known to be allowed.
    """
    if not model.info.can_generate:
        raise NotSupported(f"this model cannot generate text; {told_purpose(model.info)}")
    overflow = _overflow(request)
    n_keep = request.n_keep
    within("n_keep", n_keep, BY_PATH["n_keep"].allowed)
    stop, output = request.stop, request.output
    count_at_most("stop.texts", len(stop.texts), model.limits.max_stop_texts)
    size_at_most("stop.texts", sum(len(text.encode()) for text in stop.texts), max_bytes("stop"))
    count_at_most("stop.token_ids", len(stop.token_ids), model.vocabulary.n_vocab)
    size_at_most("cache.cache_salt", len(request.cache.cache_salt.encode()), max_bytes("cache_salt"))
    n_sequences = _n_sequences(request, model)
    sampling = sampling_settings(request.sampling, output, model, request.sampling_defaults)
    max_tokens = bounded_max_tokens(request, model.engine.max_tokens, model.engine.default_max_tokens)
    own_scales = adapter_scales(request.lora.scales, model.info, "lora.") if request.HasField("lora") else None
    policy = answer_policy(request, model)
    replacing = _system_prompt(request, model)
    prompt_logprobs = _prompt_logprobs(output)
    # The log-probabilities of a prompt without its middle would be of no use to anyone.
    fitting = overflow if prompt_logprobs is None else Overflow.REFUSE
    prompt, n_whole = _fitting_prompt(request, model, replacing or in_force, n_keep, fitting)
    _check_scores(len(prompt.tokens), prompt_logprobs)
    prepared = GenerationRequest(
        prompt=prompt.tokens,
        has_bos=prompt.has_bos,
        n_dropped=n_whole - len(prompt.tokens),
        n_sequences=n_sequences,
        sampling=sampling,
        max_tokens=max_tokens,
        min_tokens=_min_tokens(stop.min_tokens, max_tokens, model),
        stop_texts=tuple(text.encode() for text in stop.texts if text),
        stop_tokens=frozenset(check_ids(stop.token_ids, model.vocabulary.n_vocab, "stop.token_ids")),
        include_match=stop.include_match,
        min_indent=stop.min_indent,
        line_limit_s=stop.line_limit_ms / 1000 if stop.line_limit_ms else None,
        n_keep=n_keep,
        overflow=overflow,
        cache_prompt=request.cache.cache_prompt if request.cache.HasField("cache_prompt") else model.cache_prompt,
        cache_salt=request.cache.cache_salt,
        adapter_scales=own_scales,
        slot_id=_slot_id(request, model),
        system_prompt=replacing,
        want_tokens=output.tokens or output.n_probs > 0 or output.HasField("top_logprobs"),
        want_timings=output.timings,
        want_progress=output.prompt_progress,
        prompt_logprobs=prompt_logprobs,
        guide=answer_guide(request, model, policy, prompt.tail),
        parsing=answer_parsing(request, model, policy, prompt.tail),
    )
    if prompt.pictures is None:
        return prepared
    if prompt_logprobs is not None:
        raise InvalidArgument(
            "output.prompt_logprobs", "true is not possible for prompts with pictures, whose rows are no tokens"
        )
    return _with_pictures(prepared, prompt, prompt.pictures, model, replacing or in_force)


def _min_tokens(wanted: int, max_tokens: int | None, model: ServedModel) -> int:
    """The least number of tokens before the end, checked against the limits on tokens."""
    most, what = model.engine.n_ctx_slot, "a slot's context"
    for limit in (max_tokens, model.engine.max_tokens):
        if limit is not None and limit < most:
            most, what = limit, "the limit on tokens"
    if wanted > most:
        raise InvalidArgument("stop.min_tokens", f"is {wanted}; allowed are 0 to {most}, {what}")
    return wanted


def _prompt_logprobs(output: generation_pb2.OutputOptions) -> int | None:
    """The number of candidates to report for each token of the prompt, None for no report."""
    if not output.prompt_logprobs:
        return None
    return at_most("output.top_logprobs", output.top_logprobs, MAX_PROMPT_LOGPROBS)


def _check_scores(n_tokens: int, n_top: int | None) -> None:
    """Refuse reports that would take more memory than one request may."""
    if n_top is not None and n_tokens * (1 + n_top) > MAX_PROMPT_ENTRIES:
        raise InvalidArgument(
            "output.prompt_logprobs",
            f"asks for {n_tokens} tokens of the prompt with {n_top} candidates each; allowed are "
            f"{MAX_PROMPT_ENTRIES} tokens and candidates in all",
        )


def _overflow(request: generation_pb2.GenerateRequest) -> Overflow:
    if request.overflow not in _OVERFLOWS:
        names = ", ".join(generation_pb2.Overflow.keys())
        raise InvalidArgument("overflow", f"is {request.overflow}; allowed are {names}")
    return _OVERFLOWS[request.overflow]


def _slot_id(request: generation_pb2.GenerateRequest, model: ServedModel) -> int | None:
    """The slot that the request prefers; a preference for one that does not exist is ignored."""
    slot_id = request.cache.slot_id
    return slot_id if request.cache.HasField("slot_id") and slot_id < model.engine.n_slots else None


def _n_sequences(request: generation_pb2.GenerateRequest, model: ServedModel) -> int:
    if not request.HasField("num_sequences"):
        return 1
    most = model.limits.max_sequences
    if not 1 <= request.num_sequences <= most:
        raise InvalidArgument("num_sequences", f"is {request.num_sequences}; allowed are 1 to {most}")
    return request.num_sequences


def _system_prompt(request: generation_pb2.GenerateRequest, model: ServedModel) -> SystemPrompt | None:
    if not request.HasField("system_prompt"):
        return None
    return system_prompt(system_prompt_text(request.system_prompt), model)


def _fitting_prompt(
    request: generation_pb2.GenerateRequest,
    model: ServedModel,
    system: SystemPrompt | None,
    n_keep: int,
    overflow: Overflow,
) -> tuple[TokenizedPrompt, int]:
    """The prompt, shortened to what the engine needs of it if it may be truncated; and the length of the whole one.

    A system prompt may have gone or come by the time the prompt gets its slot; the engine checks again. What is
    truncated is tokenised to its end: where it is cut depends on its length.
    """
    n_ctx, n_system = model.engine.n_ctx_slot, len(system.tokens) if system else 0
    if overflow is not Overflow.REFUSE:
        whole = tokenized_prompt(request, model, n_system=n_system)
        # What is cut out of a prompt with pictures might be what the text is about.
        if whole.pictures is None:
            return _shortened(whole, n_ctx, n_system, n_keep), len(whole.tokens)
        prompt = whole
    else:
        try:
            prompt = tokenized_prompt(request, model, n_useful=n_ctx, n_system=n_system)
        except TooManyTokens as error:
            raise _too_long(error.n_tokens, n_ctx, n_system, is_exact=False) from None
    pictures = prompt.pictures
    least = 0 if pictures is None else len(pictures.taken) * pictures.least_each
    _check_length(prompt, least, n_ctx, n_system, is_exact=pictures is None or pictures.is_least_exact)
    return prompt, len(prompt.tokens)


def _with_pictures(
    prepared: GenerationRequest,
    prompt: TokenizedPrompt,
    pictures: Pictures,
    model: ServedModel,
    system: SystemPrompt | None,
) -> GenerationRequest:
    """The request with its pictures in its prompt."""
    encoded = pictures.encode()
    _check_length(prompt, encoded.n_items, model.engine.n_ctx_slot, len(system.tokens) if system else 0)
    return replace(prepared, prompt=encoded.put_into(prompt.tokens), media=encoded.media, n_media_items=encoded.n_items)


def _check_length(
    prompt: TokenizedPrompt, n_image_tokens: int, n_ctx: int, n_system: int, *, is_exact: bool = True
) -> None:
    """Refuse a prompt that leaves no room for an answer."""
    n_places = 0 if prompt.pictures is None else len(prompt.pictures.taken)
    # Behind a system prompt there is no BOS.
    n_tokens = len(prompt.tokens) - (prompt.has_bos and n_system > 0) - n_places + n_image_tokens
    if n_tokens >= n_ctx - n_system:
        raise _too_long(n_tokens, n_ctx, n_system, is_exact=is_exact, n_image_tokens=n_image_tokens)


def _too_long(
    n_tokens: int, n_ctx: int, n_system: int, *, is_exact: bool = True, n_image_tokens: int = 0
) -> ContextLengthExceeded:
    allowed = None
    if n_system:
        allowed = (
            f"the system prompt takes {n_system} of the {n_ctx} in a slot's context, and one must be left for the "
            "answer"
        )
    return ContextLengthExceeded(
        n_tokens, n_ctx - n_system, allowed=allowed, is_exact=is_exact, n_image_tokens=n_image_tokens
    )


def _shortened(prompt: TokenizedPrompt, n_ctx: int, n_system: int, n_keep: int) -> TokenizedPrompt:
    # Behind a system prompt there is no BOS.
    head = prompt.tokens[:1] if prompt.has_bos and n_system else ()
    kept = head + drop_blocks(prompt.tokens[len(head) :], n_ctx - n_system, n_keep)
    # The BOS may be among what was dropped.
    return replace(prompt, tokens=kept, has_bos=prompt.has_bos and kept[:1] == prompt.tokens[:1])
