"""Settings for property tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: speed belongs in bench/.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: For inputs without any order, of which more always means more certainty: SLOTLINE_FUZZ_EXAMPLES says how many.
fuzzed = settings(
    untimed,
    max_examples=int(os.environ.get("SLOTLINE_FUZZ_EXAMPLES", "200")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def load_profile() -> None:
    """Make ``untimed`` what tests have that say nothing else."""
    settings.register_profile("slotline", untimed)
    settings.load_profile("slotline")
