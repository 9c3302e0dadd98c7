"""POST /tokenize and POST /detokenize in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.prompt_schema import MIXED, TOKENS
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import BODY_ERRORS, Operation
from rest_adapter.openapi.operation import TOKENS as TOKENS_TAG
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    STRING,
    Schema,
    array,
    body,
    either,
    integer,
    option,
    record,
    ref,
)

#: Texts, or bytes of what is no text.
_PIECE = either(STRING, array(integer((0, 255))))


def tokenize_body() -> Schema:
    content = option(either(STRING, MIXED), "A text, or texts and token ids in order.", default="")
    return body(
        {
            "content": content,
            "add_special": option(BOOLEAN, "Put the tokens in front that the model wants there.", default=False),
            "parse_special": option(BOOLEAN, "Make tokens of the names of special tokens.", default=True),
            "with_pieces": option(
                BOOLEAN,
                "Tell the text of each token, too; of one that is no whole characters, its bytes.",
                default=False,
            ),
        }
    )


def detokenize_body() -> Schema:
    return body({"tokens": option(TOKENS, "Token ids.", default=[])})


TOKENIZE = Operation(
    TOKENS_TAG,
    "The tokens of a text",
    "Without the token that begins a text; names of special tokens become these.",
    {200: {JSON: ref("Tokens")}},
    {"Tokens": record({"tokens": either(array(COUNT), array(record({"id": COUNT, "piece": _PIECE})))})},
    BODY_ERRORS,
    tokenize_body,
)
DETOKENIZE = Operation(
    TOKENS_TAG,
    "The text of tokens",
    "Bytes that are no whole character become replacement characters. Control tokens have no text; in the shape of "
    "today they become their names.",
    {200: {JSON: ref("Text")}},
    {"Text": record({"content": STRING})},
    BODY_ERRORS,
    detokenize_body,
)
