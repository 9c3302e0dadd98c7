"""Pictures over REST, on the default model with a projector that sees colours: what is said of them, and what is not.

A picture of one colour has the rows that the colour's word has, so a prompt with the picture is answered as the same
prompt with the word's token in place of each row.
"""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
import requests
from PIL import Image

from rest_adapter.apis.common.prompt import MEDIA_MARKER
from tests.support.event_stream import EventStream
from tests.support.likeliest import are_alike
from tests.support.server import PATIENCE_S, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.seeing_model import Projector, SeeingModels
    from tests.support.server_pool import ServerPool

COLOURS = ("red", "green", "blue")
GREEDY: dict[str, Any] = {"temperature": 0, "n_predict": 6, "repeat_penalty": 1.0}
QUESTION = "What is the color of the picture? Answer with one word."
N_ROWS = 4


@pytest.fixture(scope="module")
def projector(seeing: SeeingModels) -> Projector:
    return seeing.projector()


@pytest.fixture(scope="module")
def server(servers: ServerPool, projector: Projector) -> Server:
    return servers.get("-c", "8192", "-np", "4", "--embedding", "--mmproj", str(projector.path))


@pytest.fixture(scope="module")
def files(projector: Projector) -> dict[str, str]:
    """Files in base64, by colour; ``cut`` is damaged, ``text`` is no picture."""
    return {colour: in_base64(projector, colour) for colour in COLOURS} | {
        "cut": base64.b64encode(base64.b64decode(in_base64(projector, "red"))[:60]).decode(),
        "text": base64.b64encode(b"no picture").decode(),
    }


