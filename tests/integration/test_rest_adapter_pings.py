"""Comments in streams that are silent: in the queue, at a long prompt, and how such streams end."""

from __future__ import annotations

import http.client
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import grpc
import openai
import pytest

from rest_adapter.apis.serving.sse import DONE, PING
from rest_adapter.config import RestConfig
from slotline.cli.chat.server import ChatServer
from tests.support.adapter import AdapterThread, post
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Refuse, Step, accepted, delta, finished, whole
from tests.support.http_stream import HttpConnection, event_data, post_bytes
from tests.support.scripted_core import Gate, load_scripted
from tests.support.scripted_service import ScriptedService

if TYPE_CHECKING:
    from pathlib import Path

#: Silence after which a comment is due here. Tests wait for comments, however long they take to come.
PING_S = 0.01
USER = [{"role": "user", "content": "Hi"}]
Route = tuple[str, dict[str, object]]
NATIVE: Route = ("/completion", {"prompt": "Hi"})
CHAT: Route = ("/v1/chat/completions", {"messages": USER})
TEXT: Route = ("/v1/completions", {"prompt": "Hi"})
ROUTES = pytest.mark.parametrize(("path", "body"), [NATIVE, CHAT, TEXT], ids=["native", "chat", "text"])

MakeAdapter = Callable[[float | None], AdapterThread]


@pytest.fixture
def make_adapter(core: FakeCore) -> Iterator[MakeAdapter]:
    made: list[AdapterThread] = []

    def make(ping_s: float | None) -> AdapterThread:
        made.append(AdapterThread(RestConfig(core=core.address, sse_ping_s=ping_s)))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


def stream_of(adapter: AdapterThread, path: str, body: dict[str, object]) -> HttpConnection:
    return HttpConnection(adapter.address, post_bytes(path, **body, stream=True))


def expect_pings(chunks: Iterator[bytes], count: int = 3) -> None:
    """The next chunks are comments."""
    assert list(itertools.islice(chunks, count)) == [PING] * count


def without_pings(chunks: Iterator[bytes]) -> list[bytes]:
    return [chunk for chunk in chunks if chunk != PING]


@ROUTES
@pytest.mark.parametrize("steps", [[Hold(), accepted()], [accepted(), Hold()]], ids=["queue", "prompt"])
def test_a_stream_that_waits_has_comments_and_then_its_answer(
    core: FakeCore, make_adapter: MakeAdapter, steps: Sequence[Step], path: str, body: dict[str, object]
) -> None:
    core.script = lambda request: [*steps, delta("a"), finished()]
    with stream_of(make_adapter(PING_S), path, body) as connection:
        status, headers = connection.head()
        assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
        chunks = connection.chunks()
        # A chat is told its role as soon as it has a slot, which takes longer than a comment if the machine is busy.
        is_told = not isinstance(steps[0], Hold) and path == CHAT[0]
        role = [next(chunk for chunk in chunks if chunk != PING)] if is_told else []
        expect_pings(chunks)
        core.open(core.wait_for_call())
        events = [*role, *without_pings(chunks)]
    assert b'"a"' in b"".join(events)
    assert [event for event in events if event != DONE and "error" in event_data(event)] == []
    assert (events[-1] == DONE) is (path != NATIVE[0])


