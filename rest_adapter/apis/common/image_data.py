"""The field ``image_data``, and the markers in prompts that say where each of its pictures stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rest_adapter.apis.common.base64_text import read_base64
from rest_adapter.apis.common.fields import read_int, read_list, read_object, read_str
from rest_adapter.apis.common.pictures import Pictures
from rest_adapter.apis.common.prompt import MAX_REPEATED_BYTES, Part, Picture, Prompt, put_parts
from rest_adapter.errors import MISSING, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from slotline.v1.embedding_pb2 import EmbedInput
    from slotline.v1.generation_pb2 import GenerateRequest
    from slotline.v1.model_pb2 import ImageSupport

FIELD = "image_data"
_MARKER = re.compile(r"\[img-(-?[0-9]{1,20})\]")
#: Markers that an error lists.
_LISTED = 8


def read_image_data(body: Mapping[str, object]) -> Sequence[object]:
    """The entries of the field, none if it is missing.

    Only their form is checked: without a projector they are ignored.

    Raises:
        InvalidRequest: it is no array of objects.
    """
    value = body.get(FIELD)
    images = () if value is None else read_list(FIELD, value, "objects with data and id")
    for i, image in enumerate(images):
        read_object(f"{FIELD}[{i}]", image)
    return images


def place_pictures(
    targets: Sequence[GenerateRequest | EmbedInput],
    prompts: Sequence[Prompt],
    images: Sequence[object],
    limits: ImageSupport,
) -> tuple[Pictures, ...]:
    """Put the pictures of a body where markers stand for them in its prompts.

    Args:
        targets: what has each of the prompts; those with a marker get the prompt again, in parts.
        prompts: the prompts of the body.
        images: the entries of ``image_data``.
        limits: how many pictures a request may have, and how large they may be.

    Returns:
        The pictures of each prompt.

    Raises:
        InvalidRequest: a picture is no base64, two have one id, a marker names no picture, a picture stands nowhere,
            or there are too many.
    """
    known = _read_pictures(images)
    stands, n_bytes, placed = set[str](), 0, []
    for target, prompt in zip(targets, prompts, strict=True):
        parts = tuple(_parts(prompt, known, limits.max_images))
        used = [part for part in parts if isinstance(part, Picture)]
        n_bytes += _count_bytes(used, limits.max_request_image_bytes)
        if n_bytes > max(MAX_REPEATED_BYTES, limits.max_request_image_bytes):
            problem = f"has pictures that the prompts repeat in more than {MAX_REPEATED_BYTES} bytes in all"
            raise InvalidRequest(FIELD, f"{problem}; send fewer prompts at once")
        placed.append(_put(target, parts) if used else Pictures())
        stands.update(picture.path for picture in used)
    for picture_id, picture in known.items():
        if picture.path not in stands:
            problem = f"stands nowhere; put [img-{picture_id}] into the prompt, or leave the picture out"
            raise InvalidRequest(picture.path, problem)
    return tuple(placed)


def _read_pictures(images: Sequence[object]) -> dict[int, Picture]:
    """The pictures by their ids, which are their numbers unless they say otherwise."""
    pictures: dict[int, Picture] = {}
    for i, image in enumerate(images):
        path = f"{FIELD}[{i}]"
        fields = read_object(path, image)
        picture_id = i if fields.get("id") is None else read_int(f"{path}.id", fields["id"])
        if picture_id in pictures:
            raise InvalidRequest(f"{path}.id", f"{picture_id} is the id of {pictures[picture_id].path}, too")
        if fields.get("data") is None:
            raise InvalidRequest(f"{path}.data", "is missing; send the file of a picture in base64", MISSING)
        data = read_base64(f"{path}.data", read_str(f"{path}.data", fields["data"]))
        pictures[picture_id] = Picture(path, data)
    return pictures


def _parts(prompt: Prompt, known: Mapping[int, Picture], most: int) -> Iterator[Part]:
    """The parts of a prompt, with pictures in place of markers, of which there may be ``most``."""
    n_markers = 0
    for place, part in enumerate(prompt.parts):
        if not isinstance(part, str):
            yield part
            continue
        texts = _MARKER.split(part, maxsplit=most + 1)
        n_markers += len(texts) // 2
        if n_markers > most:
            raise InvalidRequest(prompt.name, f"has more than {most} markers of pictures; allowed are no more")
        for i, text in enumerate(texts):
            if i % 2:
                yield _named(prompt, text, known)
            # The first text stays if it is empty, too: the model's BOS is put in front of it.
            elif text or place == i == 0:
                yield text


def _named(prompt: Prompt, number: str, known: Mapping[int, Picture]) -> Picture:
    picture = known.get(int(number))
    if picture is None:
        raise InvalidRequest(prompt.name, f"[img-{number}] names no picture; {_allowed(known)}")
    return picture


def _allowed(known: Mapping[int, Picture]) -> str:
    markers = [f"[img-{picture_id}]" for picture_id in known]
    more = ", ..." if len(markers) > _LISTED else ""
    return f"those of {FIELD} are {', '.join(markers[:_LISTED])}{more}"


def _count_bytes(used: Sequence[Picture], most: int) -> int:
    """The bytes of all pictures of a prompt. They are counted before a message has them: a marker is short."""
    n_bytes = sum(len(picture.data) for picture in used)
    if n_bytes > most:
        path = FIELD if len(used) > 1 else used[0].path
        raise InvalidRequest(path, f"the pictures of a prompt have {n_bytes} bytes in all; allowed are {most}")
    return n_bytes


def _put(target: GenerateRequest | EmbedInput, parts: Sequence[Part]) -> Pictures:
    pictures = Pictures()
    # A prompt that was in parts before is made anew, too.
    target.ClearField("parts")
    for part in parts:
        if isinstance(part, Picture):
            place = f"parts.parts[{len(target.parts.parts)}]"
            pictures.add_bytes(target.parts.parts.add(), place, part.path, part.data)
        else:
            put_parts(target.parts, (part,))
    return pictures
