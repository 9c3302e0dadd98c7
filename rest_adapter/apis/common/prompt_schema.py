"""Prompts in OpenAPI."""

from __future__ import annotations

from rest_adapter.openapi.schema_types import STRING, Schema, array, either, option, token_id

TOKENS = array(token_id())
_TEXT_OR_TOKEN = either(STRING, token_id())
#: Texts and token ids in order.
MIXED = array(_TEXT_OR_TOKEN)
#: A prompt as answers repeat it.
REPEATED_PROMPT = either(STRING, {"type": "array"})
#: Inside a list of prompts, several strings without a token id would be several prompts again.
INNER = array(_TEXT_OR_TOKEN) | {"anyOf": [{"contains": {"type": "integer"}}, {"maxItems": 1}]}


def prompts(what: str, most: int) -> Schema:
    """One or several prompts.

    Args:
        what: what is done with them, to begin the description.
        most: how many there may be.
    """
    schema = either(STRING, MIXED, array(either(STRING, INNER), maxItems=most))
    description = (
        f"{what}: a text, or an array. An array with a number in it is one prompt of texts and token ids, any other "
        f"array of several elements is as many prompts, at most {most}. What is empty acts as one blank."
    )
    return option(schema, description, default="")
