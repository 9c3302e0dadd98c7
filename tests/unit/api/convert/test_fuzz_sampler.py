"""Whatever sampling parameters conversion lets through, the sampler gives a token or says that the row is unusable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import event, given
from hypothesis import strategies as st

from service.api.convert.sampling import sampling_settings
from service.errors import ServiceError
from service.sampling.sampler import Sampler, UnusableLogits
from service.testing.scripted_model import N_VOCAB
from slotline.v1 import generation_pb2, sampling_pb2
from tests.support.messages import any_message
from tests.support.properties import fuzzed
from tests.support.served import served_model

MODEL = served_model()
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
#: Everything that is not refused.
ALLOWED: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("temperature", "dynatemp_range", "dynatemp_exponent"), st.floats(-2, 2, width=32) | FINITE),
    **dict.fromkeys(("top_p", "min_p", "tfs_z", "typical_p"), st.floats(-2, 2, width=32) | FINITE),
    **dict.fromkeys(("frequency_penalty", "presence_penalty"), st.floats(0, 10, width=32) | FINITE),
    **dict.fromkeys(("mirostat_tau", "mirostat_eta"), st.floats(0, 10, width=32) | FINITE),
    "repeat_penalty": st.floats(0, width=32, exclude_min=True, allow_infinity=False),
    "repeat_last_n": st.integers(-1, 2**31 - 1),
    "mirostat": st.integers(0, 2),
    "samplers": st.integers(0, 6),
    "token_id": st.integers(0, N_VOCAB - 1),
    "ids": st.integers(0, N_VOCAB - 1),
    "bias": st.sampled_from([-math.inf, -100.0, 100.0]) | FINITE,
    "n_probs": st.integers(0, N_VOCAB),
    "top_logprobs": st.integers(0, 100),
}
#: Not-a-numbers and infinities are rare, so that most rows can be used.
VALUES = st.one_of(
    st.floats(-50, 50, width=32),
    st.sampled_from([0.0, -math.inf, 3.4028234663852886e38, -3.4028234663852886e38, 1e-45]),
    st.integers(0, 30).map(lambda n: [math.nan, math.inf][n] if n < 2 else float(n)),
)
Row = npt.NDArray[np.float32]


def row_of(values: list[float], seed: int) -> Row:
    """A row of logits: mostly noise, with some values in random places."""
    random = np.random.default_rng(seed)
    row = random.normal(scale=random.choice([0.0, 1.0, 30.0]), size=N_VOCAB).astype(np.float32)
    if random.random() < 0.3:
        row[random.random(N_VOCAB) < random.random()] = -math.inf
    row[random.permutation(N_VOCAB)[: len(values)]] = values
    return row


@fuzzed
@given(
    params=any_message(sampling_pb2.SamplingParams, ALLOWED),
    output=any_message(generation_pb2.OutputOptions, ALLOWED),
    rows=st.lists(st.tuples(st.lists(VALUES, max_size=8), st.integers(0, 2**32 - 1)), min_size=1, max_size=3),
    prompt=st.lists(st.integers(0, N_VOCAB - 1), max_size=8),
    eog_tokens=st.sampled_from([frozenset[int](), frozenset({257}), frozenset({0, 257})]),
    bans=st.booleans(),
)
def test_a_token_is_in_the_vocabulary_or_the_row_is_unusable(
    params: sampling_pb2.SamplingParams,
    output: generation_pb2.OutputOptions,
    rows: list[tuple[list[float], int]],
    prompt: list[int],
    eog_tokens: frozenset[int],
    bans: bool,
) -> None:
    try:
        settings = sampling_settings(params, output, MODEL)
    except ServiceError:
        return
    sampler = Sampler(settings, n_vocab=N_VOCAB, nl_token=10, eog_tokens=eog_tokens, n_ctx=64, prompt=prompt)
    for values, seed in rows:
        try:
            sampled = sampler.sample(row_of(values, seed), ban_eog=bans)
        except UnusableLogits:
            event("unusable row")
            continue
        event("sampled")
        assert 0 <= sampled.id < N_VOCAB
        assert len(sampled.probabilities) == settings.n_probs
        assert all(0 <= p <= 1 for _, p in sampled.probabilities)
        assert sum(p for _, p in sampled.probabilities) <= 1 + 1e-4
        assert len(sampled.top_logprobs) == (settings.top_logprobs or 0)
        assert all(logprob <= 0 for _, logprob in sampled.top_logprobs)
        sampler.accept(sampled.id)
