"""Pictures in OpenAPI: the field ``image_data``, and parts of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.pictures import IMAGE_URL
from rest_adapter.json.number_bounds import INT32
from rest_adapter.openapi.schema_types import STRING, Schema, array, either, integer, option, record

if TYPE_CHECKING:
    from collections.abc import Iterable


def image_data() -> Schema:
    """Pictures for the markers in prompts. What the entries hold matters only to a model that takes pictures."""
    entry: Schema = {
        "type": "object",
        "properties": {
            "data": option(STRING, "The file in base64: PNG, JPEG, WebP, GIF or BMP."),
            "id": option(integer(INT32), "Number in the marker; by default the place in the array, from 0."),
        },
    }
    return option(
        array(entry),
        "Pictures, each standing where the prompt has [img-N] with its id; the same one may stand in several places. "
        "Without a projector (--mmproj) they are ignored, and markers are text.",
        default=[],
    )


def image_url() -> Schema:
    """The URL of a picture."""
    return STRING | {
        "description": "data:image/png;base64,... with the file itself: PNG, JPEG, WebP, GIF or BMP. An https or http "
        "URL only of servers that --image-url-allow lists, a file:// URL only of files below --media-path.",
        "pattern": "^([dD][aA][tT][aA]|[hH][tT][tT][pP][sS]?|[fF][iI][lL][eE]):",
        "examples": ["data:image/png;base64,iVBORw0KGgo..."],
    }


def image_part(kinds: Iterable[str] = (IMAGE_URL,)) -> Schema:
    """A part of a message that is a picture, in the form of the OpenAI API.

    Args:
        kinds: what the part may have as its type.
    """
    url = image_url()
    detail = option(STRING, "Read, and of no effect.")
    field = either(url, record({"url": url, "detail": detail}, ("detail",))) | {"description": "The picture."}
    return record({"type": {"enum": list(kinds)}, IMAGE_URL: field})
