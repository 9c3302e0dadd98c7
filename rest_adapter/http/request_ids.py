"""Ids of requests, which answers of the Anthropic API carry in a header, and errors in their bodies."""

from __future__ import annotations

from flask import request

from rest_adapter.http.random_ids import random_letters

HEADER = "request-id"
_KEY = "slotline.request_id"
_LENGTH = 24


def request_id() -> str:
    """The id of the current request: always the same for one request, and unlike those of all others."""
    environ = request.environ
    known: str = environ.get(_KEY) or f"req_{random_letters(_LENGTH)}"
    environ[_KEY] = known
    return known
