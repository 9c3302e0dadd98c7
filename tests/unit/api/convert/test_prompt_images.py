"""Pictures in prompts and conversations: where they stand, what bounds them, and what they are refused for."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.api.convert.chat import RenderedChat
from service.api.convert.echo import without_pictures
from service.api.convert.embedding import embedding_request
from service.api.convert.request import generation_request
from service.api.convert.tokens import tokenize_response
from service.api.served_model import Limits, PictureSupport
from service.config import EngineConfig, MediaOptions
from service.errors import ContextLengthExceeded, InvalidArgument, NotSupported, QueueFull
from service.prompts.work import Abandoned, Work
from service.testing.scripted_model import BOS, EOS
from slotline.v1 import embedding_pb2, generation_pb2, prompt_pb2, tokenization_pb2, tokens_pb2
from tests.support.fake_encoder import BAD, N_TOKENS, FakeEncoder, chunk_of, encoded
from tests.support.pictures import prompt_of
from tests.support.scripted_core import ByteVocabulary
from tests.support.served import RecordingTemplate, served_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.api.served_model import ServedModel
    from service.engine.request.items import PromptItem
    from service.prompts.templates import Conversation

RED, BLUE = b"\x89PNG\r\n\x1a\nred", b"\xff\xd8\xffblue"


class Turns(RecordingTemplate):
    """Writes turns, changed by a function of their content."""

    change: Callable[[str], str] = staticmethod(str)

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        super().render(conversation)
        return "".join(f"<{turn['role']}>{self.change(turn['content'])}<eos>" for turn in conversation.messages)


def seeing(encoder: FakeEncoder | None = None, limits: MediaOptions | None = None, **options: Any) -> ServedModel:
    """A model that takes pictures, in slots of 64 tokens."""
    support = PictureSupport(encoder or FakeEncoder(), limits or MediaOptions())
    return served_model(**{"template": Turns(), "pictures": support, **options})


def text(value: str) -> prompt_pb2.PromptPart:
    """A text part."""
    return prompt_pb2.PromptPart(text=value)


def image(data: bytes = RED, **fields: Any) -> prompt_pb2.PromptPart:
    """A picture."""
    return prompt_pb2.PromptPart(image=prompt_pb2.Image(data=data, **fields))


def ids(*numbers: int) -> prompt_pb2.PromptPart:
    """Token ids."""
    return prompt_pb2.PromptPart(token_ids=tokens_pb2.TokenIds(ids=numbers))


def parts(*items: prompt_pb2.PromptPart, **fields: Any) -> generation_pb2.GenerateRequest:
    """A request with a prompt of parts."""
    return generation_pb2.GenerateRequest(parts=prompt_pb2.PromptParts(parts=items), **fields)


def message(*content: prompt_pb2.PromptPart, role: str = "user") -> prompt_pb2.ChatMessage:
    """A turn."""
    return prompt_pb2.ChatMessage(role=role, content=content)


def chat(*messages: prompt_pb2.ChatMessage, **options: Any) -> prompt_pb2.ChatPrompt:
    """A conversation."""
    return prompt_pb2.ChatPrompt(messages=messages, **options)


def seen(data: bytes) -> list[PromptItem]:
    """The items that the fake encoder makes of a picture."""
    return [*prompt_of(*encoded(data))]


def test_a_picture_stands_between_the_texts_of_its_prompt() -> None:
    request = parts(text("a"), image(RED), text("b<eos>"), image(BLUE), ids(5))
    prepared = generation_request(request, seeing(vocabulary=ByteVocabulary(adds_bos=True)))
    assert prepared.prompt == (BOS, ord("a"), *seen(RED), ord("b"), EOS, *seen(BLUE), 5)
    assert set(prepared.media) == {chunk_of(RED).key, chunk_of(BLUE).key}
    assert prepared.n_media_items == 2 * N_TOKENS
    assert prepared.has_bos


@pytest.mark.parametrize(
    ("first", "begins"),
    [((), [BOS]), ((ids(),), []), ((text(""),), [BOS]), ((ids(7),), [7]), ((text("a"),), [BOS, 97])],
)
def test_bos_comes_before_a_picture_as_before_a_text(
    first: tuple[prompt_pb2.PromptPart, ...], begins: list[int]
) -> None:
    model = seeing(vocabulary=ByteVocabulary(adds_bos=True))
    assert generation_request(parts(*first, image()), model).prompt == (*begins, *seen(RED))


def test_a_picture_that_stands_in_two_places_is_there_twice() -> None:
    encoder = FakeEncoder()
    prepared = generation_request(parts(image(RED), text("a"), image(RED)), seeing(encoder))
    assert prepared.prompt == (*seen(RED), ord("a"), *seen(RED))
    assert len(prepared.media) == 1
    assert len(encoder.files) == 1


@pytest.mark.parametrize("literal", [False, True])
def test_pictures_of_a_conversation_stand_where_they_were_said(literal: bool) -> None:
    conversation = chat(
        message(text("see "), image(RED), text(" and "), image(BLUE)),
        message(text("yes"), role="assistant"),
        message(image(RED)),
    )
    request = generation_pb2.GenerateRequest(chat=conversation, parse_special=not literal)
    prepared = generation_request(request, seeing(engine=EngineConfig(n_slots=1, n_ctx_slot=200)))
    assert prepared.prompt == (
        *b"<user>see ",
        *seen(RED),
        *b" and ",
        *seen(BLUE),
        EOS,
        *b"<assistant>yes",
        EOS,
        *b"<user>",
        *seen(RED),
        EOS,
    )


def test_names_of_control_tokens_stay_text_beside_a_picture_if_messages_are_literal() -> None:
    request = generation_pb2.GenerateRequest(
        chat=chat(message(text("<eos>"), image(), text("<e"))), parse_special=False
    )
    assert generation_request(request, seeing()).prompt == (*b"<user><eos>", *seen(RED), *b"<e", EOS)


def test_texts_around_a_picture_make_no_control_token_together() -> None:
    request = generation_pb2.GenerateRequest(chat=chat(message(text("<e"), image(), text("os>"))))
    assert generation_request(request, seeing()).prompt == (*b"<user><e", *seen(RED), *b"os>", EOS)


def test_a_last_message_with_a_picture_is_continued() -> None:
    conversation = chat(message(text("a "), image(), text("b "), role="assistant"), continue_final_message=True)
    request = generation_pb2.GenerateRequest(chat=conversation, output=generation_pb2.OutputOptions(parse_output=True))
    model = seeing(engine=EngineConfig(n_slots=1, n_ctx_slot=200))
    assert generation_request(request, model).prompt == (*b"<assistant>a ", *seen(RED), *b"b ")


def test_a_rendered_conversation_shows_placeholders() -> None:
    assert RenderedChat(chat(message(text("a"), image(), image(BLUE))), seeing()).text == (
        "<user>a<__image__><__image__><eos>"
    )


def test_no_text_stands_for_a_picture() -> None:
    template = Turns()
    request = generation_pb2.GenerateRequest(chat=chat(message(text("<__image__>"), image())))
    model = seeing(template=template)
    first = generation_request(request, model).prompt
    assert first == (*b"<user><__image__>", *seen(RED), EOS)
    # What the template saw for the picture means nothing in another request.
    mark = template.conversations[-1].messages[0]["content"].removeprefix("<__image__>")
    request = generation_pb2.GenerateRequest(chat=chat(message(text(mark), image())))
    assert generation_request(request, model).prompt == (*b"<user>", *mark.encode(), *seen(RED), EOS)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: "", "the chat template leaves it out or changes it"),
        (lambda content: content + content, "the chat template writes it 2 times"),
        (lambda content: content[:-1], "the chat template leaves it out or changes it"),
        (lambda content: content[::-1], "the chat template leaves it out or changes it"),
    ],
)
def test_a_template_that_does_not_write_a_picture_once_is_refused(change: Callable[[str], str], problem: str) -> None:
    encoder, template = FakeEncoder(), Turns()
    template.change = change
    request = generation_pb2.GenerateRequest(chat=chat(message(text("a")), message(text("a"), image())))
    with pytest.raises(InvalidArgument, match=problem) as caught:
        generation_request(request, seeing(encoder, template=template))
    assert caught.value.field == "chat.messages[1].content[1].image"
    assert not encoder.files


LIMITS = MediaOptions(max_images=2, max_image_bytes=20, max_request_image_bytes=30)


@pytest.mark.parametrize(
    ("items", "field", "problem"),
    [
        ((text("a"), image(b"")), "parts.parts[1].image.data", "is empty; allowed is the file of a picture"),
        ((image(b"a" * 21),), "parts.parts[0].image", "has 21 bytes; allowed are at most 20"),
        ((image(), image(), text(""), image()), "parts.parts[3].image", "one picture too many; a request may have 2"),
        (
            (image(b"a" * 20), image(b"b" * 11)),
            "parts.parts[1].image",
            "the pictures up to this one have 31 bytes; allowed are at most 30 in all",
        ),
        ((image(format="png"),), "parts.parts[0].image.format", "is set, which only answers do"),
        ((image(sha256="00"),), "parts.parts[0].image.sha256", "is set, which only answers do"),
        ((image(size_bytes=3),), "parts.parts[0].image.size_bytes", "is set, which only answers do"),
    ],
)
def test_pictures_beyond_the_limits_are_refused_before_one_is_encoded(
    items: tuple[prompt_pb2.PromptPart, ...], field: str, problem: str
) -> None:
    encoder = FakeEncoder()
    with pytest.raises(InvalidArgument, match=problem) as caught:
        generation_request(parts(*items), seeing(encoder, LIMITS))
    assert caught.value.field == field
    conversation = chat(message(*items))
    with pytest.raises(InvalidArgument, match=problem) as caught:
        generation_request(generation_pb2.GenerateRequest(chat=conversation), seeing(encoder, LIMITS))
    assert caught.value.field == field.replace("parts.parts", "chat.messages[0].content")
    assert not encoder.files


def test_limits_on_pictures_hold_over_all_inputs_to_embed() -> None:
    inputs = [embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[image()])) for _ in range(3)]
    with pytest.raises(InvalidArgument, match="one picture too many") as caught:
        embedding_request(embedding_pb2.EmbedRequest(inputs=inputs), seeing(limits=LIMITS, n_hidden=32))
    assert caught.value.field == "inputs[2].parts.parts[0].image"


def test_pictures_do_not_count_as_text() -> None:
    model = seeing(limits=MediaOptions(max_image_bytes=1000), engine=EngineConfig(n_slots=1, n_ctx_slot=200))
    model = replace(model, limits=Limits(max_prompt_bytes=100))
    large = image(b"a" * 1000)
    assert generation_request(parts(text("a" * 60), large), model).n_media_items == N_TOKENS
    with pytest.raises(InvalidArgument, match="allowed are at most 100"):
        generation_request(parts(text("a" * 101), large), model)
    conversation = generation_pb2.GenerateRequest(chat=chat(message(text("a" * 60), large)))
    assert generation_request(conversation, model).n_media_items == N_TOKENS
    embedded = embedding_pb2.EmbedRequest(
        inputs=[embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[text("a" * 60), large]))]
    )
    assert embedding_request(embedded, replace(model, info=replace(model.info, n_hidden=64))).n_media_items == N_TOKENS


@pytest.mark.parametrize("overflow", [generation_pb2.OVERFLOW_REFUSE, generation_pb2.OVERFLOW_TRUNCATE])
def test_a_prompt_that_cannot_fit_is_refused_before_its_pictures_are_encoded(overflow: Any) -> None:
    encoder = FakeEncoder()
    request = parts(text("a" * 58), image(), overflow=overflow)
    with pytest.raises(ContextLengthExceeded) as caught:
        generation_request(request, seeing(encoder))
    assert caught.value.problem.startswith("has 64 tokens, 6 of them for pictures, which exceeds")
    encoder.facts = replace(encoder.facts, max_tokens=100)
    with pytest.raises(ContextLengthExceeded) as caught:
        generation_request(request, seeing(encoder))
    assert caught.value.problem.startswith("has at least 64 tokens, at least 6 of them for pictures, which exceeds")
    assert not encoder.files
    assert generation_request(parts(text("a" * 57), image(), overflow=overflow), seeing(encoder)).n_media_items == 6


@pytest.mark.parametrize("overflow", [generation_pb2.OVERFLOW_REFUSE, generation_pb2.OVERFLOW_TRUNCATE])
def test_a_prompt_that_its_pictures_make_too_long_is_refused_with_the_numbers(overflow: Any) -> None:
    encoder = FakeEncoder()
    encoder.facts = replace(encoder.facts, min_tokens=1)
    with pytest.raises(ContextLengthExceeded) as caught:
        generation_request(parts(text("a" * 58), image(), overflow=overflow), seeing(encoder))
    assert caught.value.problem.startswith(
        "has 64 tokens, 6 of them for pictures, which exceeds the available context size: a slot's context holds 64"
    )
    assert caught.value.n_prompt_tokens == 64
    assert len(encoder.files) == 1


def test_an_input_to_embed_that_its_pictures_make_too_long_is_refused_with_its_number() -> None:
    encoder = FakeEncoder()
    encoder.facts = replace(encoder.facts, min_tokens=1)
    model = seeing(encoder, n_hidden=64)
    inputs = [
        embedding_pb2.EmbedInput(text="a"),
        embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[image(), text("a" * 58)])),
    ]
    with pytest.raises(ContextLengthExceeded, match="has 64 tokens, 6 of them for pictures") as caught:
        embedding_request(embedding_pb2.EmbedRequest(inputs=inputs), model)
    assert caught.value.field == "inputs[1]"
    encoder.files.clear()
    encoder.facts = replace(encoder.facts, min_tokens=N_TOKENS)
    with pytest.raises(ContextLengthExceeded, match="has 64 tokens, 6 of them for pictures"):
        embedding_request(embedding_pb2.EmbedRequest(inputs=inputs), model)
    assert not encoder.files


def test_inputs_to_embed_have_their_pictures_in_their_places() -> None:
    encoder = FakeEncoder()
    inputs = [
        embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[text("a"), image(RED)])),
        embedding_pb2.EmbedInput(text="b"),
        embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[image(BLUE), image(RED)])),
    ]
    vocabulary = ByteVocabulary(adds_bos=True, adds_eos=True)
    request = embedding_pb2.EmbedRequest(inputs=inputs)
    prepared = embedding_request(request, seeing(encoder, vocabulary=vocabulary, n_hidden=64))
    assert prepared.inputs == (
        (BOS, ord("a"), *seen(RED), EOS),
        (BOS, ord("b"), EOS),
        (BOS, *seen(BLUE), *seen(RED), EOS),
    )
    assert prepared.n_media_items == 3 * N_TOKENS
    assert encoder.files == [[RED, BLUE, RED]]


@pytest.mark.parametrize(
    "fields",
    [
        {"stop": generation_pb2.StopParams(min_tokens=1000)},
        {"stop": generation_pb2.StopParams(token_ids=[100_000])},
        {"constraint": generation_pb2.Constraint(regex="(")},
        {"num_sequences": 1000},
        {"output": generation_pb2.OutputOptions(prompt_logprobs=True)},
    ],
)
def test_all_else_is_checked_before_pictures_are_encoded(fields: dict[str, Any]) -> None:
    encoder = FakeEncoder()
    with pytest.raises(InvalidArgument):
        generation_request(parts(image(), **fields), seeing(encoder))
    assert not encoder.files


def test_log_probabilities_of_a_prompt_with_pictures_are_refused_by_name() -> None:
    request = parts(image(), output=generation_pb2.OutputOptions(prompt_logprobs=True))
    with pytest.raises(InvalidArgument, match="true is not possible for prompts with pictures") as caught:
        generation_request(request, seeing())
    assert caught.value.field == "output.prompt_logprobs"


def test_a_picture_that_cannot_be_used_is_named() -> None:
    with pytest.raises(InvalidArgument, match="is no picture; allowed are pictures") as caught:
        generation_request(parts(image(RED), text("a"), image(BAD)), seeing())
    assert caught.value.field == "parts.parts[2].image"


def test_an_infill_prompt_takes_no_pictures() -> None:
    infill = prompt_pb2.InfillPrompt(suffix=prompt_pb2.PromptParts(parts=[text("a"), image()]))
    with pytest.raises(InvalidArgument, match="cannot be in an infill prompt; allowed are text, token_ids") as caught:
        generation_request(generation_pb2.GenerateRequest(infill=infill), seeing())
    assert caught.value.field == "infill.suffix.parts[1].image"


def test_a_model_without_a_projector_says_what_is_missing() -> None:
    with pytest.raises(NotSupported, match=r"parts\.parts\[0\]\.image: this model takes no pictures .*`mmproj`"):
        generation_request(parts(image()), served_model())
    request = tokenization_pb2.TokenizeRequest(parts=prompt_pb2.PromptParts(parts=[image()]))
    with pytest.raises(NotSupported, match="takes no pictures"):
        tokenize_response(request, served_model(), Work())
    with pytest.raises(NotSupported, match="takes no pictures"):
        RenderedChat(chat(message(image())), served_model())


@pytest.mark.parametrize("form", ["parts", "chat"])
def test_tokens_of_pictures_are_counted_and_have_no_ids(form: str) -> None:
    items = [text("ab"), image(), image(BLUE)]
    request = tokenization_pb2.TokenizeRequest(
        **({"parts": prompt_pb2.PromptParts(parts=items)} if form == "parts" else {"chat": chat(message(*items))}),
        with_pieces=True,
    )
    n_around = 0 if form == "parts" else len("<user>") + 1
    response = tokenize_response(request, seeing(), Work())
    assert response == tokenization_pb2.TokenizeResponse(count=n_around + 2 + 2 * N_TOKENS)


def test_failures_of_the_encoder_pass_through() -> None:
    def fail() -> None:
        raise QueueFull(1, 2.0)

    with pytest.raises(QueueFull):
        generation_request(parts(image()), seeing(FakeEncoder(fail=fail)))


def test_encoding_ends_with_the_preparation() -> None:
    encoder, work = FakeEncoder(), Work()
    encoder.fail = work.abandon
    with pytest.raises(Abandoned):
        generation_request(parts(image()), seeing(encoder).paced(work))


def test_a_request_is_shown_with_descriptions_of_its_pictures() -> None:
    shown = without_pictures(parts(text("a"), image(RED), ids(5), image(b"?")))
    assert [part.WhichOneof("part") for part in shown.parts.parts] == ["text", "image", "token_ids", "image"]
    described, unknown = shown.parts.parts[1].image, shown.parts.parts[3].image
    assert (described.data, described.size_bytes, described.format) == (b"", len(RED), "png")
    assert described.sha256 == hashlib.sha256(RED).hexdigest()
    assert (unknown.size_bytes, unknown.format) == (1, "")


def test_a_conversation_is_shown_with_descriptions_of_its_pictures() -> None:
    turn = prompt_pb2.ChatMessage(role="tool", content=[image(BLUE)], name="n", tool_call_id="i")
    conversation = chat(
        message(text("a")),
        turn,
        tools_json="[]",
        add_generation_prompt=False,
        tool_policy=prompt_pb2.ToolPolicy(mode=prompt_pb2.TOOL_MODE_NONE),
    )
    shown = without_pictures(generation_pb2.GenerateRequest(chat=conversation)).chat
    described = shown.messages[1].content[0].image
    assert (described.format, described.size_bytes) == ("jpeg", len(BLUE))
    expected = prompt_pb2.ChatPrompt()
    expected.CopyFrom(conversation)
    expected.messages[1].content[0].image.CopyFrom(described)
    assert shown == expected
