"""The control plane, tokenising and reflection over real connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha import reflection_pb2

from service.api.server.core_server import SERVICES
from service.testing.scripted_model import BOS, EOS
from slotline.protocol.error_details import DETAILS_KEY
from slotline.v1 import generation_pb2, model_pb2, prompt_pb2, sampling_pb2, tokenization_pb2, tokens_pb2
from tests.support.scripted_core import (
    WAIT_S,
    ByteVocabulary,
    RunningCore,
    ScriptedLoadedModel,
    core_config,
    running_core,
    scripted_model,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.api.served_model import LoadedModel
    from service.config import ModelConfig


class SpecialModel(ScriptedLoadedModel):
    """The scripted model with a vocabulary that puts special tokens around text."""

    vocabulary = ByteVocabulary(adds_bos=True, adds_eos=True)


def load_special(config: ModelConfig, *, on_progress: object) -> LoadedModel:
    """Load it."""
    return scripted_model(config, SpecialModel)


@pytest.fixture
async def core() -> AsyncIterator[RunningCore]:
    async with running_core(load=load_special) as running:
        yield running


def chat(*texts: str, **options: Any) -> prompt_pb2.ChatPrompt:
    """A conversation of user turns."""
    parts = [prompt_pb2.PromptPart(text=text) for text in texts]
    return prompt_pb2.ChatPrompt(
        messages=[prompt_pb2.ChatMessage(role="user", content=[part]) for part in parts], **options
    )


PARTS = prompt_pb2.PromptParts(
    parts=[
        prompt_pb2.PromptPart(text="a"),
        prompt_pb2.PromptPart(token_ids=tokens_pb2.TokenIds(ids=[5])),
        prompt_pb2.PromptPart(text="b"),
    ]
)


@pytest.mark.parametrize(
    ("request_fields", "ids"),
    [
        ({"text": "ab"}, [97, 98]),
        ({"text": ""}, []),
        ({"text": "a<eos>"}, [97, EOS]),
        ({"text": "<eos>", "parse_special": False}, list(b"<eos>")),
        ({"text": "a", "add_special": True}, [BOS, 97, EOS]),
        ({"text": "", "add_special": True}, [BOS, EOS]),
        ({"parts": PARTS}, [97, 5, 98]),
        ({"parts": PARTS, "add_special": True}, [BOS, 97, 5, 98, EOS]),
        ({"chat": chat("hi")}, list(b"<user>hi<assistant>")),
        ({"chat": chat("hi", add_generation_prompt=False)}, list(b"<user>hi")),
        # Not EOS, which would end the prompt.
        ({"chat": chat("hi"), "add_special": True}, [BOS, *b"<user>hi<assistant>"]),
    ],
)
async def test_text_becomes_tokens(core: RunningCore, request_fields: dict[str, Any], ids: list[int]) -> None:
    response = await core.inference.Tokenize(tokenization_pb2.TokenizeRequest(**request_fields))
    assert list(response.ids) == ids
    assert response.count == len(ids)
    assert not response.pieces


async def test_tokens_come_with_their_bytes_on_request(core: RunningCore) -> None:
    request = tokenization_pb2.TokenizeRequest(text="é<eos>", with_pieces=True)
    response = await core.inference.Tokenize(request)
    assert list(response.pieces) == [b"\xc3", b"\xa9", b""]


@pytest.mark.parametrize(
    ("ids", "skip_special", "text", "raw"),
    [
        ([97, EOS], None, "a", b"a"),
        ([97, EOS], True, "a", b"a"),
        ([97, EOS], False, "a<eos>", b"a<eos>"),
        ([0xC3, 0xA9], None, "é", "é".encode()),
        ([97, 0xC3], None, "a\ufffd", b"a\xc3"),
        ([], None, "", b""),
    ],
)
async def test_tokens_become_text(
    core: RunningCore, ids: list[int], skip_special: bool | None, text: str, raw: bytes
) -> None:
    request = tokenization_pb2.DetokenizeRequest(ids=ids, skip_special=skip_special)
    response = await core.inference.Detokenize(request)
    assert (response.text, response.raw) == (text, raw)


async def failure(call: Any) -> tuple[grpc.StatusCode, dict[str, str]]:
    """Status and metadata of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = ErrorInfo()
    for packed in Status.FromString(dict(caught.value.trailing_metadata() or ())[DETAILS_KEY]).details:
        packed.Unpack(info)
    return caught.value.code(), dict(info.metadata)


async def test_what_is_not_allowed_names_its_field(core: RunningCore) -> None:
    code, metadata = await failure(core.inference.Tokenize(tokenization_pb2.TokenizeRequest()))
    assert (code, metadata) == (grpc.StatusCode.INVALID_ARGUMENT, {"field": "input"})
    code, metadata = await failure(core.inference.Detokenize(tokenization_pb2.DetokenizeRequest(ids=[1, 999])))
    assert (code, metadata) == (grpc.StatusCode.INVALID_ARGUMENT, {"field": "ids[1]"})
    code, metadata = await failure(core.models.ApplyTemplate(model_pb2.ApplyTemplateRequest()))
    assert (code, metadata) == (grpc.StatusCode.INVALID_ARGUMENT, {"field": "chat.messages"})


