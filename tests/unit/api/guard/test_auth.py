"""API keys in the metadata of calls."""

from __future__ import annotations

import pytest

from service.api.guard.auth import presented_key


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        (None, None),
        ((), None),
        ((("authorization", "bearer  k"),), b"k"),
        ((("authorization", b"Bearer \xff"),), b"\xff"),
        ((("x-api-key", "k"),), b"k"),
        ((("x-api-key", "k"), ("x-api-key", "k")), None),
        ((("authorization", "Bearer k"), ("authorization", "Bearer k")), None),
        ((("authorization", "Bearer k"), ("x-api-key", "a"), ("x-api-key", "b")), None),
        ((("x-other", "k"),), None),
    ],
)
def test_who_presents_several_presents_none(
    metadata: tuple[tuple[str, str | bytes], ...] | None, key: bytes | None
) -> None:
    assert presented_key(metadata) == key
