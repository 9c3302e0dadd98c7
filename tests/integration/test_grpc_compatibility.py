"""The contract as it was published, against today's client and today's core (docs/versioning.md)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from service.config import ModelConfig
from slotline.client import Client
from tests.support.scripted_core import WAIT_S, core_config, load_scripted
from tests.support.scripted_service import CoreThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/versioning.md"
#: Published contracts by what the page calls them.
PUBLISHED = {"baseline": ROOT / "protos/baseline.binpb"}
PACKAGE = "slotline.v1"
CHAT: list[dict[str, object]] = [{"role": "user", "content": "Hello"}]
#: What is asked by each method, as JSON; and a field that tells of a real answer.
CALLS: dict[str, tuple[dict[str, object], str]] = {
    "Generate": ({"text": "Hello", "stop": {"maxTokens": 3}}, "event"),
    "Embed": ({"inputs": [{"text": "Hello"}]}, "embeddings"),
    "Tokenize": ({"text": "Hello"}, "ids"),
    "Detokenize": ({"ids": [72, 105]}, "text"),
    "ListModels": ({}, "models"),
    "GetModel": ({}, "model"),
    "Health": ({}, "state"),
    "ListSlots": ({}, "slots"),
    "ApplyTemplate": ({"chat": {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}}, "text"),
    "GetMetrics": ({}, "exposition"),
}


@dataclass(frozen=True)
class Method:
    """A method of a published contract."""

    path: str
    request: type[Message]
    response: type[Message]
    is_stream: bool


class Published:
    """A contract as an image of buf tells it, without the code that was generated from it."""

    def __init__(self, image: Path) -> None:
        pool = descriptor_pool.DescriptorPool()
        files = FileDescriptorSet.FromString(image.read_bytes()).file
        for file in files:
            pool.Add(file)
        self.methods = {
            method.name: Method(
                f"/{service.full_name}/{method.name}",
                message_factory.GetMessageClass(method.input_type),
                message_factory.GetMessageClass(method.output_type),
                method.server_streaming,
            )
            for file in files
            if file.package == PACKAGE
            for service in pool.FindFileByName(file.name).services_by_name.values()
            for method in service.methods
        }


@pytest.fixture(params=PUBLISHED)
def name(request: pytest.FixtureRequest) -> str:
    """A published contract's name."""
    return str(request.param)


@pytest.fixture
def published(name: str) -> Published:
    """A published contract."""
    return Published(PUBLISHED[name])


@pytest.fixture
def core(tmp_path: Path) -> Iterator[str]:
    """The address of today's core."""
    address = f"unix:{tmp_path}/core.sock"
    model = ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2, embedding=True)
    thread = CoreThread(core_config([address], model=model), load_scripted())
    yield address
    thread.close()


def test_stubs_of_the_published_contract_get_answers(
    name: str, published: Published, core: str, is_rewriting: bool
) -> None:
    assert published.methods.keys() <= CALLS.keys()
    wrong = []
    with grpc.insecure_channel(core) as channel:
        for method_name, method in published.methods.items():
            fields, wanted = CALLS[method_name]
            answers = _call(channel, method, json_format.ParseDict(fields, method.request()))
            if not answers or not all(_has(answer, wanted) for answer in answers):
                wrong.append(method_name)
    n_all = len(published.methods)
    _compare(name, 3, f"{n_all - len(wrong)} of {n_all} calls", is_rewriting)
    assert not wrong


def test_todays_client_works_with_a_server_of_the_published_contract(
    name: str, published: Published, core: str, tmp_path: Path, is_rewriting: bool
) -> None:
    address = f"unix:{tmp_path}/published.sock"
    with _proxy(published, core, address), Client(core) as today, Client(address) as other:
        n_right = sum(ask(today) == ask(other) for ask in _QUESTIONS)
    _compare(name, 2, f"{n_right} of {len(_QUESTIONS)} calls", is_rewriting)


def test_the_table_has_a_row_for_each_published_contract() -> None:
    assert [cells[1] for cells in _rows()] == list(PUBLISHED)


_QUESTIONS: tuple[Callable[[Client], object], ...] = (
    lambda client: "".join(client.generate("Hello", max_tokens=5, temperature=0)),
    lambda client: client.complete(CHAT, max_tokens=5, temperature=0).text,
    lambda client: client.complete("Hello", max_tokens=5, temperature=0).usage.completion_tokens,
    lambda client: client.embed(["Hello"]),
    lambda client: client.tokenize("Hello"),
    lambda client: client.detokenize([72, 105]),
    lambda client: [model.name for model in client.models()],
    lambda client: client.health().state,
)


def _call(channel: grpc.Channel, method: Method, request: Message) -> list[Any]:
    serializers: Any = (method.request.SerializeToString, method.response.FromString)
    if method.is_stream:
        return list(channel.unary_stream(method.path, *serializers)(request, timeout=WAIT_S))
    return [channel.unary_unary(method.path, *serializers)(request, timeout=WAIT_S)]


def _has(answer: Message, wanted: str) -> bool:
    if wanted in answer.DESCRIPTOR.oneofs_by_name:
        return answer.WhichOneof(wanted) is not None
    return any(field.name == wanted for field, _ in answer.ListFields())


class _proxy:
    """A server that knows no more than a published contract, and asks today's core."""

    def __init__(self, published: Published, core: str, address: str) -> None:
        self._channel = grpc.insecure_channel(core)
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(
                    method.path.split("/")[1], {method.path.split("/")[2]: self._handler(method)}
                )
                for method in published.methods.values()
            )
        )
        self._server.add_insecure_port(address)

    def __enter__(self) -> None:
        self._server.start()

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()
        self._channel.close()

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        def answers(request: Message, _: object) -> Iterator[Message]:
            request.DiscardUnknownFields()
            for answer in _call(self._channel, method, request):
                answer.DiscardUnknownFields()
                yield answer

        serializers: Any = {
            "request_deserializer": method.request.FromString,
            "response_serializer": method.response.SerializeToString,
        }
        if method.is_stream:
            return grpc.unary_stream_rpc_method_handler(answers, **serializers)
        return grpc.unary_unary_rpc_method_handler(lambda request, _: next(answers(request, _)), **serializers)


def _rows() -> list[list[str]]:
    """The cells of the table's rows, without its head."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")] for line in lines[1:]]


def _compare(name: str, column: int, seen: str, is_rewriting: bool) -> None:
    """Compare a cell of the table with what was seen."""
    (cells,) = [cells for cells in _rows() if cells[1] == name]
    if is_rewriting and cells[column] != seen:
        old = f"| {' | '.join(cells[1:-1])} |"
        new = f"| {' | '.join([*cells[1:column], seen, *cells[column + 1 : -1]])} |"
        PAGE.write_text(PAGE.read_text().replace(old, new))
        return
    assert cells[column] == seen, "docs/versioning.md says otherwise"
