"""The field image_data, and its markers in prompts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.common.embedding_call import rename_fields as rename_of_embedding
from rest_adapter.apis.common.embedding_call import with_pictures as embedded_pictures
from rest_adapter.apis.native.completion.request import CompletionCall, read_completion, rename_fields, with_pictures
from rest_adapter.apis.native.embedding.request import read_embedding
from rest_adapter.errors import InvalidRequest
from slotline.v1.model_pb2 import ImageSupport
from tests.support.properties import untimed
from tests.unit.rest_adapter.messages import invalid_argument

if TYPE_CHECKING:
    from rest_adapter.errors import RpcFailure
    from slotline.v1.prompt_pb2 import PromptParts

LIMITS = ImageSupport(max_images=4, max_image_bytes=100, max_request_image_bytes=200)
RED, BLUE = b"a red file", b"a blue one"
Shown = str | bytes | int


def entry(data: bytes, **more: object) -> dict[str, object]:
    return {"data": base64.b64encode(data).decode(), **more}


def call_of(prompt: object, *images: object, limits: ImageSupport = LIMITS, **more: object) -> CompletionCall:
    return with_pictures(read_completion({"prompt": prompt, "image_data": list(images), **more}), limits)


def shown(parts: PromptParts) -> list[Shown]:
    """Parts as values: texts, files, and token ids."""
    values: list[Shown] = []
    for part in parts.parts:
        match part.WhichOneof("part"):
            case "text":
                values.append(part.text)
            case "image":
                values.append(part.image.data)
            case _:
                values.extend(part.token_ids.ids)
    return values


@pytest.mark.parametrize(
    ("prompt", "images", "expected"),
    [
        ("A[img-10]B", [entry(RED, id=10)], ["A", RED, "B"]),
        # In the order of markers, not of the field.
        ("A[img-2]B[img-1]", [entry(RED, id=1), entry(BLUE, id=2)], ["A", BLUE, "B", RED]),
        # Ids are numbers by default.
        ("[img-1][img-0]", [entry(RED), entry(BLUE)], ["", BLUE, RED]),
        ("[img-5] and [img-1]", [entry(RED, id=5), entry(BLUE, id=None)], ["", RED, " and ", BLUE]),
        # One may stand in several places.
        ("[img-0]=[img-00]", [entry(RED)], ["", RED, "=", RED]),
        ("[img--3]", [entry(RED, id=-3)], ["", RED]),
        # What is no marker is text.
        ("[img-x][img-][IMG-0][img-0]", [entry(RED)], ["[img-x][img-][IMG-0]", RED]),
        # Texts of arrays are looked through, too.
        ([1, "A[img-0]", 2], [entry(RED)], [1, "A", RED, 2]),
        (["[img-0]", 2], [entry(RED)], ["", RED, 2]),
        ([3, "[img-0]", "[img-0]"], [entry(RED)], [3, RED, RED]),
        (["A[img-0]"], [entry(RED)], ["A", RED]),
    ],
)
def test_pictures_stand_where_their_markers_are(prompt: object, images: list[object], expected: list[Shown]) -> None:
    call = call_of(prompt, *images, cache_prompt=False, slot_id=3)
    (request,) = call.requests
    assert request.WhichOneof("prompt") == "parts"
    assert shown(request.parts) == expected
    # All other options are what they are without pictures.
    assert (request.cache.cache_prompt, request.cache.slot_id) == (False, 3)
    assert [prompt.echo for prompt in call.prompts] == [""]


def test_each_of_several_prompts_has_its_own_pictures() -> None:
    call = call_of(["A[img-1]", "plain", [5, "[img-2][img-1]"]], entry(RED, id=1), entry(BLUE, id=2))
    first, second, third = call.requests
    assert shown(first.parts) == ["A", RED]
    assert second.text == "plain"
    assert shown(third.parts) == [5, BLUE, RED]
    assert [prompt.echo for prompt in call.prompts] == ["", "plain", ""]


def test_inputs_to_embed_have_pictures_too() -> None:
    body = {"content": ["A[img-1]", "plain"], "image_data": [entry(RED, id=1)]}
    call = embedded_pictures(read_embedding(body), LIMITS)
    first, second = call.request(0, 2).inputs
    assert shown(first.parts) == ["A", RED]
    assert second.text == "plain"


@pytest.mark.parametrize(
    ("prompt", "images", "problem"),
    [
        (
            "A[img-7]",
            [entry(RED, id=1), entry(BLUE, id=2)],
            "prompt: [img-7] names no picture; those of image_data are [img-1], [img-2]",
        ),
        ("A", [entry(RED, id=4)], "image_data[0]: stands nowhere; put [img-4] into the prompt, or leave the picture"),
        ("A[img-0]", [entry(RED), entry(RED)], "image_data[1]: stands nowhere; put [img-1] into the prompt"),
        ("A[img-1]", [entry(RED, id=1), entry(RED, id=1)], "image_data[1].id: 1 is the id of image_data[0], too"),
        ("A[img-1]", [entry(RED, id=1), entry(BLUE)], "image_data[1].id: 1 is the id of image_data[0], too"),
        ("A[img-0]", [entry(RED, id="0")], 'image_data[0].id: "0" is not an integer from -2147483648 to 2147483647'),
        ("A[img-0]", [{}], "image_data[0].data: is missing; send the file of a picture in base64"),
        ("A[img-0]", [{"data": 5}], "image_data[0].data: 5 is not a string"),
        ("A[img-0]", [{"data": "a!"}], 'image_data[0].data: "a!" is not base64: it holds "!"'),
        ("[img-0]" * 5, [entry(RED)], "prompt: has more than 4 markers of pictures; allowed are no more"),
        (["[img-0]", 5, "[img-0]" * 4], [entry(RED)], "prompt: has more than 4 markers"),
        (["a[img-0]", "[img-9]"], [entry(RED)], "prompt[1]: [img-9] names no picture; those of image_data are [img-0]"),
        (
            "[img-0][img-0][img-0]",
            [entry(bytes(100))],
            "image_data: the pictures of a prompt have 300 bytes in all; allowed are 200",
        ),
        ("[img-0]", [entry(bytes(201))], "image_data[0]: the pictures of a prompt have 201 bytes in all"),
    ],
)
def test_what_does_not_match_is_refused_by_name(prompt: object, images: list[object], problem: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        call_of(prompt, *images)
    assert problem in raised.value.message


def test_prompts_may_not_repeat_pictures_without_bound() -> None:
    limits = ImageSupport(max_images=4, max_request_image_bytes=20 << 20)
    picture = entry(bytes(12 << 20))
    call_of(["[img-0]", "[img-0]"], picture, limits=limits)
    with pytest.raises(InvalidRequest, match="send fewer prompts at once"):
        call_of(["[img-0]", "[img-0]", "[img-0]"], picture, limits=limits)


@untimed
@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["a", "[img-x]", "]", "[", " b"])), max_size=12))
def test_texts_and_pictures_keep_their_order(pieces: list[str | int]) -> None:
    files = [bytes([number]) for number in range(4)]
    limits = ImageSupport(max_images=100, max_request_image_bytes=1000)
    # Each stands somewhere.
    text = "".join(f"[img-{piece}]" if isinstance(piece, int) else piece for piece in [*pieces, 0, 1, 2, 3])
    (request,) = call_of(text, *map(entry, files), limits=limits).requests
    found = [f"[img-{part[0]}]" if isinstance(part, bytes) else part for part in shown(request.parts)]
    assert "".join(map(str, found)) == text


def completion_failure(*paths: str, number: int = 0) -> list[str]:
    call = call_of(["A[img-1]", "[img-2]b[img-1]"], entry(RED, id=1), entry(BLUE, id=2))
    return violated(rename_fields(invalid_argument(*paths).of_call(number), call))


def violated(failure: RpcFailure) -> list[str]:
    return [path for path, _ in failure.violations]


def test_errors_of_the_core_name_the_picture_or_the_prompt() -> None:
    assert completion_failure("parts.parts[1].image", "parts.parts[0].text") == ["image_data[0]", "prompt[0]"]
    assert completion_failure("parts.parts[1].image", "parts.parts[3].image.data", number=1) == [
        "image_data[1]",
        "image_data[0]",
    ]


def test_errors_of_embeddings_name_the_picture_or_the_input() -> None:
    body = {"content": ["a", "A[img-1]"], "image_data": [entry(RED, id=1)]}
    call = embedded_pictures(read_embedding(body), LIMITS)
    failure = invalid_argument("inputs[0].parts.parts[1].image", "inputs[0].parts")
    assert violated(rename_of_embedding(failure, call, 1)) == ["image_data[0]", "content[1]"]
