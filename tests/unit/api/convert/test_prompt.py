"""The forms of a prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.api.convert.prompt import TokenizedPrompt, tokenized_prompt
from service.api.served_model import Limits
from service.dialogue.template.analysis import UNKNOWN
from service.errors import InvalidArgument, NotSupported, ServiceError
from service.testing.scripted_model import BOS, EOS, N_VOCAB
from slotline.v1 import generation_pb2, prompt_pb2, tokens_pb2
from tests.support.scripted_core import ByteVocabulary, FimTokens
from tests.support.served import RecordingTemplate, served_model

if TYPE_CHECKING:
    from service.prompts.templates import Conversation
    from service.prompts.work import Work

MARKS = FimTokens()
IMAGE = prompt_pb2.PromptPart(image=prompt_pb2.Image(data=b"png"))


class OneTurnTemplate(RecordingTemplate):
    """Writes the last turn and its end."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        assert not conversation.add_generation_prompt
        turn = conversation.messages[-1]
        return f"<{turn['role']}>{turn['content']}<end>"


def ids(*numbers: int) -> tokens_pb2.TokenIds:
    """Token ids."""
    return tokens_pb2.TokenIds(ids=numbers)


def text(value: str) -> prompt_pb2.PromptPart:
    """A text part."""
    return prompt_pb2.PromptPart(text=value)


def parts(*items: prompt_pb2.PromptPart) -> prompt_pb2.PromptParts:
    """Parts in order."""
    return prompt_pb2.PromptParts(parts=items)


def chat(*messages: prompt_pb2.ChatMessage, **options: Any) -> prompt_pb2.ChatPrompt:
    """A conversation; one greeting if nothing else is said."""
    return prompt_pb2.ChatPrompt(messages=messages or [message("user", text("Hi"))], **options)


def message(role: str, *content: prompt_pb2.PromptPart, **options: Any) -> prompt_pb2.ChatMessage:
    """One turn."""
    return prompt_pb2.ChatMessage(role=role, content=content, **options)


@pytest.mark.parametrize(
    ("prompt", "tokens", "has_bos"),
    [
        ({"text": "ab"}, (BOS, 97, 98), True),
        ({"text": ""}, (BOS, 32), True),
        ({"token_ids": ids(1, 2)}, (1, 2), False),
        # What the caller put there stays there.
        ({"token_ids": ids(BOS, 2)}, (BOS, 2), False),
        ({"parts": parts(text("a"), prompt_pb2.PromptPart(token_ids=ids(5)))}, (BOS, 97, 5), True),
        ({"parts": parts(prompt_pb2.PromptPart(token_ids=ids(5)), text("a"))}, (5, 97), False),
        # Without its BOS this one would be empty.
        ({"parts": parts(text(""))}, (BOS,), False),
        ({"chat": chat()}, (BOS, *b"rendered"), True),
        (
            {"infill": prompt_pb2.InfillPrompt(prefix=parts(text("a")), suffix=parts(text("b")))},
            (BOS, MARKS.prefix, 97, MARKS.suffix, 98, MARKS.middle),
            False,
        ),
        ({"infill": prompt_pb2.InfillPrompt()}, (BOS, MARKS.prefix, MARKS.suffix, MARKS.middle), False),
    ],
)
def test_every_form_becomes_tokens(prompt: dict[str, Any], tokens: tuple[int, ...], has_bos: bool) -> None:
    model = served_model(vocabulary=ByteVocabulary(adds_bos=True, fim_tokens=MARKS))
    assert tokenized_prompt(generation_pb2.GenerateRequest(**prompt), model) == TokenizedPrompt(tokens, has_bos)


def test_a_bos_that_the_template_wrote_is_the_servers() -> None:
    model = served_model(vocabulary=ByteVocabulary(adds_bos=True), template=RecordingTemplate(text="<bos>Hi"))
    prompt = tokenized_prompt(generation_pb2.GenerateRequest(chat=chat()), model)
    assert prompt == TokenizedPrompt((BOS, 72, 105), has_bos=True)


@pytest.mark.parametrize("form", [{"text": "<bos>Hi"}, {"chat": chat()}])
def test_a_model_that_wants_no_bos_has_none_to_leave_out(form: dict[str, Any]) -> None:
    model = served_model(template=RecordingTemplate(text="<bos>Hi"))
    prompt = tokenized_prompt(generation_pb2.GenerateRequest(**form), model)
    assert prompt == TokenizedPrompt((BOS, 72, 105), has_bos=False)


