"""Turns the prompt of a request, in any of its forms, into token ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.api.convert.chat import RenderedChat
from service.api.convert.checks import count_at_most, size_at_most
from service.api.convert.pictures import Pictures, text_size_at_most
from service.errors import InvalidArgument
from service.prompts.infill import Repository, RepositoryFile, tokenize_infill, tokenize_repository
from service.prompts.pictures import place_of
from service.prompts.prompt import Part, bos, check_ids, is_ids, tokenize_parts, tokenize_prompt, with_bos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.api.served_model import ServedModel
    from service.prompts.vocabulary import Vocabulary
    from slotline.v1 import generation_pb2, prompt_pb2, tokenization_pb2


@dataclass(frozen=True, slots=True)
class TokenizedPrompt:
    """A prompt whose pictures are not encoded yet.

    Attributes:
        tokens: token ids and places of pictures; at least one.
        has_bos: the first of them is a BOS that the server put there, not the caller; others follow it.
        tail: of a conversation whose answer is parsed, what the prompt has behind the last turn, or the last turn if
            that is continued: how the answer begins.
        pictures: None if there are none.
    """

    tokens: tuple[int, ...]
    has_bos: bool = False
    tail: str = ""
    pictures: Pictures | None = None


def tokenized_prompt(
    request: generation_pb2.GenerateRequest, model: ServedModel, *, n_useful: int | None = None, n_system: int = 0
) -> TokenizedPrompt:
    """The tokens of a request's prompt.

    Args:
        request: the message.
        model: that it is for.
        n_useful: most tokens that can be used, None to tokenise everything; see ``ServedModel.bounded``.
        n_system: tokens of the system prompt, which leave less room for the files of an infill prompt.

    Raises:
        TooManyTokens: for prompts far beyond ``n_useful``.
        InvalidArgument: the prompt is missing, too large, empty, or has ids outside the vocabulary.
        NotSupported: the model cannot do what this form of prompt needs, or takes no pictures.
    """
    unbounded = model.vocabulary
    if n_useful is not None:
        model = model.bounded(n_useful)
    vocabulary, limit = model.vocabulary, model.limits.max_prompt_bytes
    parse_special = not request.HasField("parse_special") or request.parse_special
    match request.WhichOneof("prompt"):
        case "text":
            size_at_most("text", len(request.text.encode()), limit)
            return _with_bos(tokenize_prompt(request.text, vocabulary, parse_special=parse_special), model)
        case "token_ids":
            size_at_most("token_ids", request.token_ids.ByteSize(), limit)
            ids = check_ids(request.token_ids.ids, vocabulary.n_vocab, "token_ids.ids")
            return TokenizedPrompt(_not_empty("token_ids.ids", ids))
        case "chat":
            chat = RenderedChat(request.chat, model)
            tokens = chat.tokens(literally=is_literal(request, model))
            ids = _not_empty("chat.messages", with_bos(tokens, vocabulary))
            prompt = _with_bos(ids, model, chat.pictures if chat.pictures.taken else None)
            return replace(prompt, tail=chat.tail()) if request.output.parse_output else prompt
        case "parts":
            pictures = Pictures(model)
            parts = prompt_parts(request.parts, model, "parts", pictures)
            ids = _not_empty("parts.parts", tokenize_parts(parts, vocabulary, parse_special=parse_special))
            seen = pictures if pictures.taken else None
            return TokenizedPrompt(ids, pictures=seen) if is_ids(parts[0]) else _with_bos(ids, model, seen)
        case "infill":
            n_room = model.engine.n_ctx_slot - n_system - _room_for_answer(request, model)
            return TokenizedPrompt(_infill_tokens(request.infill, model, parse_special, unbounded, n_room))
        case _:
            raise InvalidArgument("prompt", "is missing; set one of text, token_ids, chat, parts, infill")


def prompt_parts(
    parts: prompt_pb2.PromptParts, model: ServedModel, field: str, pictures: Pictures | None = None
) -> list[Part]:
    """Text, ids and places of pictures in order, checked.

    Args:
        parts: the message.
        model: whose vocabulary bounds the ids.
        field: path of the message, for errors.
        pictures: takes those of the parts; None to refuse them.
    """
    count_at_most(f"{field}.parts", len(parts.parts), model.limits.max_parts)
    text_size_at_most(field, parts, model.limits.max_prompt_bytes)
    return [_part(part, model, f"{field}.parts[{index}]", pictures) for index, part in enumerate(parts.parts)]


def is_literal(request: generation_pb2.GenerateRequest | tokenization_pb2.TokenizeRequest, model: ServedModel) -> bool:
    """Whether the texts of a request's conversation are taken literally.

    Raises:
        InvalidArgument: the request contradicts how the server was started.
    """
    if not request.HasField("parse_special"):
        return model.literal_messages
    if request.parse_special and model.literal_messages:
        raise InvalidArgument(
            "parse_special",
            "true is not allowed for conversations: this server takes messages literally; allowed is false",
        )
    return not request.parse_special


def _with_bos(tokens: Sequence[int], model: ServedModel, pictures: Pictures | None = None) -> TokenizedPrompt:
    """A prompt from tokens that begin with the model's BOS, if it wants one."""
    has_bos = bool(bos(model.vocabulary)) and len(tokens) > 1
    return TokenizedPrompt(tuple(tokens), has_bos=has_bos, pictures=pictures)


