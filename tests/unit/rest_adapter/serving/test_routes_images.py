"""Routes that take pictures, over a core in memory: what the core gets, and what answers and errors say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grpc import StatusCode

from rest_adapter.core.calls import EMBED, GET_MODEL, LIST_MODELS, LIST_SLOTS, TOKENIZE
from rest_adapter.errors import RpcFailure
from slotline.protocol import reasons
from slotline.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from slotline.v1.generation_pb2 import Accepted, GenerateResponse
from slotline.v1.model_pb2 import (
    SLOT_STATE_DECODE,
    ListModelsResponse,
    ListSlotsResponse,
    Model,
    Slot,
)
from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt, Image, PromptPart, PromptParts
from slotline.v1.tokenization_pb2 import TokenizeResponse
from slotline.v1.tokens_pb2 import TokenIds, Usage
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, client_of, error_of
from tests.unit.rest_adapter.messages import MODEL, delta, finished, settings
from tests.unit.rest_adapter.serving.pictured import (
    BLIND,
    CHAT,
    DATA,
    FILE,
    MESSAGES,
    RESPONSES,
    SEEING,
    URL,
    kinds,
    request_to,
    told,
)

#: For each route a body with a text, a picture and another text, and the path of the picture in it.
BODIES = {
    CHAT: (
        {
            "messages": [
                {"role": "system", "content": "Look."},
                {"role": "user", "content": ["a", {"type": "image_url", "image_url": {"url": URL}}, "b"]},
            ]
        },
        "messages[1].content[1].image_url",
    ),
    RESPONSES: (
        {
            "instructions": "Look.",
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "a"},
                        {"type": "input_image", "image_url": URL, "detail": "auto"},
                        {"type": "input_text", "text": "b"},
                    ],
                }
            ],
        },
        "input[0].content[1].image_url",
    ),
    MESSAGES: (
        {
            "system": "Look.",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "a"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
                        {"type": "text", "text": "b"},
                    ],
                }
            ],
        },
        "messages[0].content[1].source.data",
    ),
}


def core_of(model: Model, *answers: GenerateResponse | Exception) -> MemoryCore:
    return MemoryCore((lambda request: answers) if answers else answer, unary={GET_MODEL.path: told(model)})


def refused(*paths: str) -> RpcFailure:
    violations = tuple((path, f"{path} is wrong") for path in paths)
    return RpcFailure(StatusCode.INVALID_ARGUMENT, reasons.INVALID_ARGUMENT, "wrong", violations=violations)


@pytest.mark.parametrize("path", BODIES)
def test_a_picture_of_a_message_stands_between_its_texts(path: str) -> None:
    core = core_of(SEEING)
    assert client_of(core).post(path, json=BODIES[path][0]).status_code == 200
    system, user = request_to(core).chat.messages
    assert kinds(system.content) == ["Look."]
    assert (user.role, kinds(user.content)) == ("user", ["a", FILE, "b"])
    # Nothing was asked about the model.
    assert core.unary_requests == []


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("field", ["image", "image.data"])
def test_errors_of_the_core_name_the_picture(path: str, field: str) -> None:
    body, name = BODIES[path]
    core = core_of(SEEING, refused(f"chat.messages[1].content[1].{field}"))
    response = client_of(core).post(path, json=body)
    assert response.status_code == 400
    assert error_of(response)["message"] == f"{name}: {name} is wrong"


@pytest.mark.parametrize("path", BODIES)
def test_a_picture_for_a_model_that_takes_none_is_the_mistake_of_the_client(path: str) -> None:
    body, name = BODIES[path]
    message = "chat.messages[1].content[1].image: this model takes no pictures as the server was started"
    core = core_of(BLIND, RpcFailure(StatusCode.UNIMPLEMENTED, reasons.NOT_SUPPORTED, message))
    response = client_of(core).post(path, json=body)
    assert response.status_code == 400
    assert error_of(response)["message"] == f"{name}: this model takes no pictures as the server was started"
    assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [("/completion", "prompt", ""), ("/embedding", "content", "inputs[0]."), ("/v1/embeddings", "input", "inputs[0].")],
)
def test_a_picture_in_a_prompt_as_an_object_is_named_where_none_is_taken(path: str, field: str, message: str) -> None:
    refusal = RpcFailure(
        StatusCode.UNIMPLEMENTED, reasons.NOT_SUPPORTED, f"{message}parts.parts[1].image: this model takes no pictures"
    )
    body = {field: {"prompt_string": "see <__media__>", "multimodal_data": [DATA]}}
    core = MemoryCore(lambda request: [refusal], {GET_MODEL.path: told(BLIND), EMBED.path: refusal})
    response = client_of(core).post(path, json=body)
    assert response.status_code == 400
    assert error_of(response)["message"] == f"{field}.multimodal_data[0]: this model takes no pictures"


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        (CHAT, "/v1/chat/completions/input_tokens"),
        (RESPONSES, "/v1/responses/input_tokens"),
        (MESSAGES, "/v1/messages/count_tokens"),
    ],
)
def test_tokens_are_counted_with_pictures(path: str, counted: str) -> None:
    core = MemoryCore(unary={TOKENIZE.path: TokenizeResponse(count=7)})
    response = client_of(core).post(counted, json=BODIES[path][0])
    assert json.loads(response.data)["input_tokens"] == 7
    (asked,) = core.unary_requests
    assert kinds(asked.chat.messages[1].content) == ["a", FILE, "b"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        (
            CHAT,
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://e.org/a.png"}]}]},
            "messages[0].content[0].image_url",
        ),
        (
            RESPONSES,
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://e.org/a.png"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            MESSAGES,
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image", "source": {"type": "url", "url": "https://e.org/a.png"}}],
                    }
                ]
            },
            "messages[0].content[0].source.url",
        ),
    ],
)
def test_pictures_of_other_servers_are_not_fetched_unless_allowed(path: str, body: dict[str, Any], name: str) -> None:
    core = core_of(SEEING)
    response = client_of(core).post(path, json=body)
    assert response.status_code == 400
    assert error_of(response)["message"].startswith(f"{name}: ")
    assert "send the file itself, as data:image/png;base64,..." in error_of(response)["message"]
    assert core.requests == []


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (
            CHAT,
            {"type": "input_audio", "input_audio": {}},
            'content[0].type: "input_audio" is not "text" or "image_url"',
        ),
        (CHAT, {"type": "video_url", "video_url": {}}, 'content[0].type: "video_url" is not "text" or "image_url"'),
        (CHAT, {"type": "image_url", "image_url": {"url": "data:,x"}}, "content[0].image_url: "),
        (RESPONSES, {"type": "input_image", "file_id": "file-1"}, "input[0].content[0].file_id: is not supported"),
        (RESPONSES, {"type": "input_image"}, "input[0].content[0].image_url: null is not a data URL"),
        (RESPONSES, {"type": "input_audio"}, 'input[0].content[0].type: "input_audio" is not supported'),
        (MESSAGES, {"type": "image"}, "messages[0].content[0].source: is missing"),
        (
            MESSAGES,
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            'messages[0].content[0].source.type: "file" is not "base64" or "url"',
        ),
        (
            MESSAGES,
            {"type": "image", "source": {"type": "base64", "media_type": "text/plain", "data": DATA}},
            'messages[0].content[0].source.media_type: "text/plain" is not a string that matches ^image/',
        ),
        (
            MESSAGES,
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}},
            'messages[0].content[0].source.data: "!" is not base64',
        ),
    ],
)
def test_what_is_no_picture_is_refused_by_name(path: str, content: object, problem: str) -> None:
    key = "input" if path == RESPONSES else "messages"
    response = client_of(core_of(SEEING)).post(path, json={key: [{"role": "user", "content": [content]}]})
    assert response.status_code == 400
    assert problem in error_of(response)["message"]


def test_results_of_tools_have_pictures() -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "seen"}, block]}
    use = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    body = {
        "messages": [
            {"role": "user", "content": "Look"},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result | {"is_error": True}, {"type": "text", "text": "So?"}]},
        ]
    }
    core = core_of(SEEING, refused("chat.messages[2].content[1].image"))
    response = client_of(core).post(MESSAGES, json=body)
    messages = request_to(core).chat.messages
    assert [(message.role, kinds(message.content)) for message in messages[2:]] == [
        ("tool", ["Error: seen", FILE]),
        ("user", ["So?"]),
    ]
    assert error_of(response)["message"].startswith("messages[2].content[0].content[1].source.data: ")


def test_outputs_of_functions_have_pictures() -> None:
    output = [{"type": "input_text", "text": "seen"}, {"type": "input_image", "image_url": URL}]
    body = {
        "input": [
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": output},
        ]
    }
    core = core_of(SEEING, refused("chat.messages[1].content[1].image"))
    response = client_of(core).post(RESPONSES, json=body)
    assert kinds(request_to(core).chat.messages[1].content) == ["seen", FILE]
    assert error_of(response)["param"] == "input[1].output[1].image_url"


def test_image_data_goes_where_its_markers_are() -> None:
    core = core_of(SEEING)
    body = {"prompt": "USER:[img-10]Hi", "image_data": [{"data": DATA, "id": 10}]}
    response = client_of(core).post("/completion", json=body)
    assert kinds(request_to(core).parts.parts) == ["USER:", FILE, "Hi"]
    assert json.loads(response.data)["prompt"] == ""


def test_image_data_is_ignored_without_a_projector() -> None:
    core = core_of(BLIND)
    body = {"prompt": "USER:[img-10]Hi", "image_data": [{"data": "no base64!", "id": "x"}]}
    response = client_of(core).post("/completion", json=body)
    assert request_to(core).text == "USER:[img-10]Hi"
    assert json.loads(response.data)["prompt"] == "USER:[img-10]Hi"


@pytest.mark.parametrize("image_data", [{}, {"image_data": []}, {"image_data": None}])
def test_a_prompt_without_pictures_keeps_its_markers_and_asks_nothing(image_data: dict[str, object]) -> None:
    core = core_of(SEEING)
    client_of(core).post("/completion", json={"prompt": "[img-1]", **image_data})
    assert request_to(core).text == "[img-1]"
    assert core.unary_requests == []


@pytest.mark.parametrize("takes_images", [True, False])
def test_events_tell_whether_the_model_takes_pictures(takes_images: bool) -> None:
    accepted = GenerateResponse(accepted=Accepted(model=MODEL, takes_images=takes_images))
    core = core_of(SEEING, accepted, delta("a"), finished())
    response = client_of(core).post("/completion", json={"prompt": "Hi", "stream": True})
    first = json.loads(response.data.split(b"\n\n")[0].removeprefix(b"data: "))
    assert first["multimodal"] is takes_images


@pytest.mark.parametrize(("path", "key"), [("/embedding", "content"), ("/v1/embeddings", "input")])
def test_embeddings_take_image_data(path: str, key: str) -> None:
    answered = EmbedResponse(usage=Usage(prompt_tokens=3))
    answered.embeddings.add(values=[1.0])
    core = MemoryCore(unary={GET_MODEL.path: told(SEEING), EMBED.path: answered})
    body = {key: "A[img-0]", "image_data": [{"data": DATA}]}
    assert client_of(core).post(path, json=body).status_code == 200
    (sent,) = (request for request in core.unary_requests if isinstance(request, EmbedRequest))
    assert kinds(sent.inputs[0].parts.parts) == ["A", FILE]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/completion", {"prompt": "A", "image_data": [{"data": DATA}]}),
        ("/embedding", {"content": "A", "image_data": [{"data": DATA}]}),
        ("/v1/embeddings", {"input": "A", "image_data": [{"data": DATA}]}),
    ],
)
def test_pictures_that_stand_nowhere_are_refused(path: str, body: dict[str, object]) -> None:
    response = client_of(core_of(SEEING)).post(path, json=body)
    assert response.status_code == 400
    assert "image_data[0]: stands nowhere; put [img-0] into the prompt" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/infill", {"input_prefix": "a"}),
        ("/v1/completions", {"prompt": "a"}),
        (CHAT, {"messages": [{"role": "user", "content": "a"}]}),
        (RESPONSES, {"input": "a"}),
        (MESSAGES, {"messages": [{"role": "user", "content": "a"}]}),
    ],
)
def test_routes_without_markers_refuse_image_data(path: str, body: dict[str, object]) -> None:
    core = core_of(SEEING)
    client = client_of(core)
    response = client.post(path, json=body | {"image_data": [{"data": DATA, "id": 1}]})
    assert response.status_code == 400
    assert error_of(response)["message"].startswith("image_data: ")
    assert core.requests == []
    assert client.post(path, json=body | {"image_data": []}).status_code == 200


@pytest.mark.parametrize(
    ("path", "details"),
    [(CHAT, ("prompt_tokens", "prompt_tokens_details")), (RESPONSES, ("input_tokens", "input_tokens_details"))],
)
def test_usage_counts_the_tokens_of_pictures(path: str, details: tuple[str, str]) -> None:
    for usage, expected in (
        (Usage(prompt_tokens=20, image_tokens=4), {"cached_tokens": 0, "image_tokens": 4}),
        (Usage(prompt_tokens=20), {"cached_tokens": 0}),
    ):
        core = core_of(SEEING, GenerateResponse(accepted=Accepted(model=MODEL)), finished(usage=usage))
        told_usage = json.loads(client_of(core).post(path, json=BODIES[path][0]).data)["usage"]
        assert (told_usage[details[0]], told_usage[details[1]]) == (20, expected)


def test_props_tell_what_prompts_may_hold_only_if_it_is_more_than_text() -> None:
    plain = json.loads(client_of(core_of(SEEING)).get("/props").data)
    assert plain["modalities"] == {"audio": False, "vision": True}
    assert "modalities" not in json.loads(client_of(core_of(BLIND)).get("/props").data)


@pytest.mark.parametrize("model", [SEEING, BLIND])
def test_models_tell_what_they_take_only_if_it_is_more_than_text(model: Model) -> None:
    core = MemoryCore(unary={GET_MODEL.path: told(model), LIST_MODELS.path: ListModelsResponse(models=[model])})
    client = client_of(core)
    for entry in (
        json.loads(client.get("/v1/models").data)["data"][0],
        json.loads(client.get(f"/v1/models/{MODEL}").data),
    ):
        expected = {"input_modalities": ["text", "image"], "output_modalities": ["text"]} if model is SEEING else None
        assert entry.get("architecture") == expected


def test_slots_show_pictures_without_their_bytes() -> None:
    image = PromptPart(image=Image(size_bytes=21, format="png", sha256="ab12"))
    text = PromptPart(text="Look")
    chat = ChatPrompt(
        messages=[ChatMessage(role="system", content=[text]), ChatMessage(role="user", content=[text, image])]
    )
    parts = PromptParts(parts=[text, image, PromptPart(token_ids=TokenIds(ids=[5]))])
    slots = [
        Slot(id=0, state=SLOT_STATE_DECODE, settings=settings(), chat=chat),
        Slot(id=1, state=SLOT_STATE_DECODE, settings=settings(), parts=parts),
    ]
    listed = ListSlotsResponse(slots=slots)
    core = MemoryCore(unary={LIST_SLOTS.path: listed, LIST_MODELS.path: ListModelsResponse(models=[SEEING])})
    shown = {"format": "png", "sha256": "ab12", "size_bytes": 21, "type": "image"}
    first, second = (slot["prompt"] for slot in json.loads(client_of(core).get("/slots").data))
    assert first == [
        {"content": "Look", "role": "system"},
        {"content": [{"text": "Look", "type": "text"}, shown], "role": "user"},
    ]
    assert second == ["Look", shown, 5]
