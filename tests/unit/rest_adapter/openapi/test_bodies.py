"""Bodies in the OpenAPI document: of one mind with the parsers about fields, bounds and defaults."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from rest_adapter.apis.common.option_schema import native_options
from rest_adapter.apis.common.options import OPTIONS
from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.native.embedding.request import read_embedding
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.apis.native.tokenization.request import read_detokenize, read_tokenize
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.apis.openai.embeddings.request import read_openai_embeddings
from rest_adapter.apis.openai.responses.body import ResponseBody
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.apis.routes import ROUTES
from rest_adapter.errors import (
    InvalidRequest,
)
from rest_adapter.openapi.document import document
from service.api.convert.sampling import sampling_settings
from service.api.convert.settings import default_settings
from service.api.served_model import Limits
from service.errors import InvalidArgument
from slotline.v1.generation_pb2 import OutputOptions
from slotline.v1.sampling_pb2 import SamplingParams
from tests.support.served import served_model
from tests.unit.rest_adapter.clients import USER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


CHAT, TEXT, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"


EMBEDDING = ("/embedding", "/v1/embeddings")


READERS: dict[str, Callable[[Mapping[str, object]], object]] = {
    "/completion": read_completion,
    "/infill": read_infill,
    TEXT: read_text_completion,
    CHAT: read_chat,
    RESPONSES: read_response,
    "/embedding": read_embedding,
    "/v1/embeddings": read_openai_embeddings,
    "/tokenize": read_tokenize,
    "/detokenize": read_detokenize,
}


DOCUMENT = document(ROUTES)


FIELDS = {
    path: DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    for path in READERS
}


EVERY_FIELD = [(path, name) for path, fields in FIELDS.items() for name in fields]


# Wrong values of these are left out, as they always were.
LENIENT = {"samplers", "logit_bias", "penalty_prompt"}


# Whatever is empty is as good as nothing.
REFUSED_UNLESS_EMPTY = {"tools", "functions", "messages", "top_logprobs"}


SAMPLES: tuple[object, ...] = (None, True, False, 0, 1, -1, 1.5, "x", "", [], ["x"], [1], [[1]], [[]], {}, {"x": 1})


class Recorder(dict[str, object]):
    """A body that notes what is looked for."""

    def __init__(self, body: Mapping[str, object]) -> None:
        super().__init__(body)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> object:
        self.names.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)

    def items(self) -> Any:
        # Who asks for all of them hands the options on.
        self.names |= {option.name for option in OPTIONS}
        return super().items()


def body_with(path: str, name: str, value: object) -> dict[str, object]:
    """The smallest body that is allowed with a value, and what the value needs."""
    needed: dict[str, object] = {"messages": USER} if path == CHAT else {}
    if path == CHAT and name == "continue_final_message":
        needed["messages"] = [*USER, {"role": "assistant", "content": "Once"}]
    if (path, name) == (CHAT, "top_logprobs"):
        needed["logprobs"] = True
    if path in EMBEDDING and name not in ("content", "input"):
        needed["input"] = "x"
    if (path, name) == (TEXT, "best_of"):
        needed["n"] = value
    if name in ("n_probs", "logprobs"):
        # The more tokens, the fewer of their probabilities are allowed.
        needed["n_predict"] = 1
    return needed | {name: value}


def is_accepted(path: str, name: str, value: object) -> bool:
    """Whether the parser takes a value; if not, its error must name the field."""
    try:
        READERS[path](body_with(path, name, value))
    except InvalidRequest as error:
        # best_of must equal n, so that an n that is not allowed is noticed first.
        assert error.name.startswith("n" if (path, name) == (TEXT, "best_of") else name)
        return False
    return True


def forms(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema and its alternatives."""
    yield schema
    for one in schema.get("anyOf", ()):
        yield from forms(one)


def is_numeric(schema: Mapping[str, Any]) -> bool:
    return any({"integer", "number"} & {*_list(form.get("type"))} for form in forms(schema))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("path", READERS)
def test_what_is_read_is_documented_and_the_other_way_round(path: str) -> None:
    body = Recorder(body_with(path, "stream_options", {}))
    READERS[path](body)
    if path == CHAT:
        # Handed over with the options, and left out there.
        body.names.remove("system_prompt")
    if path == RESPONSES:
        # Whoever reads a struct does not ask by name. Options that are not there are handed over, too.
        body.names = (body.names | set(ResponseBody.__struct_fields__)) - {"system_prompt"}
    assert body.names == set(FIELDS[path])