@pytest.mark.parametrize(
    ("prompt", "error", "message_part"),
    [
        ({}, InvalidArgument, "prompt: is missing; set one of text, token_ids, chat, parts, infill"),
        ({"token_ids": ids()}, InvalidArgument, "token_ids.ids: holds no tokens"),
        ({"token_ids": ids(0, N_VOCAB)}, InvalidArgument, "token_ids.ids[1]: 258 is not a token"),
        ({"parts": parts()}, InvalidArgument, "parts.parts: holds no tokens"),
        ({"parts": parts(text(""))}, InvalidArgument, "parts.parts: holds no tokens"),
        ({"parts": parts(prompt_pb2.PromptPart())}, InvalidArgument, "parts.parts[0]: is empty"),
        (
            {"parts": parts(text("a"), prompt_pb2.PromptPart(token_ids=ids(N_VOCAB)))},
            InvalidArgument,
            "parts.parts[1].token_ids.ids[0]: 258",
        ),
        ({"parts": parts(IMAGE)}, NotSupported, "image: this model takes no pictures as the server was started"),
        ({"infill": prompt_pb2.InfillPrompt()}, NotSupported, "no fill-in-the-middle tokens"),
        (
            {"infill": prompt_pb2.InfillPrompt(suffix=parts(text("a"), prompt_pb2.PromptPart(token_ids=ids(N_VOCAB))))},
            InvalidArgument,
            "infill.suffix.parts[1].token_ids.ids[0]: 258",
        ),
        (
            {"infill": prompt_pb2.InfillPrompt(prefix=parts(prompt_pb2.PromptPart()))},
            InvalidArgument,
            "infill.prefix.parts[0]: is empty",
        ),
        ({"chat": prompt_pb2.ChatPrompt()}, InvalidArgument, "chat.messages: is empty"),
        (
            {"chat": chat(message("user", IMAGE))},
            NotSupported,
            "image: this model takes no pictures as the server was started",
        ),
        (
            {"chat": chat(message("user", prompt_pb2.PromptPart(token_ids=ids(1))))},
            InvalidArgument,
            "chat.messages[0].content[0]: is token_ids",
        ),
        ({"chat": chat(tools_json="{")}, InvalidArgument, "chat.tools_json: is not JSON"),
        ({"chat": chat(tools_json="{}")}, InvalidArgument, "chat.tools_json: is {}; allowed is a JSON array"),
        ({"chat": chat(tools_json="[" * 100_000)}, InvalidArgument, "chat.tools_json: nests too deeply"),
        ({"chat": chat(template_kwargs_json="[]")}, InvalidArgument, "allowed is a JSON object"),
        ({"chat": chat(template_kwargs_json='{"messages": []}')}, InvalidArgument, "sets 'messages'"),
        (
            {"chat": chat(message("assistant", tool_calls_json="1"))},
            InvalidArgument,
            "chat.messages[0].tool_calls_json: is 1",
        ),
        (
            {"chat": chat(continue_final_message=True)},
            InvalidArgument,
            "chat.messages[0].role: 'user' cannot be continued; allowed is 'assistant'",
        ),
        (
            {"chat": chat(message("assistant"), continue_final_message=True)},
            InvalidArgument,
            "chat.messages[0].content: is empty",
        ),
        (
            {"chat": chat(message("assistant", text("a"), tool_calls_json="[]"), continue_final_message=True)},
            InvalidArgument,
            "chat.messages[0].tool_calls_json: is set",
        ),
        (
            {"chat": chat(message("assistant", text("a")), continue_final_message=True, add_generation_prompt=True)},
            InvalidArgument,
            "chat.add_generation_prompt: true is not allowed together with continue_final_message",
        ),
        (
            # The recording template writes none of the text.
            {"chat": chat(message("assistant", text("a")), continue_final_message=True)},
            InvalidArgument,
            "chat.continue_final_message: true is not possible",
        ),
    ],
)
def test_a_prompt_that_is_not_allowed_is_refused_with_its_path(
    prompt: dict[str, Any], error: type[ServiceError], message_part: str
) -> None:
    with pytest.raises(error) as caught:
        tokenized_prompt(generation_pb2.GenerateRequest(**prompt), served_model())
    assert message_part in caught.value.message


@pytest.mark.parametrize(
    ("prompt", "field"),
    [
        ({"text": "é" * 51}, "text"),
        ({"token_ids": ids(*range(1, 120))}, "token_ids"),
        ({"parts": parts(text("a" * 60), text("a" * 60))}, "parts"),
        ({"chat": chat(message("user", text("a" * 101)))}, "chat"),
        ({"infill": prompt_pb2.InfillPrompt(prefix=parts(text("a" * 60)), suffix=parts(text("a" * 60)))}, "infill"),
    ],
)
def test_a_prompt_above_the_limit_is_refused_before_any_work_on_it(prompt: dict[str, Any], field: str) -> None:
    template = RecordingTemplate()
    model = served_model(limits=Limits(max_prompt_bytes=100), template=template)
    with pytest.raises(InvalidArgument, match="allowed are at most 100") as caught:
        tokenized_prompt(generation_pb2.GenerateRequest(**prompt), model)
    assert caught.value.field == field
    assert not template.conversations


def test_a_text_of_exactly_the_limit_is_taken() -> None:
    model = served_model(limits=Limits(max_prompt_bytes=100))
    assert len(tokenized_prompt(generation_pb2.GenerateRequest(text="é" * 50), model).tokens) == 100


def test_a_template_that_renders_nothing_is_refused() -> None:
    model = served_model(template=RecordingTemplate(text=""))
    with pytest.raises(InvalidArgument, match=r"chat\.messages: holds no tokens"):
        tokenized_prompt(generation_pb2.GenerateRequest(chat=chat()), model)


