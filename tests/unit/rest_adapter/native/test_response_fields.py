"""The field ``response_fields``."""

from __future__ import annotations

import pytest

from rest_adapter.apis.native.completion.response_fields import MAX_FIELDS, picked, read_response_fields
from rest_adapter.errors import InvalidRequest

ANSWER = {"content": "x", "timings": {"predicted_n": 3}, "stop": True}


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        ((), ANSWER),
        (("content",), {"content": "x"}),
        (("timings/predicted_n", "content"), {"timings/predicted_n": 3, "content": "x"}),
        (("timings",), {"timings": {"predicted_n": 3}}),
        (("nothing", "timings/nothing", "content/length", "timings/predicted_n/x", ""), {}),
    ],
)
def test_only_these_fields_are_kept_under_their_paths(paths: tuple[str, ...], kept: dict[str, object]) -> None:
    assert picked(ANSWER, paths) == kept


@pytest.mark.parametrize(("value", "paths"), [(None, ()), ([], ()), (["a", "b/c"], ("a", "b/c"))])
def test_paths_are_strings(value: object, paths: tuple[str, ...]) -> None:
    assert read_response_fields({"response_fields": value}) == paths


@pytest.mark.parametrize(
    ("value", "name"),
    [("content", "response_fields"), ([1], "response_fields[0]"), (["a"] * (MAX_FIELDS + 1), "response_fields")],
)
def test_anything_else_is_refused_by_name(value: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_response_fields({"response_fields": value})
    assert caught.value.name == name
