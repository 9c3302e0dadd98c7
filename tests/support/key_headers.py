"""Forms in which clients present an API key. REST and gRPC read them alike."""

from __future__ import annotations

KEY = b"sk first"
"""The key that is meant; it holds a blank."""

# (Authorization, X-Api-Key, the key that is found)
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
