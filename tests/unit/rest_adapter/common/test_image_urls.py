"""Pictures of messages: their URLs, and where the core's errors find them in a body."""

from __future__ import annotations

import pytest

from rest_adapter.apis.common.pictures import Pictures, read_image_url
from rest_adapter.errors import InvalidRequest
from slotline.v1.prompt_pb2 import PromptPart

PLACE, PART = "chat.messages[0].content[1]", "messages[0].content[1]"
FIELD = f"{PART}.image_url"


def read(value: object) -> tuple[PromptPart, Pictures]:
    part, pictures = PromptPart(), Pictures()
    read_image_url(pictures, part, PLACE, PART, {"type": "image_url", "image_url": value})
    return part, pictures


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,R0lG",
        "DATA:Image/PNG;BASE64,R0lG",
        "data:;base64,R0lG",
        "data:image/jpeg;name=a.jpg;base64,R0lG",
    ],
)
@pytest.mark.parametrize("detail", [{}, {"detail": "high"}, {"detail": None}])
def test_a_data_url_has_the_file(url: str, detail: dict[str, object]) -> None:
    for value in (url, {"url": url, **detail}):
        part, pictures = read(value)
        assert part.image.data == b"GIF"
        assert (pictures.remote, pictures.local) == ([], [])


@pytest.mark.parametrize("url", ["https://example.org/a.png", "HTTP://example.org/a.png"])
def test_another_url_is_for_the_server_to_fetch(url: str) -> None:
    part, pictures = read({"url": url})
    (remote,) = pictures.remote
    assert (remote.path, remote.url) == (FIELD, url)
    remote.image.data = b"GIF"
    assert part.image.data == b"GIF"


@pytest.mark.parametrize("url", ["file://a.png", "FILE:///etc/passwd"])
def test_a_file_url_is_for_the_server_to_read(url: str) -> None:
    part, pictures = read({"url": url})
    (local,) = pictures.local
    assert (local.path, local.url, pictures.remote) == (FIELD, url, [])
    local.image.data = b"GIF"
    assert part.image.data == b"GIF"


@pytest.mark.parametrize(
    ("value", "name", "problem"),
    [
        (None, FIELD, "null is not a data URL"),
        (5, FIELD, "5 is not a data URL, data:image/png;base64,..., or an http, https or file URL"),
        ([], FIELD, "[] is not a data URL"),
        ({}, f"{FIELD}.url", "is missing; send a data URL"),
        ({"url": 5}, f"{FIELD}.url", "5 is not a string"),
        ({"url": "data:;base64,R0lG", "detail": 5}, f"{FIELD}.detail", "5 is not a string"),
        ("", FIELD, '"" is not a data URL'),
        ("iVBORw0KGgo=", FIELD, "is not a data URL"),
        ("file:a.png", FIELD, '"file:a.png" is not a data URL'),
        ("ftp://example.org/a.png", FIELD, "is not a data URL"),
        ("data:image/png,abc", FIELD, '"data:image/png,abc" is not in base64; send data:image/png;base64'),
        ("data:image/png;base64", FIELD, "is not in base64"),
        ("data:" + "x" * 100_000, FIELD, "is not in base64"),
        ("data:image/png;base64;x=y,R0lG", FIELD, "is not in base64"),
        ("data:text/plain;base64,R0lG", FIELD, '"text/plain" is no picture'),
        ("data:image/png;base64,", FIELD, '"" is not base64: it is empty'),
        ("data:image/png;base64,R0l%", FIELD, '"R0l%" is not base64: it holds "%"'),
    ],
)
def test_other_values_are_refused(value: object, name: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(value)
    assert raised.value.name == name
    assert problem in raised.value.message
    assert len(raised.value.message) < 250


@pytest.mark.parametrize("field", ["", ".data"])
def test_errors_of_the_core_are_told_of_the_field_of_the_body(field: str) -> None:
    _, pictures = read("data:;base64,R0lG")
    assert pictures.path_in_body(f"{PLACE}.image{field}") == FIELD
    assert pictures.path_in_body(f"{PLACE}.image{field} (too large)") == f"{FIELD} (too large)"
    assert pictures.path_in_body("chat.messages[0].content[10].image") is None
    assert pictures.path_in_body(PLACE) is None
