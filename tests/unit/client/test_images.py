"""Pictures of the Python client become parts of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from slotline.client import image
from slotline.client.requests import embed_request, generate_request, tokenize_request

if TYPE_CHECKING:
    from pathlib import Path


CAT, DOG = image(b"a cat"), image(b"a dog")


def parts_of(parts: Any) -> list[object]:
    """Texts, bytes of pictures, and token ids, as they follow one another."""
    values: dict[str, Any] = {
        "text": lambda part: part.text,
        "image": lambda part: part.image.data,
        "token_ids": lambda part: list(part.token_ids.ids),
    }
    return [values[part.WhichOneof("part")](part) for part in parts]


def content_of(content: Any) -> list[object]:
    """The same of the content of a message."""
    (message,) = generate_request([{"role": "user", "content": content}], {}).chat.messages
    return parts_of(message.content)


def test_a_picture_is_the_bytes_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(b"a cat")
    sources: list[Any] = [file, str(file), b"a cat", bytearray(b"a cat"), memoryview(b"a cat")]
    assert [image(source).data for source in sources] == [b"a cat"] * 5


def test_messages_have_pictures_between_their_texts() -> None:
    assert content_of(["Is", CAT, " like", DOG, "?"]) == ["Is", b"a cat", " like", b"a dog", "?"]
    assert content_of([CAT]) == [b"a cat"]
    assert content_of(CAT) == [b"a cat"]
    assert content_of(["Hi"]) == ["Hi"]
    assert content_of([]) == []


def test_prompts_of_parts_are_sent_in_order() -> None:
    request = generate_request(["Here:", CAT, [1, 2], "."], {"seed": 1})
    assert request.WhichOneof("prompt") == "parts"
    assert parts_of(request.parts.parts) == ["Here:", b"a cat", [1, 2], "."]


def test_pictures_can_be_embedded_alone_and_among_texts() -> None:
    alone, in_list, among, text = embed_request([CAT, [CAT], ["A dog:", DOG], "a dog"]).inputs
    assert parts_of(alone.parts.parts) == parts_of(in_list.parts.parts) == [b"a cat"]
    assert parts_of(among.parts.parts) == ["A dog:", b"a dog"]
    assert text.text == "a dog"


def test_conversations_with_pictures_can_be_tokenised() -> None:
    (message,) = tokenize_request([{"role": "user", "content": [CAT]}]).chat.messages
    assert parts_of(message.content) == [b"a cat"]


WRONG_SOURCES: list[tuple[Any, type[Exception], str]] = [
    (b"", ValueError, "source: is empty; a picture is the bytes of a PNG"),
    (5, TypeError, "source: 5 is not the path of a file or its bytes"),
    (None, TypeError, "source: None is not the path"),
    ("no-such-file.png", FileNotFoundError, r"no-such-file\.png"),
]


@pytest.mark.parametrize(("source", "error", "message"), WRONG_SOURCES)
def test_what_is_no_picture_is_named(source: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        image(source)


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "empty.png"
    file.touch()
    with pytest.raises(ValueError, match=r"empty\.png': is empty"):
        image(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a cat", r"messages\[0\].content: b'a cat' is not a text, or a list of texts and pictures"),
        (["Hi", b"a cat"], r"messages\[0\].content\[1\]: b'a cat' is not a text or a picture, which image"),
        ([[1, 2]], r"messages\[0\].content\[0\]: \[1, 2\] is not a text or a picture"),
        ({"type": "text"}, r"messages\[0\].content: {'type': 'text'} is not a text"),
    ],
)
def test_wrong_contents_are_named(content: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        content_of(content)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["Hi", b"a cat"], r"prompt\[1\]: b'a cat' is not a text, a list of token ids, or a picture"),
        (["Hi", 1], r"prompt\[1\]: 1 is not a text"),
        (["Hi", CAT, ["a"]], r"prompt\[2\]\[0\]: 'a' is not a whole number"),
        (["One.", "Two."], r"prompt: \['One.', 'Two.'\] is not one prompt; join its texts"),
    ],
)
def test_wrong_parts_are_named(parts: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        generate_request(parts, {})
    with pytest.raises(TypeError, match=message.replace("prompt", r"inputs\[0\]", 1)):
        embed_request([parts])


def test_bytes_are_no_input() -> None:
    inputs: Any = [b"a cat"]
    with pytest.raises(TypeError, match=r"inputs\[0\]: b'a cat' is not a text, .*image\(\.\.\.\) makes a picture"):
        embed_request(inputs)
