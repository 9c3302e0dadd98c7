"""POST /tokenize and POST /detokenize."""

from __future__ import annotations

from flask import Response

from rest_adapter.core import DETOKENIZE, TOKENIZE, Request, UnaryMethod
from rest_adapter.core import Response as Answer
from rest_adapter.errors import RpcFailure
from rest_adapter.responses import json_response
from rest_adapter.routes.reading import understood
from rest_adapter.routes.site import Site
from rest_adapter.translate.tokenization import in_json_terms, read_detokenize, read_tokenize

# The largest body takes about 20 s to tokenise.
_TIMEOUT_S = 120.0


def tokenize(site: Site) -> Response:
    """The tokens of a text."""
    request = understood(site, read_tokenize)
    if request is None:
        return json_response({"tokens": []})
    return json_response({"tokens": list(_call(site, TOKENIZE, request).ids)})


def detokenize(site: Site) -> Response:
    """The text of tokens."""
    request = understood(site, read_detokenize)
    if not request.ids:
        return json_response({"content": ""})
    return json_response({"content": _call(site, DETOKENIZE, request).text})


def _call(site: Site, method: UnaryMethod[Request, Answer], request: Request) -> Answer:
    try:
        return site.core.unary(method, request, timeout_s=_TIMEOUT_S)
    except RpcFailure as failure:
        raise in_json_terms(failure) from failure
