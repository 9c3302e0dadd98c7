"""Settings for property tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: speed belongs in bench/.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
