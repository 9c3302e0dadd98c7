"""API keys as calls and HTTP requests present them."""

from __future__ import annotations

import hashlib

import pytest

from slotline.protocol.api_keys import is_one_of, key_in, tenant_of_key

#: The key that is meant; it holds a blank.
KEY = b"sk first"
#: Authorization, X-Api-Key, and the key that is found.
PRESENTED: tuple[tuple[bytes | None, bytes | None, bytes | None], ...] = (
    (b"Bearer sk first", None, KEY),
    (b"bearer sk first", None, KEY),
    (b"BEARER sk first", None, KEY),
    (b"bEaReR   sk first", None, KEY),
    (b" Bearer  sk first ", None, KEY),
    (None, b"sk first", KEY),
    (None, b"  sk first ", KEY),
    (b"Basic c2s6", b"sk first", KEY),
    (b"sk first", b"sk first", KEY),
    (b"", b"sk first", KEY),
    # Who presents two keys means the first.
    (b"Bearer sk first", b"other", KEY),
    (b"Bearer other", b"sk first", b"other"),
    (b"Bearer SK FIRST", None, b"SK FIRST"),
    (b"Bearer sk  first", None, b"sk  first"),
    (b"Bearer Bearer sk first", None, b"Bearer sk first"),
    (b"Bearer \xff\n", None, b"\xff\n"),
    (None, b"Bearer sk first", b"Bearer sk first"),
    (None, b"", b""),
    (None, None, None),
    (b"", None, None),
    (b"Bearer", None, None),
    (b"Bearer ", None, None),
    (b"Bearer\tsk first", None, None),
    (b"Bearersk first", None, None),
    (b"sk first", None, None),
    (b"Basic sk first", None, None),
    (b"X Bearer sk first", None, None),
)


@pytest.mark.parametrize(("authorization", "api_key", "key"), PRESENTED)
def test_forms_of_a_key(authorization: bytes | None, api_key: bytes | None, key: bytes | None) -> None:
    assert key_in(authorization, api_key) == key


@pytest.mark.parametrize(
    ("presented", "is_valid"), [(b"a", True), (b"second", True), (b"", False), (b"sec", False), (b"b", False)]
)
def test_any_of_the_keys_is_valid_and_no_part_of_one(presented: bytes, is_valid: bool) -> None:
    assert is_one_of(presented, [b"a", b"second"]) is is_valid


def test_without_keys_none_is_valid() -> None:
    assert not is_one_of(b"", [])


def test_the_tenant_of_a_key_stays_what_it_was() -> None:
    # A core and an adapter of different versions must agree on it.
    assert tenant_of_key(b"key-a") == hashlib.sha256(b"slotline tenant key-a").hexdigest()
