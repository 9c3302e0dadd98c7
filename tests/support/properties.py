"""Settings for property tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: speed belongs in bench/.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: How thorough tests with random inputs are.
N_EXAMPLES = int(os.environ.get("SLOTLINE_FUZZ_EXAMPLES", "200"))

#: For long runs of a whole engine, each of which tries hundreds of things.
costly = settings(untimed, max_examples=max(10, N_EXAMPLES // 4))

#: For inputs without any order, of which more always means more certainty.
fuzzed = settings(
    untimed,
    max_examples=N_EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def load_profile() -> None:
    """Make ``untimed`` what tests have that say nothing else."""
    settings.register_profile("slotline", untimed)
    settings.load_profile("slotline")
