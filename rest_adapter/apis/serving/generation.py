"""What all generating routes do: start the calls, wait for the first one's acceptance, stream or collect."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.common.candidates import candidates_per_token
from rest_adapter.apis.common.ending import unfinished
from rest_adapter.apis.common.list_options import drop_unknown_ids, mentions_token_ids
from rest_adapter.apis.common.priority import WSGI_KEY, priority_of
from rest_adapter.apis.serving.limits import served_model, shorter
from rest_adapter.apis.serving.reading import SMALL_BODY_BYTES
from rest_adapter.apis.serving.sse import EventForm, EventStream, Heartbeat, Reply, plain_events
from rest_adapter.errors import NotAllowed, RpcFailure
from rest_adapter.http.disconnect import SOCKET_KEY, DisconnectWatch
from rest_adapter.http.media_types import EVENTS_UTF8
from rest_adapter.http.responses import Answer, json_response, long_json_response
from rest_adapter.json.encoding import encode_in_pieces
from slotline.protocol.collecting import COLLECTED_MS
from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.core.calls import ResponseStream
    from rest_adapter.http.background import BackgroundThread

#: Against proxies that buffer events, and browsers that cache answers.
_STREAM_HEADERS = (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"), ("Content-Type", EVENTS_UTF8))

#: With this many probabilities per token, each message takes milliseconds to translate.
HEAVY_CANDIDATES = 1024
#: Up to this many ids are checked in a few milliseconds.
_FEW_IDS = 4096

_Rename = Callable[[RpcFailure], RpcFailure]


def answer_generation(
    context: AppContext,
    requests: Sequence[GenerateRequest],
    make_reply: Callable[[], Reply],
    *,
    is_stream: bool,
    timeout_s: float | None,
    ping_s: float | None,
    rename_fields: _Rename,
    events: EventForm | None = None,
) -> Answer:
    """Run the calls of one HTTP request and answer it.

    Until the core accepts the first call, an error becomes the status of the answer; later, or after the first comment
    of a stream, it becomes an event.

    Args:
        requests: one per prompt, with the same options.
        make_reply: makes what translates the messages for the route; it may call the core.
        is_stream: answer with events.
        timeout_s: the client's limit on the whole generation, in seconds; the adapter's own may be shorter.
        ping_s: seconds of silence after which a stream gets a comment; None for never.
        rename_fields: makes a failure of one of the calls name the fields of the body.
        events: what the events of a stream look like, and its end; by default data alone, and errors in the form that
            the path has.

    Raises:
        AdapterError: the body asks for what is not allowed, or the core refused or failed before the answer began.
    """
    _check_system_prompt(context, requests[0])
    environ = request.environ
    priority = priority_of([environ[WSGI_KEY]] if WSGI_KEY in environ else ())
    heartbeat = Heartbeat(ping_s)
    with ExitStack() as cleanup:
        cleanup.enter_context(context.limiter.slot())
        reply = make_reply()
        _drop_unknown_ids(context, requests)
        limit_s = shorter(timeout_s, context.config.request_timeout_s)
        tenant = context.keys.tenant()
        if not is_stream:
            for one in requests:
                one.output.max_delta_delay_ms = COLLECTED_MS
        started = context.core.generate(requests, deadline_s=limit_s, priority=priority, tenant=tenant)
        stream = _Renaming(started, rename_fields)
        cleanup.callback(stream.close)
        cleanup.enter_context(DisconnectWatch(environ.get(SOCKET_KEY), stream.close))
        per_token = candidates_per_token(requests[0])
        background = context.writing if per_token >= HEAVY_CANDIDATES else None
        if not is_stream:
            _collect(stream, reply, background)
            return _whole_answer(context, requests, reply)
        first = None
        if not heartbeat.is_due(stream):
            first = next(stream, None)
            if first is None:
                raise unfinished()
        # From here on the body of the response cleans up.
        body = EventStream(
            first,
            stream,
            reply,
            heartbeat,
            background=background,
            form=events or plain_events(context.error_form),
            on_close=cleanup.pop_all().close,
        )
        return Answer(body, headers=list(_STREAM_HEADERS))


def _check_system_prompt(context: AppContext, message: GenerateRequest) -> None:
    if message.HasField("system_prompt") and not context.may_change_system_prompt:
        raise NotAllowed(
            "system_prompt",
            "is the prompt of everybody, and others than this machine reach this server without an API key; start it "
            "with --api-key, with --allow-system-prompt, or with --host 127.0.0.1",
        )


def _whole_answer(context: AppContext, requests: Sequence[GenerateRequest], reply: Reply) -> Answer:
    has_logprobs = candidates_per_token(requests[0]) > 0 or requests[0].output.prompt_logprobs
    # Prompts are repeated in the answer.
    if not has_logprobs and sum(map(GenerateRequest.ByteSize, requests)) <= SMALL_BODY_BYTES:
        return json_response(reply.result())
    return long_json_response(context.writing.run(lambda: list(encode_in_pieces(reply.result()))))


def _collect(stream: ResponseStream, reply: Reply, background: BackgroundThread | None) -> None:
    """Feed all messages, in the background if each takes long."""
    for number, response in stream:
        if background is None:
            _feed(reply, number, response)
        else:
            background.run(partial(_feed, reply, number, response))


def _feed(reply: Reply, number: int, response: GenerateResponse) -> None:
    deque(reply.feed(number, response), maxlen=0)


class _Renaming:
    """A stream whose failures name the fields of the body."""

    def __init__(self, stream: ResponseStream, rename_fields: _Rename) -> None:
        self._stream = stream
        self._rename_fields = rename_fields

    def __iter__(self) -> Iterator[tuple[int, GenerateResponse]]:
        return self

    def __next__(self) -> tuple[int, GenerateResponse]:
        try:
            return next(self._stream)
        except RpcFailure as failure:
            raise self._rename_fields(failure) from failure

    def wait(self, timeout_s: float) -> bool:
        return self._stream.wait(timeout_s)

    def close(self) -> None:
        self._stream.close()


def _drop_unknown_ids(context: AppContext, requests: Sequence[GenerateRequest]) -> None:
    """Leave out biases and penalties for unknown tokens, which the API ignores and the core refuses."""
    # All requests of one body have the same options.
    if not mentions_token_ids(requests[0]):
        return
    vocab_size = served_model(context.core).vocab_size
    options = requests[0].sampling
    n_ids = len(options.logit_bias) + len(options.penalty_prompt.token_ids.ids)

    def drop() -> None:
        for one in requests:
            drop_unknown_ids(one, vocab_size)

    if n_ids * len(requests) <= _FEW_IDS:
        drop()
    else:
        context.reading.run(drop)
