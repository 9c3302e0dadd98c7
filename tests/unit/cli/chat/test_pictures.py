from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from slotline.cli.chat.pictures import by_name, count_of, is_picture, picture_file
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "png": b"\x89PNG\r\n\x1a\n...",
    "jpeg": b"\xff\xd8\xff\xe0...",
    "webp": b"RIFF\n\x00\x00\x00WEBPVP8 ",
    "gif": b"GIF89a...",
    "bmp": b"BM......",
}


@pytest.mark.parametrize("kind", FILES)
def test_the_content_tells_the_kind_and_the_name_does_not(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.tiff"
    path.write_bytes(FILES[kind])
    picture = picture_file("--image", str(path))
    assert picture.name == "picture.tiff"
    assert picture.address == f"data:image/{kind};base64,{base64.b64encode(FILES[kind]).decode()}"
    assert is_picture(picture.address)


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_that_a_terminal_puts_around_a_name_are_taken_off(quote: str, tmp_path: Path) -> None:
    (tmp_path / "my cat.png").write_bytes(FILES["png"])
    assert picture_file("/image", f"{quote}{tmp_path}/my cat.png{quote}").name == "my cat.png"


def test_a_name_is_shown_without_commands_to_the_terminal_and_not_at_any_length(tmp_path: Path) -> None:
    path = tmp_path / f"\x1b[31m{'a' * 40}.png"
    path.write_bytes(FILES["png"])
    assert picture_file("/image", str(path)).name == f"[31m{'a' * 20}..."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; allowed are files of PNG, JPEG, WebP, GIF and BMP"),
        (b"<svg/>", "is no picture; allowed are files of PNG"),
        (b"RIFF\n\x00\x00\x00WAVE", "is no picture; "),
    ],
)
def test_other_files_are_refused_by_name(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InvalidValue) as caught:
        picture_file("--image", str(path))
    assert str(caught.value).startswith(f"--image {path}: {problem}")


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"^--image .*/no\.png: cannot be read: No such file or directory$"):
        picture_file("--image", f"{tmp_path}/no.png")
    with pytest.raises(InvalidValue, match=r"cannot be read: Is a directory$"):
        picture_file("--image", str(tmp_path))


@pytest.mark.parametrize(
    "value",
    [None, 7, "", "data:,", "https://h/a.png", "data:image/svg+xml;base64,AAAA", "data:image/png;base64,<svg>"],
)
def test_other_values_are_no_pictures(value: object) -> None:
    assert not is_picture(value)


def test_they_are_counted_in_words() -> None:
    assert [count_of(["a"] * n) for n in (1, 2)] == ["1 picture", "2 pictures"]


CAT = "data:image/png;base64,AAAA"
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": CAT}}, {"type": "text", "text": "Hi"}]},
]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("messages[1].content[0].image_url: is no picture", "cat.png: is no picture"),
        ("messages[1].content[0].image_url.url: is no picture", "cat.png: is no picture"),
        ("messages[1].content[1].text: is odd", "messages[1].content[1].text: is odd"),
        ("messages[0].content[0]: is odd", "messages[0].content[0]: is odd"),
        ("messages[9].content[0]: is odd", "messages[9].content[0]: is odd"),
        ("the model is too busy", "the model is too busy"),
    ],
)
def test_a_server_speaks_of_fields_and_the_user_of_files(problem: str, told: str) -> None:
    assert by_name(problem, MESSAGES, {CAT: "cat.png"}) == told


def test_a_picture_of_a_loaded_conversation_has_no_name() -> None:
    assert by_name("messages[1].content[0].image_url: is odd", MESSAGES, {}) == "a picture: is odd"
