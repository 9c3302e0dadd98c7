"""Turns the prompt of a request, in any of its forms, into token ids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from service.api.convert.checks import count_at_most, size_at_most
from service.errors import InvalidArgument, NotImplementedFeature
from service.prompts.continuation import render_continued
from service.prompts.infill import tokenize_infill
from service.prompts.literal import tokenize_literally
from service.prompts.prompt import Part, bos, check_ids, tokenize_parts, tokenize_prompt, with_bos
from service.prompts.templates import RESERVED, Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.api.served_model import ServedModel
    from slotline.v1 import generation_pb2, prompt_pb2, tokenization_pb2


@dataclass(frozen=True, slots=True)
class TokenizedPrompt:
    """A prompt as the engine takes it.

    Attributes:
        tokens: at least one.
        has_bos: the first of them is a BOS that the server put there, not the caller; others follow it.
    """

    tokens: tuple[int, ...]
    has_bos: bool = False


def tokenized_prompt(request: generation_pb2.GenerateRequest, model: ServedModel) -> TokenizedPrompt:
    """The tokens of a request's prompt.

    Raises:
        InvalidArgument: the prompt is missing, too large, empty, or has ids outside the vocabulary.
        NotSupported: the model cannot do what this form of prompt needs.
        NotImplementedFeature: the prompt has a form that is not available.
    """
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
            chat = chat_tokens(request.chat, model, literally=is_literal(request, model))
            return _with_bos(_not_empty("chat.messages", with_bos(chat, vocabulary)), model)
        case "parts":
            parts = prompt_parts(request.parts, model, "parts")
            tokens = _not_empty("parts.parts", tokenize_parts(parts, vocabulary, parse_special=parse_special))
            return _with_bos(tokens, model) if isinstance(parts[0], str) else TokenizedPrompt(tokens)
        case "infill":
            return TokenizedPrompt(_infill_tokens(request.infill, model, parse_special))
        case _:
            raise InvalidArgument("prompt", "is missing; set one of text, token_ids, chat, parts, infill")


def prompt_parts(parts: prompt_pb2.PromptParts, model: ServedModel, field: str) -> list[Part]:
    """Text and ids in order, checked.

    Args:
        parts: the message.
        model: whose vocabulary bounds the ids.
        field: path of the message, for errors.
    """
    size_at_most(field, parts.ByteSize(), model.limits.max_prompt_bytes)
    count_at_most(f"{field}.parts", len(parts.parts), model.limits.max_parts)
    return [_part(part, model, f"{field}.parts[{index}]") for index, part in enumerate(parts.parts)]


def render_chat(chat: prompt_pb2.ChatPrompt, model: ServedModel) -> str:
    """A conversation as the text that the chat template makes of it. May take a while.

    Raises:
        InvalidArgument: the conversation is malformed or too large, or the template does not take it.
        NotImplementedFeature: it holds images.
    """
    render, turns = _rendering(chat, model)
    return render(turns)


def chat_tokens(chat: prompt_pb2.ChatPrompt, model: ServedModel, *, literally: bool) -> list[int]:
    """A conversation as token ids, with no more special tokens than the template writes. May take a while.

    Args:
        chat: the conversation.
        model: whose template renders it.
        literally: take its texts so, so that they name no special tokens.

    Raises:
        InvalidArgument: as ``render_chat``, or what is literal cannot be told from what the template wrote.
        NotImplementedFeature: it holds images.
    """
    render, turns = _rendering(chat, model)
    if literally:
        return tokenize_literally(render, turns, model.vocabulary)
    return model.vocabulary.tokenize(render(turns), parse_special=True)


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


def _rendering(chat: prompt_pb2.ChatPrompt, model: ServedModel) -> tuple[Callable[[Conversation], str], Conversation]:
    """How a conversation is rendered, and the conversation; both checked."""
    count_at_most("chat.messages", len(chat.messages), model.limits.max_messages)
    size_at_most("chat", chat.ByteSize(), model.limits.max_prompt_bytes)
    turns = conversation(chat)
    if not chat.continue_final_message:
        return model.template.render, turns
    _check_continued(chat)
    return partial(render_continued, model.template), turns


def conversation(chat: prompt_pb2.ChatPrompt) -> Conversation:
    """A conversation as templates see it."""
    if not chat.messages:
        raise InvalidArgument("chat.messages", "is empty; at least one message is needed")
    variables = _json(chat.template_kwargs_json, "chat.template_kwargs_json", dict, "a JSON object")
    for name in sorted(RESERVED & variables.keys()):
        raise InvalidArgument("chat.template_kwargs_json", f"sets {name!r}, which the server sets itself")
    tools = _json(chat.tools_json, "chat.tools_json", list, "a JSON array") if chat.HasField("tools_json") else None
    return Conversation(
        messages=[_message(message, f"chat.messages[{index}]") for index, message in enumerate(chat.messages)],
        add_generation_prompt=not chat.HasField("add_generation_prompt") or chat.add_generation_prompt,
        tools=tools or None,
        variables=variables,
    )


def _check_continued(chat: prompt_pb2.ChatPrompt) -> None:
    if chat.HasField("add_generation_prompt") and chat.add_generation_prompt:
        raise InvalidArgument(
            "chat.add_generation_prompt", "true is not allowed together with continue_final_message; leave it out"
        )
    last, field = chat.messages[-1], f"chat.messages[{len(chat.messages) - 1}]"
    if last.role != "assistant":
        raise InvalidArgument(f"{field}.role", f"{last.role[:60]!r} cannot be continued; allowed is 'assistant'")
    if not _content(last.content, field):
        raise InvalidArgument(f"{field}.content", "is empty; there must be a text to continue")
    if last.HasField("tool_calls_json"):
        raise InvalidArgument(f"{field}.tool_calls_json", "is set; a message with tool calls cannot be continued")


def _with_bos(tokens: Sequence[int], model: ServedModel) -> TokenizedPrompt:
    """A prompt from tokens that begin with the model's BOS, if it wants one."""
    return TokenizedPrompt(tuple(tokens), has_bos=bool(bos(model.vocabulary)) and len(tokens) > 1)


