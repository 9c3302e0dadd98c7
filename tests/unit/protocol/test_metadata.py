"""The metadata of calls."""

from __future__ import annotations

from slotline.protocol.metadata import call_metadata


def test_what_has_its_default_is_left_out() -> None:
    assert call_metadata() == call_metadata("", priority=0, tenant="") == ()


def test_everything_goes_by_its_documented_key() -> None:
    assert call_metadata("k", priority=-3, tenant="t") == (
        ("authorization", "Bearer k"),
        ("slotline-priority", "-3"),
        ("slotline-tenant", "t"),
    )
