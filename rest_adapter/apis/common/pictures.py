"""The pictures of a body: where they stand in it and in the request, and what their URLs hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.apis.common.base64_text import read_base64
from rest_adapter.apis.common.field_texts import name_in_body
from rest_adapter.apis.common.fields import read_str, refusal
from rest_adapter.errors import INVALID_TYPE, MISSING, InvalidRequest
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.prompt_pb2 import Image, PromptPart

#: What the OpenAI API calls a part that is a picture, and the field that has its URL.
IMAGE_URL = "image_url"
#: What the URL of a file begins with; its path below the directory of files follows.
LOCAL = "file://"
_REMOTE = ("http://", "https://")
#: A data URL up to its comma: the type, and parameters.
_HEAD = re.compile(r"data:([^;,]{0,128})((?:;[^;,]{0,128}){0,8}),", re.IGNORECASE)
_FORMS = "a data URL, data:image/png;base64,..., or an http, https or file URL"
#: As many characters as the longest scheme has.
_SCHEME_SHOWN = 8


@dataclass(frozen=True, slots=True)
class PictureElsewhere:
    """A picture of which a body has only the URL.

    Attributes:
        path: of its URL in the body.
        url: as the body has it.
        image: where the bytes go.
    """

    path: str
    url: str
    image: Image


@dataclass(slots=True)
class Pictures:
    """The pictures of one request, in order.

    Attributes:
        remote: those that another server has.
        local: those in files of the adapter.
        paths: of all of them in the body, by their paths in the request.
    """

    remote: list[PictureElsewhere] = field(default_factory=list)
    local: list[PictureElsewhere] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    def add_bytes(self, part: PromptPart, place: str, path: str, data: bytes) -> None:
        """Make a picture of a part.

        Args:
            part: of the request.
            place: of the part in the request.
            path: of the picture in the body.
            data: its file.
        """
        part.image.data = data
        self.paths[f"{place}.image"] = path

    def add_url(self, part: PromptPart, place: str, path: str, url: str) -> None:
        """Make a picture of a part; ``url`` is a data URL, or says which server or file has it.

        Raises:
            InvalidRequest: it is neither, or no picture.
        """
        scheme = url[:_SCHEME_SHOWN].lower()
        if scheme.startswith("data:"):
            self.add_bytes(part, place, path, _read_data_url(path, url))
        elif scheme.startswith((*_REMOTE, LOCAL)):
            self.add_bytes(part, place, path, b"")
            elsewhere = self.local if scheme.startswith(LOCAL) else self.remote
            elsewhere.append(PictureElsewhere(path, url, part.image))
        else:
            raise refusal(path, url, _FORMS)

    def path_in_body(self, path: str) -> str | None:
        """The path in the body for one in the request that is of a picture; None for others.

        What follows the picture in the text, for example a condition, stays; its fields are not those of the body.
        """
        # Its bytes are no field of the body: there they are the picture.
        names = ((f"{place}{end}", own) for place, own in self.paths.items() for end in (".data", ""))
        return name_in_body(path, names)


def read_image_url(pictures: Pictures, part: PromptPart, place: str, path: str, given: Mapping[str, object]) -> None:
    """Read the field ``image_url`` of a part of a message: a URL, or an object that has it.

    Its ``detail`` says how closely a model should look; models here look as closely as they can.

    Args:
        pictures: gets the picture.
        part: of the request.
        place: of the part in the request.
        path: of the part in the body.
        given: the part in the body.

    Raises:
        InvalidRequest: the URL is missing, or is none of a picture.
    """
    path = f"{path}.{IMAGE_URL}"
    value = given.get(IMAGE_URL)
    if not isinstance(value, dict):
        if not isinstance(value, str):
            raise refusal(path, value, f"{_FORMS}; or an object with it as url", INVALID_TYPE)
        pictures.add_url(part, place, path, value)
        return
    if value.get("url") is None:
        raise InvalidRequest(f"{path}.url", f"is missing; send {_FORMS}", MISSING)
    if value.get("detail") is not None:
        read_str(f"{path}.detail", value["detail"])
    pictures.add_url(part, place, path, read_str(f"{path}.url", value["url"]))


def _read_data_url(path: str, url: str) -> bytes:
    found = _HEAD.match(url)
    if found is None or not found[2].lower().endswith(";base64"):
        raise InvalidRequest(path, f"{show(url)} is not in base64; send data:image/png;base64,...")
    kind = found[1].strip().lower()
    if kind and not kind.startswith("image/"):
        raise InvalidRequest(path, f"{show(kind)} is no picture; send data:image/png;base64,...")
    return read_base64(path, url, found.end())