async def test_what_the_server_was_not_started_for_names_what_it_lacks(core: RunningCore) -> None:
    image = prompt_pb2.PromptPart(image=prompt_pb2.Image(data=b"GIF"))
    request = generation_pb2.GenerateRequest(parts=prompt_pb2.PromptParts(parts=[image]))
    assert await failure(core.generate(request)) == (grpc.StatusCode.UNIMPLEMENTED, {"config_fields": "mmproj"})


async def test_a_template_can_be_applied_without_generating(core: RunningCore) -> None:
    response = await core.models.ApplyTemplate(model_pb2.ApplyTemplateRequest(chat=chat("a", "b")))
    assert response.text == "<user>a<user>b<assistant>"


async def test_the_template_of_the_command_line_wins() -> None:
    async with running_core(core_config(chat_template="zephyr")) as core:
        response = await core.models.ApplyTemplate(model_pb2.ApplyTemplateRequest(chat=chat("a")))
        (model,) = (await core.models.ListModels(model_pb2.ListModelsRequest())).models
    assert response.text == "<|user|>\na<|endoftext|>\n<|assistant|>\n"
    assert "endoftext" in model.chat_template


async def test_the_model_is_listed_and_found_under_all_its_names(core: RunningCore) -> None:
    (model,) = (await core.models.ListModels(model_pb2.ListModelsRequest())).models
    assert model.name == "scripted"
    for name in ("", model.name, *model.aliases):
        assert (await core.models.GetModel(model_pb2.GetModelRequest(name=name))).model == model
    for call in (
        core.models.GetModel(model_pb2.GetModelRequest(name="other")),
        core.models.ApplyTemplate(model_pb2.ApplyTemplateRequest(model="other", chat=chat("a"))),
        core.inference.Tokenize(tokenization_pb2.TokenizeRequest(model="other", text="a")),
        core.inference.Detokenize(tokenization_pb2.DetokenizeRequest(model="other")),
    ):
        assert await failure(call) == (grpc.StatusCode.NOT_FOUND, {"model": "other"})


async def test_without_an_alias_a_model_is_called_by_the_name_of_its_file_and_no_path_is_told() -> None:
    async with running_core(core_config(alias=None)) as core:
        (model,) = (await core.models.ListModels(model_pb2.ListModelsRequest())).models
        by_path = (await core.models.GetModel(model_pb2.GetModelRequest(name="/models/scripted.gguf"))).model
        messages = [message async for message in core.inference.Generate(generation_pb2.GenerateRequest(text="a"))]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await core.models.GetModel(model_pb2.GetModelRequest(name="other"))
    assert (model.name, list(model.aliases)) == ("scripted", ["scripted.gguf"])
    assert by_path == model
    assert messages[0].accepted.model == "scripted"
    assert "'scripted'" in str(caught.value.details())
    for told in (str(model), str(messages), str(caught.value.details())):
        assert "/models/" not in told


async def test_slots_show_their_last_task_but_not_its_prompt(core: RunningCore) -> None:
    request = generation_pb2.GenerateRequest(
        text="Hello",
        sampling=sampling_pb2.SamplingParams(seed=42, temperature=0),
        stop=generation_pb2.StopParams(max_tokens=3),
    )
    accepted = (await core.generate(request))[0].accepted
    slots = (await core.models.ListSlots(model_pb2.ListSlotsRequest())).slots
    assert [slot.id for slot in slots] == [0, 1]
    used, fresh = slots[accepted.slot_id], slots[1 - accepted.slot_id]
    assert used.task_id == accepted.task_id
    assert used.WhichOneof("prompt") is None
    assert used.stopped_limit
    assert used.settings.sampling.seed == 42
    assert not fresh.HasField("task_id")


FILE_OF = {"v1": "grpc/reflection/v1/reflection.proto", "v1alpha": reflection_pb2.DESCRIPTOR.name}


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_all_services_and_describes_them(core: RunningCore, version: str) -> None:
    name = f"grpc.reflection.{version}.ServerReflection"
    ask: Any = core.channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="slotline.v1.InferenceService"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="slotline.v1.InferenceService.Generate"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=name),
        reflection_pb2.ServerReflectionRequest(file_by_filename=FILE_OF[version]),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="nothing.of.that.Name"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="slotline.v1.InferenceService.Nothing"),
    ]
    listed, ours, method, itself, by_file, *unknown = [response async for response in ask(iter(asked), timeout=WAIT_S)]
    assert {service.name for service in listed.list_services_response.service} == {
        *SERVICES,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert "slotline/v1/inference_service.proto" in files_of(ours)
    assert files_of(method) == files_of(ours)
    for response in (itself, by_file):
        (file,) = files_of(response).values()
        assert f"{file.package}.{file.service[0].name}" == name
        assert file.service[0].method[0].input_type == f".grpc.reflection.{version}.ServerReflectionRequest"
        # A client builds a pool of what it was sent.
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        assert pool.FindServiceByName(name).methods_by_name["ServerReflectionInfo"].output_type.fields
    assert [one.error_response.error_code for one in unknown] == [grpc.StatusCode.NOT_FOUND.value[0]] * 2


def files_of(response: Any) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """The files of a response by name."""
    files = map(descriptor_pb2.FileDescriptorProto.FromString, response.file_descriptor_response.file_descriptor_proto)
    return {file.name: file for file in files}
