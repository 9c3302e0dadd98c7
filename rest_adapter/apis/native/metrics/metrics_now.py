"""The metrics of llama.cpp's server of today: names and types are its own."""

from __future__ import annotations

from functools import partial

from rest_adapter.apis.native.metrics.metric import Metric

_counter = partial(Metric, type="counter")
_gauge = partial(Metric, type="gauge")

#: In the order of the exposition.
METRICS = (
    _counter(
        name="llamacpp:prompt_tokens_total",
        unit="tokens",
        read=lambda now: now.core.prompt_tokens_total + now.core.embedded_tokens_total,
        help="Prompt tokens evaluated, without those from the cache, and tokens that were embedded.",
    ),
    _counter(
        name="llamacpp:prompt_tokens_cached_total",
        unit="tokens",
        read=lambda now: now.core.cached_prompt_tokens_total,
        help="Prompt tokens taken from the cache.",
    ),
    _counter(
        name="llamacpp:prompt_seconds_total",
        unit="seconds",
        read=lambda now: now.core.prompt_seconds_total,
        help="Time spent on prompts.",
    ),
    _counter(
        name="llamacpp:tokens_predicted_total",
        unit="tokens",
        read=lambda now: now.core.predicted_tokens_total,
        help="Tokens generated.",
    ),
    _counter(
        name="llamacpp:tokens_predicted_seconds_total",
        unit="seconds",
        read=lambda now: now.core.predicted_seconds_total,
        help="Time spent on generating tokens.",
    ),
    _counter(
        name="llamacpp:n_decode_total",
        unit="calls",
        read=lambda now: now.core.model_calls_total,
        help="Calls of the model.",
    ),
    _counter(
        name="llamacpp:n_tokens_max",
        unit="tokens",
        read=lambda now: now.core.longest_sequence_tokens,
        help="Most tokens that a prompt and its output had together.",
    ),
    _counter(
        name="llamacpp:spec_decode_num_draft_tokens_total",
        unit="tokens",
        read=lambda now: now.core.drafted_tokens_total,
        help="Tokens that were drafted.",
    ),
    _counter(
        name="llamacpp:spec_decode_num_accepted_tokens_total",
        unit="tokens",
        read=lambda now: now.core.accepted_tokens_total,
        help="Drafted tokens that were right.",
    ),
    _counter(
        name="llamacpp:spec_decode_num_drafts_total",
        unit="drafts",
        read=lambda now: now.core.drafts_total,
        help="Drafts that were tried.",
    ),
    _gauge(
        name="llamacpp:prompt_tokens_seconds",
        unit="tokens/s",
        read=lambda now: now.core.prompt_tokens_per_second,
        help="Prompt tokens evaluated per second, on average.",
    ),
    _gauge(
        name="llamacpp:predicted_tokens_seconds",
        unit="tokens/s",
        read=lambda now: now.core.predicted_tokens_per_second,
        help="Tokens generated per second, on average.",
    ),
    _gauge(
        name="llamacpp:requests_processing",
        unit="requests",
        read=lambda now: now.core.requests_processing,
        help="Requests that have a slot.",
    ),
    _gauge(
        name="llamacpp:requests_deferred",
        unit="requests",
        read=lambda now: now.core.requests_deferred,
        help="Requests that wait for a slot.",
    ),
    _gauge(
        name="llamacpp:n_busy_slots_per_decode",
        unit="sequences",
        read=lambda now: now.core.sequences_per_model_call,
        help="Sequences in a call of the model, on average.",
    ),
)