def _infill_tokens(infill: prompt_pb2.InfillPrompt, model: ServedModel, parse_special: bool) -> tuple[int, ...]:
    size_at_most("infill", infill.ByteSize(), model.limits.max_prompt_bytes)
    prefix = prompt_parts(infill.prefix, model, "infill.prefix")
    suffix = prompt_parts(infill.suffix, model, "infill.suffix")
    return tuple(tokenize_infill(prefix, suffix, model.vocabulary, parse_special=parse_special))


def _part(part: prompt_pb2.PromptPart, model: ServedModel, field: str) -> Part:
    match part.WhichOneof("part"):
        case "text":
            return part.text
        case "token_ids":
            return check_ids(part.token_ids.ids, model.vocabulary.n_vocab, f"{field}.token_ids.ids")
        case "image":
            raise NotImplementedFeature("images in prompts")
        case _:
            raise InvalidArgument(field, "is empty; set one of text, token_ids, image")


def _message(message: prompt_pb2.ChatMessage, field: str) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message.content, field)}
    if message.HasField("name"):
        turn["name"] = message.name
    if message.HasField("tool_calls_json"):
        path = f"{field}.tool_calls_json"
        turn["tool_calls"] = [_tool_call(call) for call in _json(message.tool_calls_json, path, list, "a JSON array")]
    if message.HasField("tool_call_id"):
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _content(parts: Sequence[prompt_pb2.PromptPart], field: str) -> str:
    texts = []
    for index, part in enumerate(parts):
        match part.WhichOneof("part"):
            case "text":
                texts.append(part.text)
            case "image":
                raise NotImplementedFeature("images in prompts")
            case kind:
                raise InvalidArgument(
                    f"{field}.content[{index}]", f"is {kind or 'empty'}; a message's content is made of text"
                )
    return "".join(texts)


def _tool_call(call: Any) -> Any:
    """A tool call as templates expect it: with arguments as an object, not as JSON text as in the OpenAI API."""
    match call:
        case {"function": {"arguments": str(arguments), **function}, **others}:
            try:
                parsed = json.loads(arguments)
            except (ValueError, RecursionError):
                return call
            return {**others, "function": {**function, "arguments": parsed}}
        case _:
            return call


def _json(text: str, field: str, kind: type, allowed: str) -> Any:
    if not text:
        return kind()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(field, f"is not JSON ({error}); allowed is {allowed}") from error
    except RecursionError as error:
        raise InvalidArgument(field, f"nests too deeply; allowed is {allowed}") from error
    if not isinstance(value, kind):
        raise InvalidArgument(field, f"is {type(value).__name__}; allowed is {allowed}")
    return value


def _not_empty(field: str, tokens: Sequence[int]) -> tuple[int, ...]:
    if not tokens:
        raise InvalidArgument(field, "holds no tokens; at least one is needed")
    return tuple(tokens)