@ROUTES
def test_what_fails_before_the_first_comment_is_the_status(
    core: FakeCore, make_adapter: MakeAdapter, path: str, body: dict[str, object]
) -> None:
    core.script = lambda request: [Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", retry_after_s=3.0)]
    response = post(make_adapter(WAIT_S), path, **body, stream=True)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")


@ROUTES
def test_what_fails_after_it_is_the_last_event(
    core: FakeCore, make_adapter: MakeAdapter, path: str, body: dict[str, object]
) -> None:
    core.script = lambda request: [Hold(), Refuse(grpc.StatusCode.UNAVAILABLE, "MODEL_FAILED", "broken")]
    with stream_of(make_adapter(PING_S), path, body) as connection:
        assert connection.head()[0] == 200
        chunks = connection.chunks()
        expect_pings(chunks)
        core.open(core.wait_for_call())
        (error,) = without_pings(chunks)
    assert event_data(error)["error"]["message"] == "broken"


def test_what_fails_after_it_is_a_failed_response(core: FakeCore, make_adapter: MakeAdapter) -> None:
    broken = Refuse(grpc.StatusCode.UNAVAILABLE, "MODEL_FAILED", "broken")
    core.script = lambda request: [Hold(), accepted(), delta("Onc"), broken]
    with stream_of(make_adapter(PING_S), "/v1/responses", {"input": "Hi"}) as connection:
        chunks = connection.chunks() if connection.head()[0] == 200 else iter(())
        expect_pings(chunks)
        core.open(core.wait_for_call())
        *_, last = without_pings(chunks)
    name, data = last.decode().split("\n", 1)
    failed = json.loads(data.removeprefix("data: "))
    assert name == "event: response.failed"
    assert failed["type"] == "response.failed"
    response = failed["response"]
    assert (response["status"], response["error"]) == ("failed", {"code": "server_error", "message": "broken"})
    assert response["output"][0]["content"][0]["text"] == "Onc"


def test_the_first_failure_of_several_prompts_ends_a_stream_that_has_begun(
    core: FakeCore, make_adapter: MakeAdapter
) -> None:
    violation = ("text", "is wrong")
    refusal = Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=(violation,))
    core.script = lambda request: [Hold(), refusal if request.text == "b" else accepted()]
    with stream_of(make_adapter(PING_S), "/completion", {"prompt": ["a", "b"]}) as connection:
        chunks = connection.chunks() if connection.head()[0] == 200 else iter(())
        expect_pings(chunks)
        calls = [core.wait_for_call(number) for number in range(2)]
        core.open(next(call for call in calls if call.request.text == "b"))
        (error,) = without_pings(chunks)
    assert event_data(error)["error"]["message"] == "prompt[1]: is wrong"
    assert all(call.ended.wait(WAIT_S) for call in calls)


def test_the_time_limit_of_a_request_goes_on(core: FakeCore, make_adapter: MakeAdapter) -> None:
    core.script = lambda request: [Hold()]
    with stream_of(make_adapter(PING_S), "/completion", {"timeout_s": 1.0}) as connection:
        assert connection.head()[0] == 200
        (error,) = without_pings(connection.chunks())
    assert event_data(error)["error"]["type"] == "timeout_error"


@pytest.mark.parametrize("steps", [[Hold()], [accepted(), Hold()]], ids=["queue", "prompt"])
def test_a_client_that_leaves_between_comments_cancels_its_generation(
    core: FakeCore, make_adapter: MakeAdapter, steps: Sequence[Step]
) -> None:
    core.script = lambda request: steps
    connection = stream_of(make_adapter(PING_S), *NATIVE)
    connection.head()
    expect_pings(connection.chunks())
    call = core.wait_for_call()
    assert not call.cancelled.is_set()
    connection.close()
    assert call.cancelled.wait(WAIT_S)


def test_a_client_that_leaves_before_the_first_comment_cancels_its_generation(
    core: FakeCore, make_adapter: MakeAdapter
) -> None:
    core.script = lambda request: [Hold()]
    connection = stream_of(make_adapter(WAIT_S), *NATIVE)
    call = core.wait_for_call()
    assert call.holding.wait(WAIT_S)
    connection.close()
    assert call.cancelled.wait(WAIT_S)


def test_a_stream_is_told_that_the_server_stops(core: FakeCore, make_adapter: MakeAdapter) -> None:
    core.script = lambda request: [Hold()]
    adapter = make_adapter(PING_S)
    with stream_of(adapter, *CHAT) as connection:
        connection.head()
        chunks = connection.chunks()
        expect_pings(chunks)
        adapter.begin_stop(0.0)
        (error,) = without_pings(chunks)
        assert event_data(error)["error"]["message"] == "the server is shutting down"
        adapter.wait_until_stopped()