@pytest.fixture
def openai_client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def anthropic_client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.rest_url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def in_base64(projector: Projector, colour: str) -> str:
    file = io.BytesIO()
    Image.fromarray(projector.draw(colour)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def post(server: Server, path: str, **body: object) -> Any:
    answer = requests.post(server.rest_url + path, json=body, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(server: Server, path: str, **body: object) -> str:
    answer = requests.post(server.rest_url + path, json=body, timeout=PATIENCE_S)
    assert answer.status_code == 400, answer.text
    message: str = answer.json()["error"]["message"]
    return message


def question_about(marker: str) -> str:
    """A prompt that the model goes on with the colour of the picture in place of the marker."""
    return f"Picture:{marker}\nThe colour of the picture is"


def likeliest(answer: Any) -> dict[str, float]:
    """The likeliest first tokens of an answer, and their log-probabilities."""
    return {one["tok_str"]: math.log(one["prob"]) for one in answer["completion_probabilities"][0]["probs"]}


def colours_in(text: str) -> list[str]:
    """The colours in a text, in their order."""
    words = text.lower().replace(".", " ").replace(",", " ").split()
    return [word for word in words if word in COLOURS]


def image_part(data: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", "detail": "high"}}


def image_block(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


@pytest.mark.parametrize("slot_id", range(4))
@pytest.mark.parametrize("colour", COLOURS)
def test_a_completion_says_the_colour_in_every_slot(
    server: Server, files: dict[str, str], projector: Projector, colour: str, slot_id: int
) -> None:
    before, after = "Picture:", "\nThe colour of the picture is"
    options = {"image_data": [{"data": files[colour], "id": 10}], "slot_id": slot_id, "n_probs": 5, **GREEDY}
    answer = post(server, "/completion", prompt=f"{before}[img-10]{after}", **options)
    word = projector.words[colour].token
    words = post(server, "/completion", prompt=[before, *[word] * N_ROWS, after], n_probs=5, **GREEDY)
    assert colours_in(answer["content"])[:1] == [colour]
    assert are_alike(likeliest(answer), likeliest(words))
    assert answer["tokens_evaluated"] == words["tokens_evaluated"]
    assert (answer["slot_id"], answer["prompt"]) == (slot_id, "")


def test_pictures_stand_in_the_order_of_their_markers(server: Server, files: dict[str, str]) -> None:
    images = [{"data": files["red"], "id": 1}, {"data": files["blue"], "id": 2}]
    question = "\nQuestion: What colour is the house?\nAnswer: The house is"
    for car, house, colour in ((1, 2, "blue"), (2, 1, "red")):
        prompt = f"The car is[img-{car}]. The house is[img-{house}].{question}"
        answer = post(server, "/completion", prompt=prompt, image_data=images, **GREEDY)
        assert colours_in(answer["content"])[:1] == [colour]


def test_several_prompts_and_arrays_have_pictures(server: Server, files: dict[str, str]) -> None:
    images = [{"data": files["red"]}, {"data": files["green"]}]
    prompts = [question_about(f"[img-{number}]") for number in range(2)]
    answer = post(server, "/completion", prompt=prompts, image_data=images, **GREEDY)
    assert [colours_in(result["content"])[0] for result in answer["results"]] == ["red", "green"]
    one = post(
        server,
        "/completion",
        prompt=[question_about("[img-0]"), 260],
        image_data=images[:1],
        **GREEDY,
    )
    assert (one["prompt"], one["tokens_predicted"]) == ("", 6)


def test_a_picture_that_was_seen_is_not_evaluated_again(server: Server, files: dict[str, str]) -> None:
    picture = [{"data": files["blue"]}]
    body = {"prompt": "Look:[img-0]\nWhat is it?", "image_data": picture, "slot_id": 3, "n_probs": 5, **GREEDY}
    post(server, "/completion", **body)
    again = post(server, "/completion", **body)
    assert again["timings"]["prompt_n"] == 1
    fresh = post(server, "/completion", **body, cache_prompt=False)
    assert fresh["timings"]["prompt_n"] == fresh["tokens_evaluated"] == again["tokens_evaluated"]
    assert are_alike(likeliest(fresh), likeliest(again))


def test_events_and_slots_tell_of_pictures_and_show_none(server: Server, files: dict[str, str]) -> None:
    body = {"prompt": "A picture:[img-0]\n", "image_data": [{"data": files["green"]}]}
    stream = EventStream(server, **body, n_predict=500, ignore_eos=True)
    stream.wait_for_first_event()
    slots = requests.get(f"{server.rest_url}/slots", timeout=PATIENCE_S)
    shown = [slot["prompt"] for slot in slots.json() if slot["state"] == 1]
    stream.wait_for_end()
    (picture,) = (part for prompt in shown if isinstance(prompt, list) for part in prompt if isinstance(part, dict))
    assert (picture["type"], picture["format"]) == ("image", "png")
    assert picture["size_bytes"] == len(base64.b64decode(files["green"]))
    assert len(picture["sha256"]) == 64
    assert files["green"] not in slots.text


@pytest.mark.parametrize("colour", COLOURS)
def test_an_embedding_of_a_picture_is_that_of_its_words(
    server: Server, files: dict[str, str], projector: Projector, colour: str
) -> None:
    seen = post(server, "/embedding", content="A[img-0] picture", image_data=[{"data": files[colour]}])
    read = post(server, "/embedding", content=["A", *[projector.words[colour].token] * N_ROWS, " picture"])
    # Those of other colours differ by 0.08 somewhere.
    assert seen["embedding"] == pytest.approx(read["embedding"], abs=0.02)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_openai_client_sends_data_urls(
    openai_client: openai.OpenAI, files: dict[str, str], colour: str, is_stream: bool
) -> None:
    messages: Any = [{"role": "user", "content": [image_part(files[colour]), {"type": "text", "text": QUESTION}]}]
    options: Any = {"messages": messages, "model": "any", "temperature": 0, "max_tokens": 12}
    if is_stream:
        usage: Any = {"include_usage": True}
        chunks: Any = list(openai_client.chat.completions.create(**options, stream=True, stream_options=usage))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        usages = chunks[-1].usage
    else:
        answer = openai_client.chat.completions.create(**options)
        text, usages = answer.choices[0].message.content or "", answer.usage
    assert colours_in(text) == [colour]
    assert usages is not None
    assert usages.prompt_tokens_details is not None
    assert usages.prompt_tokens_details.to_dict()["image_tokens"] == N_ROWS


def test_the_openai_client_sends_pictures_to_responses(openai_client: openai.OpenAI, files: dict[str, str]) -> None:
    content: Any = [
        {"type": "input_image", "image_url": f"data:image/png;base64,{files['blue']}", "detail": "auto"},
        {"type": "input_text", "text": QUESTION},
    ]
    answer = openai_client.responses.create(
        model="any", input=[{"role": "user", "content": content}], temperature=0, max_output_tokens=12
    )
    assert colours_in(answer.output_text) == ["blue"]
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.to_dict()["image_tokens"] == N_ROWS


def test_the_openai_client_is_told_which_picture_is_wrong(openai_client: openai.OpenAI, files: dict[str, str]) -> None:
    content: Any = [image_part(files["red"]), image_part(files["cut"])]
    with pytest.raises(openai.BadRequestError) as raised:
        openai_client.chat.completions.create(model="any", messages=[{"role": "user", "content": content}])
    assert raised.value.param == "messages[0].content[1].image_url"


@pytest.mark.parametrize("colour", COLOURS)
def test_the_anthropic_client_sends_blocks(
    anthropic_client: anthropic.Anthropic, files: dict[str, str], colour: str
) -> None:
    messages: Any = [{"role": "user", "content": [image_block(files[colour]), {"type": "text", "text": QUESTION}]}]
    answer = anthropic_client.messages.create(
        model="any", messages=messages, max_tokens=12, extra_body={"temperature": 0, "cache_prompt": False}
    )
    (block,) = answer.content
    assert block.type == "text"
    assert colours_in(block.text) == [colour]
    counted = anthropic_client.messages.count_tokens(model="any", messages=messages)
    assert counted.input_tokens == answer.usage.input_tokens


def test_the_anthropic_client_is_told_which_picture_is_wrong(
    anthropic_client: anthropic.Anthropic, files: dict[str, str]
) -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [image_block(files["cut"])]}
    use = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    messages: Any = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\[2\]\.content\[0\]\.content\[0\]\.source\.data: "):
        anthropic_client.messages.create(model="any", messages=messages, max_tokens=5)


def test_what_is_no_picture_or_stands_nowhere_is_refused_by_name(server: Server, files: dict[str, str]) -> None:
    def completion(prompt: str, *images: object) -> str:
        return refused(server, "/completion", prompt=prompt, image_data=list(images))

    red = {"data": files["red"], "id": 1}
    assert completion("A[img-1]", {"data": files["cut"], "id": 1}).startswith("image_data[0]: ")
    assert "allowed are PNG, JPEG, WebP, GIF and BMP" in completion("[img-0]", {"data": files["text"]})
    assert "[img-2] names no picture; those of image_data are [img-1]" in completion("[img-2][img-1]", red)
    assert completion("Hello", red).startswith("image_data[0]: stands nowhere; put [img-1] into the prompt")
    assert completion("[img-1]", red, red) == "image_data[1].id: 1 is the id of image_data[0], too"
    assert "is not base64" in completion("[img-1]", {"data": "???", "id": 1})
    assert "has more than 16 markers of pictures" in completion("[img-1]" * 17, red)
    assert refused(server, "/embedding", content="a", image_data=[red]).startswith("image_data[0]: stands nowhere")
    # A prompt that does not fit is refused with its pictures, never shortened.
    assert "of them for pictures" in completion("[img-1]" + "word " * 3000, red)


def test_prompts_as_objects_have_pictures_as_today_s_server_takes_them(server: Server, files: dict[str, str]) -> None:
    def of(colour: str) -> dict[str, object]:
        return {"prompt_string": question_about(MEDIA_MARKER), "multimodal_data": [files[colour]]}

    prompt = question_about("[img-0]")
    old = post(server, "/completion", prompt=prompt, image_data=[{"data": files["red"]}], n_probs=5, **GREEDY)
    prompts = [of("red"), of("blue"), {"prompt_string": "AB"}]
    red, blue, text = post(server, "/completion", prompt=prompts, n_probs=5, **GREEDY)["results"]
    assert [colours_in(answer["content"])[0] for answer in (old, red, blue)] == ["red", "red", "blue"]
    assert are_alike(likeliest(red), likeliest(old))
    assert red["tokens_evaluated"] == blue["tokens_evaluated"] == old["tokens_evaluated"]
    assert (red["prompt"], text["prompt"]) == ("", "AB")
    vectors = [entry["embedding"] for entry in post(server, "/v1/embeddings", input=[of("red"), of("blue")])["data"]]
    assert vectors[0] != vectors[1]


@pytest.mark.parametrize("path", ["/completion", "/v1/embeddings"])
def test_a_picture_of_an_object_is_refused_by_its_name(server: Server, files: dict[str, str], path: str) -> None:
    field = "prompt" if path == "/completion" else "input"
    value = ["a", {"prompt_string": f"A{MEDIA_MARKER}", "multimodal_data": [files["cut"]]}]
    assert refused(server, path, **{field: value}).startswith(f"{field}[1].multimodal_data[0]: ")


def test_the_same_picture_may_stand_sixteen_times(server: Server, files: dict[str, str]) -> None:
    images = [{"data": files["red"], "id": 1}]
    answer = post(server, "/completion", prompt="[img-1]" * 16, image_data=images, **GREEDY)
    assert answer["tokens_evaluated"] == 16 * N_ROWS