def test_what_is_read_of_a_message_is_documented() -> None:
    # Of the assistant's more is read than of others.
    message = Recorder({"role": "assistant", "content": "Hi"})
    read_chat({"messages": [message]})
    assert message.names == set(FIELDS[CHAT]["messages"]["items"]["properties"])


@pytest.mark.parametrize(("path", "name"), EVERY_FIELD)
def test_a_value_is_accepted_if_it_is_documented(path: str, name: str) -> None:
    schema = FIELDS[path][name]
    allowed = jsonschema_rs.validator_for(schema)
    for value in SAMPLES:
        if allowed.is_valid(value):
            assert is_accepted(path, name, value), value
        elif is_numeric(schema) and isinstance(value, bool | int | float):
            # Other ways to write a number; their bounds have a test of their own.
            continue
        elif name not in LENIENT and (value or name not in REFUSED_UNLESS_EMPTY):
            assert not is_accepted(path, name, value), value


@pytest.mark.parametrize(("path", "name"), [key for key in EVERY_FIELD if is_numeric(FIELDS[key[0]][key[1]])])
def test_bounds_are_those_of_the_parser(path: str, name: str) -> None:
    bounded = [form for form in forms(FIELDS[path][name]) if "maximum" in form and "enum" not in form]
    for form in bounded:
        step = 1 if form["maximum"] < 1e30 else 1e30
        assert is_accepted(path, name, form["maximum"])
        assert not is_accepted(path, name, form["maximum"] + step)
        if "minimum" in form:
            least = form["minimum"]
            assert is_accepted(path, name, least)
            assert not is_accepted(path, name, least - (1 if abs(least) < 1e30 else 1e30))
        elif "exclusiveMinimum" in form:
            assert not is_accepted(path, name, form["exclusiveMinimum"])
            assert is_accepted(path, name, form["exclusiveMinimum"] + 1e-9)
    assert bounded or "enum" in FIELDS[path][name]


@pytest.mark.parametrize(("path", "name"), EVERY_FIELD)
def test_a_default_is_a_value_that_is_allowed(path: str, name: str) -> None:
    schema = FIELDS[path][name]
    assert schema["description"].endswith(".")
    if "default" in schema:
        jsonschema_rs.validator_for(schema).validate(schema["default"])


def test_defaults_are_those_of_the_core() -> None:
    in_force = generation_settings(default_settings(served_model()), model="m", is_stream=False)
    # Each request draws its own seed.
    del in_force["seed"]
    documented = {name: FIELDS["/completion"][name]["default"] for name in FIELDS["/completion"].keys() & in_force}
    assert len(documented) > 20
    for name, value in documented.items():
        if isinstance(value, float):
            value = struct.unpack("f", struct.pack("f", value))[0]
        assert in_force[name] == value, name


@pytest.mark.parametrize("path", [CHAT, TEXT, RESPONSES])
def test_defaults_of_the_openai_routes(path: str) -> None:
    differing = {
        name
        for name in FIELDS[path].keys() & native_options()
        # What is refused has no default.
        if not FIELDS[path][name]["description"].startswith("Not supported")
        and FIELDS[path][name].get("default") != FIELDS["/completion"][name].get("default")
    }
    assert differing == {"temperature", "top_p", "truncate"} | (set() if path == TEXT else {"penalty_prompt"})
    assert FIELDS[path]["temperature"]["default"] == FIELDS[path]["top_p"]["default"] == 1.0


def test_bounds_of_the_core() -> None:
    assert FIELDS["/completion"]["samplers"]["maxItems"] == Limits().max_samplers == 64
    assert FIELDS["/completion"]["stop"]["anyOf"][1]["maxItems"] == Limits().max_stop_texts == 128
    assert FIELDS["/completion"]["repeat_penalty"]["exclusiveMinimum"] == 0
    sampling_settings(SamplingParams(repeat_penalty=1e-9), OutputOptions(), served_model())
    with pytest.raises(InvalidArgument, match="above 0"):
        sampling_settings(SamplingParams(repeat_penalty=0), OutputOptions(), served_model())