@pytest.mark.parametrize("options", [{}, {"add_generation_prompt": False}])
def test_a_last_message_is_continued_without_a_new_turn(options: dict[str, bool]) -> None:
    request = generation_pb2.GenerateRequest(
        chat=chat(message("assistant", text("O"), text("ne ")), continue_final_message=True, **options)
    )
    prompt = tokenized_prompt(request, served_model(template=OneTurnTemplate()))
    assert prompt.tokens == tuple(b"<assistant>One ")


class OpeningTemplate(RecordingTemplate):
    """Writes turns, and opens the answer's with a thought."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        turns = "".join(f"<{turn['role']}>{turn['content']}<end>" for turn in conversation.messages)
        return turns + ("<assistant><think>" if conversation.add_generation_prompt else "")


class NeedyTemplate(OpeningTemplate):
    """The same, but needs a turn."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        if not conversation.messages:
            raise InvalidArgument("chat.messages", "no turns")
        return super().render(conversation, work)


PARSED = generation_pb2.OutputOptions(parse_output=True)
AUTHOR, WRITTEN = message("user", text("<think>")), message("assistant", text("<think>On"))


@pytest.mark.parametrize("template", [OpeningTemplate(), NeedyTemplate()])
@pytest.mark.parametrize(
    ("conversation", "tail"),
    [
        (chat(AUTHOR), "<assistant><think>"),
        (chat(AUTHOR, add_generation_prompt=False), ""),
        (chat(AUTHOR, WRITTEN, continue_final_message=True), "<assistant><think>On"),
        (chat(WRITTEN, continue_final_message=True), "<assistant><think>On"),
    ],
)
@pytest.mark.parametrize("parse_special", [None, False])
def test_the_tail_of_a_prompt_is_what_the_answer_begins_with(
    conversation: prompt_pb2.ChatPrompt, tail: str, template: RecordingTemplate, parse_special: bool | None
) -> None:
    request = generation_pb2.GenerateRequest(chat=conversation, output=PARSED, parse_special=parse_special)
    assert tokenized_prompt(request, served_model(template=template)).tail == tail
    request.ClearField("output")
    assert tokenized_prompt(request, served_model(template=template)).tail == ""


LITERAL = {"parse_special": False}


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"text": "<eos>"}, (EOS,)),
        ({"text": "<eos>", "parse_special": True}, (EOS,)),
        ({"text": "<eos>", **LITERAL}, tuple(b"<eos>")),
        ({"parts": parts(text("a<eos>")), **LITERAL}, tuple(b"a<eos>")),
        ({"parts": parts(text("a<eos>"))}, (97, EOS)),
        (
            {"infill": prompt_pb2.InfillPrompt(prefix=parts(text("<eos>"))), **LITERAL},
            (BOS, MARKS.prefix, *b"<eos>", MARKS.suffix, MARKS.middle),
        ),
        ({"chat": chat(message("user", text("a<eos>")))}, (*b"user:a", EOS, EOS)),
        ({"chat": chat(message("user", text("a<eos>"))), **LITERAL}, (*b"user:a<eos>", EOS)),
    ],
)
def test_special_tokens_are_recognised_unless_the_request_says_otherwise(
    fields: dict[str, Any], tokens: tuple[int, ...]
) -> None:
    model = served_model(vocabulary=ByteVocabulary(fim_tokens=MARKS), template=WritingTemplate())
    assert tokenized_prompt(generation_pb2.GenerateRequest(**fields), model).tokens == tokens


def test_tools_that_the_server_describes_are_literal_too() -> None:
    tools = '[{"type": "function", "function": {"name": "f", "description": "<eos>"}}]'
    request = generation_pb2.GenerateRequest(chat=chat(tools_json=tools), parse_special=False)
    model = served_model(template=WritingTemplate())
    prompt = tokenized_prompt(request, model)
    assert b'"description": "<eos>"' in bytes(token for token in prompt.tokens if token < 256)
    # A template that shows tools itself would not tell its own control tokens from theirs.
    with pytest.raises(InvalidArgument, match=r"chat\.tools_json: '<eos>' names a control token"):
        tokenized_prompt(request, replace(model, chat_format=replace(UNKNOWN, renders_tools=True)))


def test_a_server_for_literal_messages_takes_no_others() -> None:
    model = replace(served_model(template=WritingTemplate()), literal_messages=True)
    asked = generation_pb2.GenerateRequest(chat=chat(message("user", text("a<eos>"))))
    assert tokenized_prompt(asked, model).tokens == (*b"user:a<eos>", EOS)
    asked.parse_special = True
    with pytest.raises(InvalidArgument, match="parse_special: true is not allowed for conversations"):
        tokenized_prompt(asked, model)
    # Whoever writes the whole prompt writes its control tokens, too.
    assert tokenized_prompt(generation_pb2.GenerateRequest(text="<eos>"), model).tokens == (EOS,)


class WritingTemplate(RecordingTemplate):
    """Writes turns as they are, and closes them."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        return "".join(f"{turn['role']}:{turn['content']}<eos>" for turn in conversation.messages)
