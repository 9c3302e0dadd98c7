"""Routes that take pictures, over a core in memory: what the core gets, and what answers and errors say."""

from __future__ import annotations

import base64
import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import EMBED, GET_MODEL, LIST_MODELS, LIST_SLOTS, TOKENIZE
from rest_adapter.errors import RpcFailure
from rest_adapter.remote.fetcher import Fetcher, FetchLimits
from slotline.protocol import reasons
from slotline.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from slotline.v1.generation_pb2 import Accepted, GenerateRequest, GenerateResponse
from slotline.v1.model_pb2 import (
    SLOT_STATE_DECODE,
    Capabilities,
    GetModelResponse,
    ImageSupport,
    ListModelsResponse,
    ListSlotsResponse,
    Model,
    Slot,
)
from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt, Image, PromptPart, PromptParts
from slotline.v1.tokenization_pb2 import TokenizeResponse
from slotline.v1.tokens_pb2 import TokenIds, Usage
from tests.support.file_server import FILE as PNG
from tests.support.file_server import MadeUpNetwork, Response, file_server
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, client_of, error_of
from tests.unit.rest_adapter.messages import MODEL, delta, finished, settings

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

FILE = b"the file of a picture"
DATA = base64.b64encode(FILE).decode()
URL = f"data:image/png;base64,{DATA}"
SEEING = Model(
    name=MODEL,
    default_settings=settings(),
    capabilities=Capabilities(vision=True),
    images=ImageSupport(max_images=16, max_image_bytes=20 << 20, max_request_image_bytes=32 << 20),
)
BLIND = Model(name=MODEL, default_settings=settings())
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
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


def told(model: Model) -> GetModelResponse:
    return GetModelResponse(model=model)


def refused(*paths: str) -> RpcFailure:
    violations = tuple((path, f"{path} is wrong") for path in paths)
    return RpcFailure(StatusCode.INVALID_ARGUMENT, reasons.INVALID_ARGUMENT, "wrong", violations=violations)


def request_to(core: MemoryCore) -> GenerateRequest:
    (request,) = core.requests
    return request


def kinds(parts: Any) -> list[object]:
    return [part.image.data if part.HasField("image") else part.text for part in parts]


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


def fetching_core(model: Model = SEEING) -> MemoryCore:
    return MemoryCore(answer, unary={GET_MODEL.path: told(model), TOKENIZE.path: TokenizeResponse(count=7)})


def urls(*addresses: str) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in addresses]
    return {"messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "So?"}]}]}


def fetching_client(core: MemoryCore, port: int) -> FlaskClient:
    network = MadeUpNetwork(port, {"e.org": [["93.184.216.34"]], "inside.org": [["10.0.0.1"]]})
    allowed = ("http://e.org", "http://inside.org")
    return client_of(core, RestConfig(image_url_allow=allowed), fetcher=Fetcher(allowed, network=network))


@pytest.mark.parametrize("path", [CHAT, "/v1/chat/completions/input_tokens"])
def test_pictures_of_listed_servers_are_fetched(path: str) -> None:
    core = fetching_core()
    with file_server(a=Response(), b=Response((b"BM",))) as server:
        body = urls("http://e.org/a", URL, "http://e.org/b")
        assert fetching_client(core, server.port).post(path, json=body).status_code == 200
    chat = core.requests[0].chat if path == CHAT else core.unary_requests[-1].chat  # type: ignore[attr-defined]
    assert kinds(chat.messages[0].content) == [PNG, FILE, b"BM", "So?"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://e.org/none", "was answered with the status 404"),
        ("http://inside.org/a", "has addresses that are not public"),
        ("http://other.org/a", "is at http://other.org, which --image-url-allow does not list"),
        ("http://u:w@e.org/a", "is no http or https URL of a host and a path, without a user"),
    ],
)
def test_pictures_that_cannot_be_had_are_named(url: str, problem: str) -> None:
    core = fetching_core()
    with file_server(a=Response()) as server:
        response = fetching_client(core, server.port).post(CHAT, json=urls("http://e.org/a", url))
    assert response.status_code == 400
    error = error_of(response)
    assert error["param"] == "messages[0].content[1].image_url"
    assert error["message"].startswith(f'messages[0].content[1].image_url: "{url}" ')
    assert problem in error["message"]
    assert core.requests == []


def test_nothing_is_fetched_for_a_model_that_takes_no_pictures() -> None:
    core = fetching_core(BLIND)
    with file_server(a=Response()) as server:
        fetching_client(core, server.port).post(CHAT, json=urls("http://e.org/a"))
        assert server.asked == []
    # The core says why.
    assert kinds(request_to(core).chat.messages[0].content) == [b"", "So?"]


def test_no_more_pictures_are_fetched_than_a_request_may_have() -> None:
    core = fetching_core()
    with file_server(a=Response()) as server:
        response = fetching_client(core, server.port).post(CHAT, json=urls(*["http://e.org/a"] * 17))
        assert server.asked == []
    assert error_of(response)["message"].startswith("messages[0].content[16].image_url: ")
    assert "is one picture too many; a request may have 16" in error_of(response)["message"]


