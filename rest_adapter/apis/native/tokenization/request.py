"""POST /tokenize and POST /detokenize: from bodies to requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.fields import read_flag, read_list, read_token_id, refusal
from rest_adapter.apis.common.prompt import put_parts, read_mixed
from slotline.v1.tokenization_pb2 import DetokenizeRequest, TokenizeRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.errors import RpcFailure


def read_tokenize(body: Mapping[str, object]) -> TokenizeRequest | None:
    """The request for a body of POST /tokenize; None if there is nothing to tokenise.

    Raises:
        InvalidRequest: ``content`` is neither a string nor an array of strings and token ids, or an option has a value
            that is not allowed.
    """
    request = TokenizeRequest(
        add_special=read_flag(body, "add_special"),
        parse_special=read_flag(body, "parse_special", default=True),
    )
    if read_flag(body, "with_pieces"):
        request.with_pieces = request.special_pieces = True
    content = body.get("content")
    # Then add_special adds nothing, either.
    if content is None or content == "" or content == []:
        return None
    if isinstance(content, str):
        request.text = content
    elif isinstance(content, list):
        put_parts(request.parts, read_mixed("content", content))
    else:
        raise refusal("content", content, "a string or an array of strings and token ids")
    return request


def read_detokenize(body: Mapping[str, object], *, shape: ApiShape = ApiShape.OF_2024) -> DetokenizeRequest:
    """The request for a body of POST /detokenize.

    Args:
        body: the JSON body.
        shape: in that of today, control tokens become their names; in that of 2024 they have no text.

    Raises:
        InvalidRequest: ``tokens`` is not an array of token ids.
    """
    tokens = body.get("tokens")
    ids = [] if tokens is None else read_list("tokens", tokens, "token ids")
    request = DetokenizeRequest(ids=[read_token_id(f"tokens[{i}]", token) for i, token in enumerate(ids)])
    if shape is ApiShape.NOW:
        request.skip_special = False
    return request


def rename_fields(failure: RpcFailure) -> RpcFailure:
    """A failure of Tokenize or Detokenize with the names of the fields in the body."""
    return failure.renamed(_json_path)


def _json_path(path: str) -> str:
    # Parts were joined from the array, so their positions are not positions in it.
    return "tokens" + path.removeprefix("ids") if path.startswith("ids") else "content"