def test_a_stream_that_is_drained_ends_as_it_would(core: FakeCore, make_adapter: MakeAdapter) -> None:
    core.script = lambda request: [Hold(), *whole("a")]
    adapter = make_adapter(PING_S)
    with stream_of(adapter, *CHAT) as connection:
        connection.head()
        chunks = connection.chunks()
        expect_pings(chunks)
        adapter.begin_stop(WAIT_S)
        expect_pings(chunks)
        core.open(core.wait_for_call())
        assert without_pings(chunks)[-1] == DONE
        adapter.wait_until_stopped()


@pytest.mark.parametrize(
    ("ping_s", "path", "body"), [(None, *NATIVE), (0.0, *NATIVE), (0.0, *CHAT)], ids=["native", "native 0", "chat 0"]
)
def test_without_comments_a_waiting_stream_has_no_status(
    core: FakeCore, make_adapter: MakeAdapter, ping_s: float | None, path: str, body: dict[str, object]
) -> None:
    core.script = lambda request: [Hold(), Refuse(grpc.StatusCode.UNAVAILABLE, "MODEL_FAILED", "broken")]
    with stream_of(make_adapter(ping_s), path, body) as connection:
        call = core.wait_for_call()
        assert call.holding.wait(WAIT_S)
        core.open(call)
        assert connection.answer()[0] == 503


# Clients.


def test_the_openai_client_skips_comments(core: FakeCore, make_adapter: MakeAdapter) -> None:
    core.script = lambda request: [Hold(), *whole("Hel", "lo")]
    url = make_adapter(PING_S).url
    with openai.OpenAI(base_url=url + "/v1", api_key="-", max_retries=0) as client:
        # Returns with the headers, that is with the first comment.
        chunks = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
        core.open(core.wait_for_call())
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"


def test_the_terminal_client_skips_comments(core: FakeCore, make_adapter: MakeAdapter) -> None:
    core.script = lambda request: [accepted(), Hold(), *whole("Hel", "lo")[1:]]
    events = ChatServer(make_adapter(PING_S).url).stream({"messages": USER, "stream": True})
    next(events)
    core.open(core.wait_for_call())
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == "Hello"


# With an engine.


def test_streams_that_wait_for_a_slot_have_comments(tmp_path: Path) -> None:
    gate = Gate()
    service = ScriptedService(tmp_path, RestConfig(sse_ping_s=PING_S), load=load_scripted(gate.script))
    try:
        gate.close()
        # A prompt that nobody has sent before: the first token of one that is known needs no step.
        body: dict[str, object] = {"prompt": "Howdy", "n_predict": 3, "temperature": 0}
        # Two slots: the third waits for one, the others for their first token.
        connections = [stream_of(service.adapter, "/completion", body) for _ in range(3)]
        streams = []
        for connection in connections:
            assert connection.head()[0] == 200
            streams.append(connection.chunks())
        for chunks in streams:
            expect_pings(chunks, 5)
        gate.open()
        for chunks in streams:
            events = [event_data(chunk) for chunk in without_pings(chunks)]
            assert "".join(event["content"] for event in events) != ""
            assert events[-1]["tokens_predicted"] == 3
        for connection in connections:
            connection.close()
        service.wait_until_idle()
    finally:
        service.close()


def test_http_clients_get_the_headers_with_the_first_comment(core: FakeCore, make_adapter: MakeAdapter) -> None:
    core.script = lambda request: [Hold()]
    host, port = make_adapter(PING_S).address
    connection = http.client.HTTPConnection(host, port, timeout=WAIT_S)
    connection.request("POST", "/completion", b'{"stream": true}')
    response = connection.getresponse()
    assert response.status == 200
    assert response.readline() == b": ping\n"
    response.close()
    connection.close()
    assert core.wait_for_call().cancelled.wait(WAIT_S)
