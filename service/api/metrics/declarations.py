"""The core's metrics, one declaration each. Names and meanings are a contract with whoever watches them.

``tools/document_metrics.py`` writes the tables of ``docs/metrics.md`` from here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from service.api.metrics.metric import Metric, MetricType, Reading
from service.api.status import CoreState
from service.engine.request.snapshots import EngineSnapshot, Outcome
from service.media.encoder import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.media.encoder import MediaCounts


def kv_tokens(snapshot: EngineSnapshot) -> int:
    """Tokens in the KV cache; those that slots share count once for each. All slots share the system prompt."""
    n_system = len(snapshot.system_prompt.tokens) if snapshot.system_prompt else 0
    return sum(slot.cached_tokens + n_system for slot in snapshot.slots)


def _outcomes(now: Reading) -> Mapping[tuple[str, ...], float]:
    return {(outcome.value,): n for outcome, n in zip(Outcome, now.counters.requests, strict=True)}


def _phases(now: Reading) -> Mapping[tuple[str, ...], float]:
    counters = now.counters
    other_s = max(0.0, counters.step_s - counters.model_s - counters.sampling_s)
    return {("model",): counters.model_s, ("sampling",): counters.sampling_s, ("other",): other_s}


def _states(now: Reading) -> Mapping[tuple[str, ...], float]:
    return {(state.value,): state is now.status.state for state in CoreState}


def _model(now: Reading) -> Mapping[tuple[str, ...], float] | None:
    model = now.model
    return None if model is None else {(model.name, model.facts.family, model.facts.description): 1}


def _of_media(read: Callable[[MediaCounts], float]) -> Callable[[Reading], float | None]:
    """Reads what is only there if pictures are taken."""
    return lambda now: None if now.media is None else read(now.media)


def _image_worker_states(now: Reading) -> Mapping[tuple[str, ...], float] | None:
    worker = now.status.image_worker
    return None if worker is None else {(state.value,): state is worker for state in WorkerState}


_counter = partial(Metric, type=MetricType.COUNTER)
_gauge = partial(Metric, type=MetricType.GAUGE)
_histogram = partial(Metric, type=MetricType.HISTOGRAM)

#: In the order of the exposition.
METRICS: tuple[Metric, ...] = (
    _counter(
        name="slotline_prompt_tokens_total",
        unit="tokens",
        read=lambda now: now.counters.prompt_tokens,
        help="Prompt tokens evaluated, without those taken from the cache.",
    ),
    _counter(
        name="slotline_cached_prompt_tokens_total",
        unit="tokens",
        read=lambda now: now.counters.cached_prompt_tokens,
        help="Prompt tokens taken from the cache, which were not evaluated again.",
    ),
    _counter(
        name="slotline_prompt_seconds_total",
        unit="seconds",
        read=lambda now: now.counters.prompt_s,
        help="Time from getting a slot to the first token, summed over sequences.",
    ),
    _counter(
        name="slotline_predicted_tokens_total",
        unit="tokens",
        read=lambda now: now.counters.predicted_tokens,
        help="Tokens sampled by sequences that have ended.",
    ),
    _counter(
        name="slotline_predicted_seconds_total",
        unit="seconds",
        read=lambda now: now.counters.predicted_s,
        help="Time from the first to the last token, summed over sequences.",
    ),
    _counter(
        name="slotline_sequences_finished_total",
        unit="sequences",
        read=lambda now: now.counters.finished,
        help="Sequences that ended, however they did.",
    ),
    _counter(
        name="slotline_steps_total", unit="steps", read=lambda now: now.counters.steps, help="Steps of the engine."
    ),
    _counter(
        name="slotline_interrupted_steps_total",
        unit="steps",
        read=lambda now: now.counters.interrupted_steps,
        help="Steps with a long prompt alone that were ended early, and are done again, because somebody came.",
    ),
    _counter(
        name="slotline_preemptions_total",
        unit="sequences",
        read=lambda now: now.counters.preemptions,
        help="Sequences that were preempted, for a higher priority or for lack of KV cells, to go on later.",
    ),
    _counter(
        name="slotline_drafted_tokens_total",
        unit="tokens",
        read=lambda now: now.counters.drafted_tokens,
        help="Tokens that were drafted: tried ahead of the model's choice.",
    ),
    _counter(
        name="slotline_accepted_tokens_total",
        unit="tokens",
        read=lambda now: now.counters.accepted_tokens,
        help="Drafted tokens that were right.",
    ),
    _counter(
        name="slotline_drafts_total",
        unit="drafts",
        read=lambda now: now.counters.drafts,
        help="Drafts that were tried.",
    ),
    _counter(
        name="slotline_embedded_tokens_total",
        unit="tokens",
        read=lambda now: now.counters.embedded_tokens,
        help="Tokens of inputs that were embedded.",
    ),
    _counter(
        name="slotline_model_calls_total",
        unit="calls",
        read=lambda now: now.counters.model_calls,
        help="Calls of the model.",
    ),
    _counter(
        name="slotline_model_call_sequences_total",
        unit="sequences",
        read=lambda now: now.counters.call_sequences,
        help="Sequences in these calls.",
    ),
    _counter(
        name="slotline_requests_total",
        unit="requests",
        read=_outcomes,
        help="Requests for text that are over, by how they ended.",
        labels=("outcome",),
    ),
    _counter(
        name="slotline_engine_seconds_total",
        unit="seconds",
        read=_phases,
        help="Duration of the engine's steps, by what it was spent on.",
        labels=("phase",),
    ),
    _histogram(
        name="slotline_queue_seconds",
        unit="seconds",
        read=lambda now: now.observed.queue_s,
        help="Time from arrival to the first slot.",
    ),
    _histogram(
        name="slotline_time_to_first_token_seconds",
        unit="seconds",
        read=lambda now: now.observed.first_token_s,
        help="Time from arrival to the first token; time in the queue is included.",
    ),
    _histogram(
        name="slotline_inter_token_seconds",
        unit="seconds",
        read=lambda now: now.observed.inter_token_s,
        help="Time between two tokens of a sequence, as the engine gives them.",
    ),
    _histogram(
        name="slotline_request_prompt_tokens",
        unit="tokens",
        read=lambda now: now.observed.prompt_tokens,
        help="Prompt tokens of a request, cached ones included, the system prompt not.",
    ),
    _histogram(
        name="slotline_request_generated_tokens",
        unit="tokens",
        read=lambda now: now.observed.generated_tokens,
        help="Tokens sampled for a request in all its sequences; 0 if it never ran.",
    ),
    _histogram(
        name="slotline_step_seconds",
        unit="seconds",
        read=lambda now: now.observed.step_s,
        help="Duration of a step that evaluated tokens.",
    ),
    _histogram(
        name="slotline_batch_tokens",
        unit="tokens",
        read=lambda now: now.observed.batch_tokens,
        help="Tokens that a step evaluated: prompts, generation and embeddings.",
    ),
    _counter(
        name="slotline_restored_prompts_total",
        unit="caches",
        read=lambda now: now.snapshot.restored_prompts,
        help="Caches copied back from main memory to a slot.",
    ),
    _counter(
        name="slotline_images_encoded_total",
        unit="pictures",
        read=_of_media(lambda media: media.n_encoded),
        help="Pictures that were encoded.",
    ),
    _counter(
        name="slotline_image_hits_total",
        unit="pictures",
        read=_of_media(lambda media: media.n_hits),
        help="Pictures that needed no encoding: what becomes of them was kept, or just being made.",
    ),
    _counter(
        name="slotline_image_encode_seconds_total",
        unit="seconds",
        read=_of_media(lambda media: media.encode_s),
        help="Time that encoding took.",
    ),
    _counter(
        name="slotline_image_failures_total",
        unit="pictures",
        read=_of_media(lambda media: media.n_failed),
        help="Pictures that could not be encoded.",
    ),
    _counter(
        name="slotline_image_worker_restarts_total",
        unit="processes",
        read=_of_media(lambda media: media.n_restarts),
        help="Processes for pictures that were lost and replaced.",
    ),
    _gauge(
        name="slotline_images_waiting",
        unit="pictures",
        read=_of_media(lambda media: media.n_waiting),
        help="Pictures that wait to be encoded.",
    ),
    _gauge(
        name="slotline_image_cache_bytes",
        unit="bytes",
        read=_of_media(lambda media: media.kept_bytes),
        help="Main memory that encoded pictures take.",
    ),
    _gauge(
        name="slotline_image_worker_state",
        unit="0 or 1",
        read=_image_worker_states,
        help="1 for the state that the process for pictures is in.",
        labels=("state",),
    ),
    _gauge(
        name="slotline_saved_prompts",
        unit="caches",
        read=lambda now: now.snapshot.saved_prompts,
        help="Caches in main memory, of conversations that left their slots.",
    ),
    _gauge(
        name="slotline_saved_bytes",
        unit="bytes",
        read=lambda now: now.snapshot.saved_bytes,
        help="Main memory that saved caches take.",
    ),
    _gauge(name="slotline_slots", unit="slots", read=lambda now: len(now.snapshot.slots), help="Slots."),
    _gauge(
        name="slotline_slots_processing",
        unit="slots",
        read=lambda now: now.snapshot.slots_processing,
        help="Slots with a request.",
    ),
    _gauge(
        name="slotline_queue_depth",
        unit="requests",
        read=lambda now: now.snapshot.queue_depth,
        help="Requests that wait for a slot, or to be embedded.",
    ),
    _gauge(
        name="slotline_queue_limit",
        unit="requests",
        read=lambda now: now.status.queue_limit,
        help="Requests that may wait for a slot, or to be embedded.",
    ),
    _gauge(name="slotline_kv_cells", unit="cells", read=lambda now: now.snapshot.kv_cells_total, help="KV cells."),
    _gauge(
        name="slotline_kv_cells_used",
        unit="cells",
        read=lambda now: now.snapshot.kv_cells_used,
        help="KV cells that hold a token; a shared one counts once.",
    ),
    _gauge(
        name="slotline_kv_tokens",
        unit="tokens",
        read=lambda now: kv_tokens(now.snapshot),
        help="Tokens in the KV cache; a shared one counts once per slot.",
    ),
    _gauge(
        name="slotline_model_load_ratio",
        unit="0 to 1",
        read=lambda now: now.status.load_progress,
        help="Part of the model that is loaded.",
    ),
    _gauge(
        name="slotline_start_time_seconds",
        unit="seconds since 1970",
        read=lambda now: now.status.start_time_s,
        help="When the core started.",
    ),
    _gauge(
        name="slotline_core_state",
        unit="0 or 1",
        read=_states,
        help="1 for the state that the core is in.",
        labels=("state",),
    ),
    _gauge(
        name="slotline_model_info",
        unit="1",
        read=_model,
        help="The served model, described by labels.",
        labels=(
            "name",
            "family",
            "description",
        ),
    ),
)
