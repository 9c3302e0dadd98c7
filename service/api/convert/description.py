"""The served model, its slots and the core's state as messages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from google.protobuf import timestamp_pb2

from service.api.convert.echo import FORMATS
from service.api.convert.embedding import POOLINGS, max_inputs
from service.api.convert.events import duration
from service.api.convert.rerank import can_rerank
from service.api.convert.settings import default_settings, generation_settings
from service.api.convert.system_prompt import system_prompt_message
from service.api.status import CoreState, CoreStatus
from service.constraints.schema import MAX_SCHEMA_BYTES
from service.dialogue.description import describe
from service.engine.cache.context_shift import resolve_n_keep
from service.engine.request.events import FinishReason
from service.engine.request.snapshots import SlotSnapshot, SlotState
from service.media.encoder import WorkerState
from service.prompts.typed_content import TypedContent
from service.sampling.gbnf import MAX_GRAMMAR_BYTES
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, sampling_pb2

if TYPE_CHECKING:
    from service.api.served_model import PictureSupport, ServedModel
    from service.engine.request.requests import SystemPrompt
    from service.prompts.vocabulary import Vocabulary

_STATES = {
    SlotState.IDLE: model_pb2.SLOT_STATE_IDLE,
    SlotState.PREFILL: model_pb2.SLOT_STATE_PREFILL,
    SlotState.DECODE: model_pb2.SLOT_STATE_DECODE,
}
_SERVER_STATES = {
    CoreState.LOADING: model_pb2.SERVER_STATE_LOADING,
    CoreState.READY: model_pb2.SERVER_STATE_READY,
    CoreState.STALLED: model_pb2.SERVER_STATE_STALLED,
    CoreState.FAILED: model_pb2.SERVER_STATE_FAILED,
    CoreState.DRAINING: model_pb2.SERVER_STATE_DRAINING,
}
_IMAGE_WORKER_STATES = {
    None: model_pb2.IMAGE_WORKER_STATE_UNSPECIFIED,
    WorkerState.STARTING: model_pb2.IMAGE_WORKER_STATE_STARTING,
    WorkerState.IDLE: model_pb2.IMAGE_WORKER_STATE_IDLE,
    WorkerState.BUSY: model_pb2.IMAGE_WORKER_STATE_BUSY,
    WorkerState.FAILED: model_pb2.IMAGE_WORKER_STATE_FAILED,
}


def model_message(
    model: ServedModel,
    in_force: SystemPrompt | None = None,
    sampling_defaults: sampling_pb2.SamplingParams | None = None,
) -> model_pb2.Model:
    """The description of a served model.

    Args:
        model: the model.
        in_force: the system prompt of all slots, None without one.
        sampling_defaults: those of the caller, for the default settings.

    Raises:
        InvalidArgument: one of them is not allowed.
    """
    facts, capabilities = model.facts, _capabilities(model)
    return model_pb2.Model(
        name=model.name,
        aliases=model.aliases,
        family=facts.family,
        description=facts.description,
        context_length=model.engine.n_ctx_slot,
        max_output_tokens=model.engine.max_tokens,
        training_context_length=facts.n_ctx_train,
        embedding_dim=facts.n_embd,
        vocab_size=model.vocabulary.n_vocab,
        n_slots=model.engine.n_slots,
        n_params=facts.n_params,
        size_bytes=facts.size_bytes,
        chat_template=model.template.source,
        capabilities=capabilities,
        limits=model_pb2.Limits(
            max_prompt_bytes=model.limits.max_prompt_bytes,
            max_batch_embed=max_inputs(model),
            max_stop_texts=model.limits.max_stop_texts,
            max_grammar_bytes=MAX_GRAMMAR_BYTES,
            max_tools=model.limits.max_tools,
            max_schema_bytes=MAX_SCHEMA_BYTES,
        ),
        default_settings=default_settings(model, sampling_defaults),
        system_prompt=None if in_force is None else system_prompt_message(in_force),
        bos_token_id=model.vocabulary.bos_token,
        eog_token_ids=sorted(model.vocabulary.eog_tokens),
        chat_format=_chat_format(model) if model.info.can_generate else None,
        images=None if model.pictures is None else _image_support(model.pictures),
        pooling=POOLINGS[model.info.pooling] if capabilities.embed else embedding_pb2.POOLING_UNSPECIFIED,
        bos_token=_name(model.vocabulary, model.vocabulary.bos_token),
        eos_token=_name(model.vocabulary, model.vocabulary.eos_token),
        vocabulary_type=_vocabulary_type(facts.vocabulary_type),
        file_type=facts.file_type,
        tags=model.tags,
        file_name=PurePath(model.path).name,
    )


def _name(vocabulary: Vocabulary, token: int | None) -> str:
    return "" if token is None else vocabulary.token_bytes(token, special=True).decode("utf-8", "replace")


def _vocabulary_type(number: int) -> model_pb2.VocabularyType.ValueType:
    known = number in model_pb2.VocabularyType.values()
    return model_pb2.VocabularyType.ValueType(number) if known else model_pb2.VOCABULARY_TYPE_UNSPECIFIED


def _image_support(pictures: PictureSupport) -> model_pb2.ImageSupport:
    facts, limits = pictures.encoder.facts, pictures.limits
    return model_pb2.ImageSupport(
        projector_type=facts.projector_type,
        min_tokens=facts.min_tokens,
        max_tokens=facts.max_tokens,
        formats=FORMATS,
        max_images=limits.max_images,
        max_image_bytes=limits.max_image_bytes,
        max_request_image_bytes=limits.max_request_image_bytes,
        max_image_pixels=limits.max_image_pixels,
    )


def _chat_format(model: ServedModel) -> model_pb2.ChatFormat:
    chat_format = model.chat_format
    markers = chat_format.reasoning
    return model_pb2.ChatFormat(
        tool_format=chat_format.calls.style.value,
        tool_source=chat_format.source,
        reasoning_open=markers.open if markers else "",
        reasoning_close=markers.close if markers else "",
        reasoning_switches=chat_format.reasoning_switches.variables,
        description_json=json.dumps(describe(chat_format), ensure_ascii=False),
        template_capabilities=_template_capabilities(model),
    )


def _template_capabilities(model: ServedModel) -> model_pb2.TemplateCapabilities:
    chat_format, history = model.chat_format, model.chat_format.history
    takes_texts = not isinstance(model.template, TypedContent)
    return model_pb2.TemplateCapabilities(
        tools=chat_format.renders_tools,
        tool_calls=history.renders_calls,
        parallel_tool_calls=history.renders_calls and history.parallel,
        system_role=history.knows_system,
        string_content=takes_texts,
        typed_content=not takes_texts,
        object_arguments=history.renders_calls and not history.arguments_as_text,
        reasoning_effort=bool(chat_format.reasoning_switches.effort),
    )


def _capabilities(model: ServedModel) -> model_pb2.Capabilities:
    """What the server accepts, which may be less than the model could do."""
    info = model.info
    return model_pb2.Capabilities(
        generate=info.can_generate,
        embed=info.n_hidden > 0 and not can_rerank(model),
        infill=info.can_generate and model.vocabulary.fim_tokens is not None,
        vision=model.pictures is not None,
        constraint=info.can_generate,
        context_shift=info.can_shift,
        rerank=can_rerank(model),
        speculation=info.can_generate and info.can_cut and model.tries_drafts,
    )


def slot_message(
    slot: SlotSnapshot,
    model: ServedModel,
    tenant: str = "",
    received: generation_pb2.GenerateRequest | None = None,
) -> model_pb2.Slot:
    """One slot, as a tenant may see it: what others wrote is left out, and what belongs to a task that has ended.

    Args:
        slot: the slot.
        model: the served model.
        tenant: who asks.
        received: the request of the slot's task, None if it is not known.
    """
    if slot.request is not None and slot.request.tenant != tenant:
        slot, received = replace(slot, request=slot.request.without_texts()), None
    message = model_pb2.Slot(
        id=slot.id,
        state=_STATES[slot.state],
        task_id=slot.task_id,
        settings=_slot_settings(slot, model),
        prompt_tokens=slot.prompt_tokens,
        prompt_tokens_done=slot.prompt_tokens_done,
        tokens_predicted=slot.tokens_predicted,
        tokens_remaining=slot.tokens_remaining,
        # True before the first task too: nothing has ended yet.
        has_next_token=slot.state is not SlotState.IDLE or slot.task_id is None,
        cached_tokens=slot.cached_tokens,
        prompt_tokens_cached=slot.prompt_tokens_cached,
    )
    if slot.state is not SlotState.IDLE and received is not None:
        _set_prompt(message, received)
    if slot.state is SlotState.IDLE and slot.finished is not None:
        message.stopped_eos = slot.finished.eos_token is not None
        message.stopped_limit = slot.finished.reason is FinishReason.LENGTH
        message.stopped_word = slot.finished.stop_text is not None
    return message


def health_message(status: CoreStatus) -> model_pb2.HealthResponse:
    """The state of a core."""
    snapshot = status.snapshot
    start_time = timestamp_pb2.Timestamp()
    start_time.FromMicroseconds(round(status.start_time_s * 1e6))
    return model_pb2.HealthResponse(
        state=_SERVER_STATES[status.state],
        instance_id=status.instance_id,
        message=status.message,
        load_progress=status.load_progress,
        slots_idle=len(snapshot.slots) - snapshot.slots_processing,
        slots_processing=snapshot.slots_processing,
        queue_depth=snapshot.queue_depth,
        queue_limit=status.queue_limit,
        kv_cells_used=snapshot.kv_cells_used,
        kv_cells_total=snapshot.kv_cells_total,
        uptime=duration(status.uptime_s),
        start_time=start_time,
        image_worker=_IMAGE_WORKER_STATES[status.image_worker],
        prompt_tokens_outstanding=snapshot.prompt_tokens_outstanding,
        output_tokens_outstanding=snapshot.output_tokens_outstanding,
        prompt_tokens_per_second=snapshot.prompt_tokens_per_second,
    )


def _slot_settings(slot: SlotSnapshot, model: ServedModel) -> generation_pb2.GenerationSettings:
    request = slot.request
    if request is None:
        return default_settings(model)
    if slot.finished is not None:
        n_keep, max_tokens = slot.finished.n_keep, slot.finished.max_tokens
    else:
        n_keep = resolve_n_keep(request.n_keep, slot.prompt_tokens, model.engine.n_ctx_slot)
        max_tokens = None if slot.tokens_remaining is None else slot.tokens_remaining + slot.tokens_predicted
    return generation_settings(request, model, seed=slot.seed, n_keep=n_keep, max_tokens=max_tokens)


def _set_prompt(message: model_pb2.Slot, received: generation_pb2.GenerateRequest) -> None:
    """Copy the prompt as it was received; both messages name its forms alike."""
    form = received.WhichOneof("prompt")
    if form == "text":
        message.text = received.text
    elif form is not None:
        getattr(message, form).CopyFrom(getattr(received, form))
