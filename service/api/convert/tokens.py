"""``Tokenize`` and ``Detokenize``."""

from __future__ import annotations

from service.api.convert.checks import size_at_most
from service.api.convert.prompt import prompt_parts, render_chat
from service.api.served_model import ServedModel
from service.errors import InvalidArgument
from service.prompts.prompt import Part, check_ids, detokenize, tokenize_text
from slotline.v1 import tokenization_pb2


def tokenize_response(
    request: tokenization_pb2.TokenizeRequest, model: ServedModel
) -> tokenization_pb2.TokenizeResponse:
    """The tokens of a text, of parts or of a rendered conversation. May take a while.

    Raises:
        InvalidArgument: the input is missing, too large, or not allowed.
    """
    vocabulary = model.vocabulary
    ids = tokenize_text(
        _parts(request, model),
        vocabulary,
        add_special=request.add_special,
        parse_special=not request.HasField("parse_special") or request.parse_special,
    )
    pieces = [vocabulary.piece(token) for token in ids] if request.with_pieces else ()
    return tokenization_pb2.TokenizeResponse(ids=ids, pieces=pieces, count=len(ids))


def detokenize_response(
    request: tokenization_pb2.DetokenizeRequest, model: ServedModel
) -> tokenization_pb2.DetokenizeResponse:
    """The text of tokens.

    Raises:
        InvalidArgument: an id is outside the vocabulary.
    """
    ids = check_ids(request.ids, model.vocabulary.n_vocab, "ids")
    skip_special = not request.HasField("skip_special") or request.skip_special
    raw = detokenize(ids, model.vocabulary, skip_special=skip_special)
    return tokenization_pb2.DetokenizeResponse(text=raw.decode(errors="replace"), raw=raw)


def _parts(request: tokenization_pb2.TokenizeRequest, model: ServedModel) -> list[Part]:
    match request.WhichOneof("input"):
        case "text":
            size_at_most("text", len(request.text.encode()), model.limits.max_prompt_bytes)
            return [request.text]
        case "chat":
            return [render_chat(request.chat, model)]
        case "parts":
            return prompt_parts(request.parts, model, "parts")
        case _:
            raise InvalidArgument("input", "is missing; set one of text, chat, parts")
