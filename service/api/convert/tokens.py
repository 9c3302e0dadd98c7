"""``Tokenize`` and ``Detokenize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.convert.chat import RenderedChat
from service.api.convert.checks import size_at_most
from service.api.convert.pictures import Pictures
from service.api.convert.prompt import is_literal, prompt_parts
from service.engine.request.items import tokens_of
from service.errors import InvalidArgument
from service.prompts.prompt import Part, check_ids, detokenize, tokenize_text, with_bos
from slotline.v1 import tokenization_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.api.served_model import ServedModel
    from service.engine.request.items import PromptItem
    from service.prompts.work import Work

#: Tokens that are written or read between two pauses: some 10 ms.
TOKENS_AT_ONCE = 32_768


def tokenize_response(
    request: tokenization_pb2.TokenizeRequest, model: ServedModel, work: Work
) -> tokenization_pb2.TokenizeResponse:
    """The tokens of a text, of parts or of a rendered conversation. May take a while, in chunks.

    Raises:
        InvalidArgument: the input is missing, too large, or not allowed.
        NotSupported: it has pictures, and the model takes none.
        ServiceError: see ``PictureEncoder.encode``.
    """
    vocabulary = model.vocabulary
    ids, pictures = _chat_ids(request, model) if request.WhichOneof("input") == "chat" else _text_ids(request, model)
    if pictures.taken:
        # Rows have no ids, and ids without them would be another prompt.
        return tokenization_pb2.TokenizeResponse(count=len(ids) - len(pictures.taken) + pictures.encode().n_items)
    response = tokenization_pb2.TokenizeResponse(count=len(ids))
    for start in range(0, len(ids), TOKENS_AT_ONCE):
        some = ids[start : start + TOKENS_AT_ONCE]
        response.ids.extend(some)
        if request.with_pieces:
            response.pieces.extend(vocabulary.token_bytes(token, special=request.special_pieces) for token in some)
        work.pause()
    return response


def detokenize_response(
    request: tokenization_pb2.DetokenizeRequest, model: ServedModel, work: Work
) -> tokenization_pb2.DetokenizeResponse:
    """The text of tokens. May take a while, in chunks.

    Raises:
        InvalidArgument: an id is outside the vocabulary.
    """
    ids = check_ids(request.ids, model.vocabulary.n_vocab, "ids")
    raw = _text(ids, model, work, skip_special=not request.HasField("skip_special") or request.skip_special)
    return tokenization_pb2.DetokenizeResponse(text=raw.decode(errors="replace"), raw=raw)


def prompt_text(prompt: Sequence[PromptItem], model: ServedModel, work: Work) -> str:
    """A prompt as the model sees it, with the names of control tokens and without its pictures. May take a while."""
    return _text(tokens_of(prompt), model, work, skip_special=False).decode(errors="replace")


def _text(ids: Sequence[int], model: ServedModel, work: Work, *, skip_special: bool) -> bytes:
    """The bytes of tokens, in chunks."""
    texts = []
    for start in range(0, len(ids), TOKENS_AT_ONCE):
        texts.append(detokenize(ids[start : start + TOKENS_AT_ONCE], model.vocabulary, skip_special=skip_special))
        work.pause()
    return b"".join(texts)


def _chat_ids(request: tokenization_pb2.TokenizeRequest, model: ServedModel) -> tuple[list[int], Pictures]:
    chat = RenderedChat(request.chat, model)
    tokens = chat.tokens(literally=is_literal(request, model))
    return with_bos(tokens, model.vocabulary) if request.add_special else tokens, chat.pictures


def _text_ids(request: tokenization_pb2.TokenizeRequest, model: ServedModel) -> tuple[list[int], Pictures]:
    pictures = Pictures(model)
    parse_special = not request.HasField("parse_special") or request.parse_special
    parts = _parts(request, model, pictures)
    ids = tokenize_text(parts, model.vocabulary, add_special=request.add_special, parse_special=parse_special)
    return ids, pictures


def _parts(request: tokenization_pb2.TokenizeRequest, model: ServedModel, pictures: Pictures) -> list[Part]:
    match request.WhichOneof("input"):
        case "text":
            size_at_most("text", len(request.text.encode()), model.limits.max_prompt_bytes)
            return [request.text]
        case "parts":
            return prompt_parts(request.parts, model, "parts", pictures)
        case _:
            raise InvalidArgument("input", "is missing; set one of text, chat, parts")
