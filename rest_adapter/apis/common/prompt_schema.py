"""Prompts in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.prompt import MEDIA_MARKER
from rest_adapter.openapi.schema_types import STRING, Schema, array, either, option, record, token_id

TOKENS = array(token_id())
_TEXT_OR_TOKEN = either(STRING, token_id())
#: Texts and token ids in order.
MIXED = array(_TEXT_OR_TOKEN)
#: A prompt as answers repeat it.
REPEATED_PROMPT = either(STRING, {"type": "array"})
#: Inside a list of prompts, several strings without a token id would be several prompts again.
INNER = array(_TEXT_OR_TOKEN) | {"anyOf": [{"contains": {"type": "integer"}}, {"maxItems": 1}]}
#: What is said of pictures.
_WITH_PICTURES = f", and with it pictures as base64 in multimodal_data, one for each {MEDIA_MARKER} in that text"
#: A prompt in an object.
_OBJECT = record({"prompt_string": either(STRING, MIXED)})
PROMPT_WITH_PICTURES = record({"prompt_string": STRING, "multimodal_data": array(STRING)})


def prompts(what: str, most: int, *, takes_pictures: bool = False) -> Schema:
    """One or several prompts.

    Args:
        what: what is done with them, to begin the description.
        most: how many there may be.
        takes_pictures: whether they may have pictures.
    """
    objects = (_OBJECT, PROMPT_WITH_PICTURES) if takes_pictures else (_OBJECT,)
    schema = either(STRING, MIXED, *objects, array(either(STRING, INNER, *objects), maxItems=most))
    description = (
        f"{what}: a text, or an array. An array with a number in it is one prompt of texts and token ids, any other "
        f"array of several elements is as many prompts, at most {most}. An object has such a prompt as prompt_string"
        f"{_WITH_PICTURES if takes_pictures else ''}. What is empty acts as one blank."
    )
    return option(schema, description, default="")