def test_too_many_requests_that_fetch_are_told_to_come_again() -> None:
    allowed = ("http://e.org",)
    with file_server(a=Response()) as server:
        network = MadeUpNetwork(server.port, {"e.org": [["93.184.216.34"]]})
        busy = Fetcher(allowed, network=network, limits=FetchLimits(max_fetching=1, timeout_s=0.05))
        client = client_of(fetching_core(), RestConfig(image_url_allow=allowed), fetcher=busy)
        with closing(busy.fetch(["http://e.org/a"], max_bytes=100)) as files:
            next(files)
            response = client.post(CHAT, json=urls("http://e.org/a"))
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert error_of(response)["message"] == "1 requests fetch pictures, as many as allowed; try again later"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures, beside a file that is not in it."""
    (tmp_path / "secret.png").write_bytes(b"not for clients")
    folder = tmp_path / "media"
    (folder / "in side").mkdir(parents=True)
    (folder / "a.png").write_bytes(FILE)
    (folder / "in side" / "b.png").write_bytes(b"BM")
    (folder / ".hidden.png").write_bytes(b"hidden")
    (folder / "empty.png").write_bytes(b"")
    (folder / "out.png").symlink_to("../secret.png")
    (folder / "within.png").symlink_to("a.png")
    os.mkfifo(folder / "pipe.png")
    return folder


def reading_client(core: MemoryCore, folder: Path) -> FlaskClient:
    return client_of(core, RestConfig(media_path=str(folder)))


@pytest.mark.parametrize("path", [CHAT, "/v1/chat/completions/input_tokens"])
def test_files_of_the_folder_are_read(path: str, folder: Path) -> None:
    core = fetching_core()
    named = ("file://a.png", "FILE:////in%20side//b.png", "file://in side/b.png", URL, "file://within.png")
    assert reading_client(core, folder).post(path, json=urls(*named)).status_code == 200
    chat = core.requests[0].chat if path == CHAT else core.unary_requests[-1].chat  # type: ignore[attr-defined]
    assert kinds(chat.messages[0].content) == [FILE, b"BM", b"BM", FILE, FILE, "So?"]


@pytest.mark.parametrize(
    "name",
    [
        "none.png",
        "in side",
        "a.png/",
        "",
        "/",
        ".hidden.png",
        "out.png",
        "pipe.png",
        "../secret.png",
        "%2e%2e/secret.png",
        "in side/../../secret.png",
        "..%2fsecret.png",
        "a.png%00",
        "x" * 5000,
    ],
)
def test_what_is_no_file_of_the_folder_is_refused_alike(name: str, folder: Path) -> None:
    core = fetching_core()
    response = reading_client(core, folder).post(CHAT, json=urls(f"file://{name}"))
    assert response.status_code == 400
    error = error_of(response)
    assert error["param"] == "messages[0].content[0].image_url"
    assert "is no file that can be read below the directory of --media-path; send the file itself" in error["message"]
    assert str(folder) not in error["message"]
    assert core.requests == []


def test_files_are_refused_by_a_server_without_a_folder() -> None:
    core = fetching_core()
    response = client_of(core).post(CHAT, json=urls("file:///etc/passwd"))
    assert response.status_code == 400
    assert "is a file, and this server was started without --media-path" in error_of(response)["message"]
    assert core.requests == []


@pytest.mark.parametrize(
    ("limits", "named", "problem"),
    [
        ({"max_image_bytes": 20}, ["file://a.png"], "is larger than the 20 bytes allowed"),
        ({"max_request_image_bytes": 30}, ["file://a.png"] * 2, "is larger than the 9 bytes allowed"),
        ({"max_images": 1}, ["file://a.png"] * 2, "is one picture too many; a request may have 1"),
    ],
)
def test_files_have_the_limits_of_pictures(
    limits: dict[str, int], named: list[str], problem: str, folder: Path
) -> None:
    allowed = ImageSupport(max_images=2, max_image_bytes=100, max_request_image_bytes=100)
    for name, limit in limits.items():
        setattr(allowed, name, limit)
    core = fetching_core(Model(name=MODEL, images=allowed))
    error = error_of(reading_client(core, folder).post(CHAT, json=urls(*named)))
    assert problem in error["message"]
    assert error["param"] == f"messages[0].content[{len(named) - 1}].image_url"


def test_files_and_fetched_pictures_share_the_limit_of_a_request(folder: Path) -> None:
    allowed = ("http://e.org",)
    limits = ImageSupport(max_images=2, max_image_bytes=100, max_request_image_bytes=len(FILE) + 1)
    with file_server(a=Response()) as server:
        network = MadeUpNetwork(server.port, {"e.org": [["93.184.216.34"]]})
        config = RestConfig(image_url_allow=allowed, media_path=str(folder))
        core = fetching_core(Model(name=MODEL, images=limits))
        client = client_of(core, config, fetcher=Fetcher(allowed, network=network))
        error = error_of(client.post(CHAT, json=urls("http://e.org/a", "file://a.png")))
    assert error["message"].startswith("messages[0].content[0].image_url: ")
    assert "is larger than the 1 bytes allowed" in error["message"]


def test_no_file_is_read_for_a_model_that_takes_no_pictures(folder: Path) -> None:
    core = fetching_core(BLIND)
    reading_client(core, folder).post(CHAT, json=urls("file://a.png"))
    assert kinds(request_to(core).chat.messages[0].content) == [b"", "So?"]


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
def test_other_apis_name_files_too(path: str, folder: Path) -> None:
    picture: dict[str, object] = {"type": "input_image", "image_url": "file://a.png"}
    body: dict[str, object] = {"input": [{"role": "user", "content": [picture]}]}
    if path == MESSAGES:
        picture = {"type": "image", "source": {"type": "url", "url": "file://a.png"}}
        body = {"max_tokens": 1, "messages": [{"role": "user", "content": [picture]}]}
    core = fetching_core()
    reading_client(core, folder).post(path, json=body)
    assert kinds(request_to(core).chat.messages[-1].content) == [FILE]