def _infill_tokens(
    infill: prompt_pb2.InfillPrompt, model: ServedModel, parse_special: bool, unbounded: Vocabulary, n_room: int
) -> tuple[int, ...]:
    size_at_most("infill", infill.ByteSize(), model.limits.max_prompt_bytes)
    prefix = prompt_parts(infill.prefix, model, "infill.prefix")
    suffix = prompt_parts(infill.suffix, model, "infill.suffix")
    if not infill.HasField("repository"):
        return tuple(tokenize_infill(prefix, suffix, model.vocabulary, parse_special=parse_special))
    count_at_most("infill.repository.files", len(infill.repository.files), model.limits.max_parts)
    return tuple(
        tokenize_repository(
            _repository(infill.repository),
            prefix,
            suffix,
            model.vocabulary,
            n_room=n_room,
            file_vocabulary=unbounded,
            parse_special=parse_special,
        )
    )


def _repository(message: prompt_pb2.InfillRepository) -> Repository:
    return Repository(
        name=message.name if message.HasField("name") else "myproject",
        files=tuple(RepositoryFile(file.name if file.HasField("name") else "tmp", file.text) for file in message.files),
        current_file=message.current_file if message.HasField("current_file") else "filename",
    )


def _room_for_answer(request: generation_pb2.GenerateRequest, model: ServedModel) -> int:
    """Tokens that files of an infill prompt leave: those of the answer, or a part of the context if nobody knows."""
    quarter = model.engine.n_ctx_slot // 4
    usual = model.engine.usual_max_tokens
    limit = request.stop.max_tokens if request.stop.HasField("max_tokens") else usual
    return quarter if limit is None else min(max(1, limit), model.engine.n_ctx_slot // 2)


def _part(part: prompt_pb2.PromptPart, model: ServedModel, field: str, pictures: Pictures | None) -> Part:
    match part.WhichOneof("part"):
        case "text":
            return part.text
        case "token_ids":
            return check_ids(part.token_ids.ids, model.vocabulary.n_vocab, f"{field}.token_ids.ids")
        case "image":
            if pictures is None:
                raise InvalidArgument(f"{field}.image", "cannot be in an infill prompt; allowed are text, token_ids")
            return (place_of(pictures.take(part.image, f"{field}.image")),)
        case _:
            raise InvalidArgument(field, "is empty; set one of text, token_ids, image")


def _not_empty(field: str, tokens: Sequence[int]) -> tuple[int, ...]:
    if not tokens:
        raise InvalidArgument(field, "holds no tokens; at least one is needed")
    return tuple(tokens)
