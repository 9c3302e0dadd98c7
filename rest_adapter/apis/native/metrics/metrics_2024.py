"""The eight metrics of llama.cpp's server of 2024: names, types, help texts and number format are its own."""

from __future__ import annotations

from rest_adapter.apis.native.metrics.metric import Metric

#: In the order of the exposition.
METRICS = (
    Metric(
        name="llamacpp:prompt_tokens_total",
        type="counter",
        unit="tokens",
        read=lambda now: now.core.prompt_tokens_total,
        help="Number of prompt tokens processed.",
    ),
    Metric(
        name="llamacpp:tokens_predicted_total",
        type="counter",
        unit="tokens",
        read=lambda now: now.core.predicted_tokens_total,
        help="Number of generation tokens processed.",
    ),
    Metric(
        name="llamacpp:prompt_tokens_seconds",
        type="gauge",
        unit="tokens/s",
        read=lambda now: now.core.prompt_tokens_per_second,
        help="Average prompt throughput in tokens/s.",
    ),
    Metric(
        name="llamacpp:predicted_tokens_seconds",
        type="gauge",
        unit="tokens/s",
        read=lambda now: now.core.predicted_tokens_per_second,
        help="Average generation throughput in tokens/s.",
    ),
    Metric(
        name="llamacpp:kv_cache_usage_ratio",
        type="gauge",
        unit="0 to 1",
        read=lambda now: now.core.kv_cells_used / now.core.kv_cells_total if now.core.kv_cells_total else 0.0,
        help="KV-cache usage. 1 means 100 percent usage.",
    ),
    Metric(
        name="llamacpp:kv_cache_tokens",
        type="gauge",
        unit="tokens",
        read=lambda now: now.core.kv_tokens,
        help="KV-cache tokens.",
    ),
    Metric(
        name="llamacpp:requests_processing",
        type="gauge",
        unit="requests",
        read=lambda now: now.core.requests_processing,
        help="Number of request processing.",
    ),
    Metric(
        name="llamacpp:requests_deferred",
        type="gauge",
        unit="requests",
        read=lambda now: now.core.requests_deferred,
        help="Number of request deferred.",
    ),
)
