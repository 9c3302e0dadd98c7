"""POST /tokenize and POST /detokenize."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.apis.native.tokenization.reply import tokens_parts
from rest_adapter.apis.native.tokenization.request import read_detokenize, read_tokenize, rename_fields
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.unary import call_for_client
from rest_adapter.core.calls import DETOKENIZE, TOKENIZE, Request, UnaryMethod
from rest_adapter.core.calls import Response as Reply
from rest_adapter.errors import RpcFailure
from rest_adapter.http.media_types import JSON_UTF8
from rest_adapter.http.responses import Answer, bytes_response, json_response, long_json_response
from rest_adapter.json.encoding import encode_in_pieces, joined

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext

#: Seconds. The largest body takes about 20 to tokenise.
_TIMEOUT_S = 120.0
#: This many tokens or characters are written in a few milliseconds.
_FEW = 1 << 14


def tokenize(context: AppContext) -> Answer:
    """The tokens of a text."""
    asked = read_body(context, read_tokenize)
    if asked is None:
        return json_response({"tokens": []})
    found = _call(context, TOKENIZE, asked)
    if len(found.ids) <= _FEW:
        return bytes_response(b"".join(tokens_parts(found)), content_type=JSON_UTF8)
    return long_json_response(context.writing.run(lambda: list(joined(tokens_parts(found)))))


def detokenize(context: AppContext) -> Answer:
    """The text of tokens."""
    asked = read_body(context, partial(read_detokenize, shape=context.shape))
    if not asked.ids:
        return json_response({"content": ""})
    text = _call(context, DETOKENIZE, asked).text
    if len(text) <= _FEW:
        return json_response({"content": text})
    return long_json_response(context.writing.run(lambda: list(encode_in_pieces({"content": text}))))


def _call(context: AppContext, method: UnaryMethod[Request, Reply], asked: Request) -> Reply:
    """The core's answer."""
    try:
        return call_for_client(context, method, asked, timeout_s=_TIMEOUT_S)
    except RpcFailure as failure:
        raise rename_fields(failure) from failure
