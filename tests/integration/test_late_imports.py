"""A core imports everything before it serves: a file that cannot be opened later must not be a module.

Without free file descriptors, an import in the engine's thread used to end the engine.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from slotline.v1 import (
    embedding_pb2,
    generation_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    prompt_pb2,
    sampling_pb2,
    tokenization_pb2,
    tokens_pb2,
)
from tests.support.scripted_core import health_stub
from tests.support.server import PATIENCE_S, RunningProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE_IMPORTS = (sys.executable, "-m", "tests.support.late_imports")
CHAT = prompt_pb2.ChatPrompt(
    messages=[prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text="Hello")])]
)
PREFIX = prompt_pb2.PromptParts(parts=[prompt_pb2.PromptPart(text="def f(")])

GENERATIONS: tuple[dict[str, Any], ...] = (
    {"text": "Once upon a time"},
    {"text": "Once upon a time", "sampling": sampling_pb2.SamplingParams(temperature=0)},
    {
        "text": "Once upon a time there was",
        "sampling": sampling_pb2.SamplingParams(
            seed=7,
            temperature=1.2,
            dynatemp_range=0.3,
            top_k=50,
            top_p=0.9,
            min_p=0.01,
            typical_p=0.9,
            tfs_z=0.9,
            repeat_penalty=1.2,
            frequency_penalty=0.1,
            presence_penalty=0.1,
            penalty_prompt=sampling_pb2.PenaltyPrompt(text="a time"),
            logit_bias=[sampling_pb2.LogitBias(text="cat", bias=1.5)],
        ),
    },
    {"text": "One", "sampling": sampling_pb2.SamplingParams(mirostat=1)},
    {"text": "Two", "sampling": sampling_pb2.SamplingParams(mirostat=2)},
    {"text": "Three", "output": generation_pb2.OutputOptions(tokens=True, n_probs=3, top_logprobs=3)},
    {"chat": CHAT},
    {"infill": prompt_pb2.InfillPrompt(prefix=PREFIX, suffix=PREFIX)},
    {"parts": PREFIX},
    {"token_ids": tokens_pb2.TokenIds(ids=[1, 2, 3])},
    {"text": "Four", "num_sequences": 2},
    {"text": "Five", "stop": generation_pb2.StopParams(max_tokens=20, texts=["a", "e"])},
    {"text": "Six", "constraint": generation_pb2.Constraint(gbnf='root ::= "a"+')},
    {"text": "Seven", "constraint": generation_pb2.Constraint(json_object=generation_pb2.JsonObject())},
    {"text": "Eight", "constraint": generation_pb2.Constraint(json_schema='{"maxItems": 3}')},
    {"text": "Eight", "constraint": generation_pb2.Constraint(json_schema='{"not": {}}')},
    {"text": "Eight", "constraint": generation_pb2.Constraint(regex="[a-c]{3}")},
    {"text": "Eight", "constraint": generation_pb2.Constraint(lark="start: /x+/")},
    {"text": "Nine", "constraint": generation_pb2.Constraint(choice=generation_pb2.Choices(texts=["yes", "no"]))},
    {"text": "Ten", "constraint": generation_pb2.Constraint(gbnf="root ::=")},
    {"text": "Eleven", "sampling": sampling_pb2.SamplingParams(top_p=7)},
    {"text": "a " * 5000, "overflow": generation_pb2.OVERFLOW_REFUSE},
    {"text": "a b c " * 300, "overflow": generation_pb2.OVERFLOW_TRUNCATE},
    {"text": "Twelve", "system_prompt": prompt_pb2.SystemPrompt(prompt="Be kind.")},
    {"text": "Thirteen", "model": "unknown"},
)
EMBED = embedding_pb2.EmbedRequest(inputs=[embedding_pb2.EmbedInput(text="a"), embedding_pb2.EmbedInput(text="b c")])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _watched(stack: ExitStack, *arguments: str) -> RunningProcess:
    """A server that is ready, and from now on tells what it imports."""
    process = stack.enter_context(RunningProcess((*LATE_IMPORTS, *arguments)))
    process.wait_for_stderr(" is ready\n")
    process.send(signal.SIGUSR1)
    process.wait_for_stderr("watching imports\n")
    return process


def _late_imports(process: RunningProcess) -> list[str]:
    return [line for line in process.stderr.splitlines() if line.startswith("late import")]


def _finish(call: Any) -> None:
    """Wait for the end of a call, which may be an error."""
    try:
        list(call()) if callable(call) else list(call)
    except grpc.RpcError as error:
        # Whatever was wrong with it, the server answered.
        assert error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error


def test_the_first_call_of_every_kind_imports_nothing_into_the_core(stack: ExitStack) -> None:
    options = ("-c", "1024", "-np", "2", "-t", "1", "--embedding", "--lookup")
    process = _watched(stack, "core", "--listen", "127.0.0.1:0", *options)
    address = process.wait_for_record("gRPC server listening")["address"]
    channel = stack.enter_context(grpc.insecure_channel(address))
    inference = inference_service_pb2_grpc.InferenceServiceStub(channel)
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    for fields in GENERATIONS:
        wanted = {"stop": generation_pb2.StopParams(max_tokens=8)} | fields
        _finish(inference.Generate(generation_pb2.GenerateRequest(**wanted), timeout=PATIENCE_S))
    # Ended by its client, by its deadline, and in the queue.
    endless = generation_pb2.GenerateRequest(text="Once", sampling=sampling_pb2.SamplingParams(ignore_eos=True))
    running = [inference.Generate(endless, timeout=PATIENCE_S) for _ in range(2)]
    for call in running:
        next(call)
    with pytest.raises(grpc.RpcError):
        list(inference.Generate(endless, timeout=0.1))
    for call in running:
        call.cancel()
    for method, request in (
        (inference.Embed, EMBED),
        (inference.Tokenize, tokenization_pb2.TokenizeRequest(text="a", with_pieces=True)),
        (inference.Tokenize, tokenization_pb2.TokenizeRequest(chat=CHAT)),
        (inference.Detokenize, tokenization_pb2.DetokenizeRequest(ids=[1, 2])),
        (models.ListModels, model_pb2.ListModelsRequest()),
        (models.GetModel, model_pb2.GetModelRequest(name="unknown")),
        (models.Health, model_pb2.HealthRequest()),
        (models.ListSlots, model_pb2.ListSlotsRequest()),
        (models.ApplyTemplate, model_pb2.ApplyTemplateRequest(chat=CHAT)),
        (models.GetMetrics, model_pb2.GetMetricsRequest()),
        (health_stub(channel).Check, health_pb2.HealthCheckRequest()),
    ):
        _finish(lambda method=method, request=request: [method(request, timeout=PATIENCE_S)])
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    symbol = reflection_pb2.ServerReflectionRequest(file_containing_symbol="slotline.v1.ModelService")
    # Has no types.
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    _finish(reflection.ServerReflectionInfo(iter([listing, symbol]), timeout=PATIENCE_S))
    late = _late_imports(process)
    assert not late, "\n".join(late)


CHAT_BODY = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
POSTED: tuple[tuple[str, object], ...] = (
    ("/completion", {"prompt": "Once", "n_predict": 4, "n_probs": 2}),
    ("/completion", {"prompt": ["a", [1, 2]], "n_predict": 4}),
    ("/completion", {"prompt": "Once", "n_predict": 4, "stream": True, "stop": ["x"], "grammar": 'root ::= "a"+'}),
    ("/completion", {"prompt": "Once", "top_p": "x"}),
    ("/completion", b"{"),
    ("/infill", {"input_prefix": "a", "input_suffix": "b", "n_predict": 4}),
    ("/tokenize", {"content": "\u00e4", "with_pieces": True}),
    ("/detokenize", {"tokens": [1, 2]}),
    ("/embedding", {"content": "a"}),
    ("/v1/embeddings", {"input": ["a", "b"], "encoding_format": "base64"}),
    ("/v1/completions", {"prompt": "a", "max_tokens": 4, "logprobs": 2}),
    ("/v1/completions", {"prompt": "a", "max_tokens": 4, "stream": True}),
    ("/v1/chat/completions", CHAT_BODY | {"logprobs": True, "top_logprobs": 2, "n": 2}),
    ("/v1/chat/completions", CHAT_BODY | {"stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/chat/completions", CHAT_BODY | {"response_format": {"type": "json_object"}}),
    ("/nothing", {}),
)
GOTTEN = (
    "/",
    "/index.html",
    "/completion.js",
    "/health?include_slots",
    "/slots",
    "/props",
    "/metrics",
    "/v1/models",
    "/v1/models/none",
    "/openapi.json",
    "/nothing",
)


def test_the_first_request_of_every_kind_imports_nothing_into_the_adapter(stack: ExitStack) -> None:
    ports = ("--port", "0", "--grpc-listen", "127.0.0.1:0")
    process = _watched(stack, "serve", *ports, "-c", "1024", "-np", "2", "-t", "1", "--embedding", "--metrics")
    port = process.wait_for_record("HTTP server listening")["port"]
    session = stack.enter_context(requests.Session())
    url = f"http://127.0.0.1:{port}"
    for path, body in POSTED:
        data = body if isinstance(body, bytes) else json.dumps(body)
        assert session.post(url + path, data=data, timeout=PATIENCE_S).status_code < 503
    for path in GOTTEN:
        assert session.get(url + path, timeout=PATIENCE_S).status_code < 500
        assert session.get(url + path, timeout=PATIENCE_S, headers={"If-None-Match": '"x"'}).status_code < 500
    for origin in ("http://a.example", url):
        preflight = session.options(url + "/completion", timeout=PATIENCE_S, headers={"Origin": origin})
        assert preflight.status_code < 500
    # A client that leaves in the middle.
    with session.post(
        url + "/completion", json={"prompt": "a", "stream": True}, stream=True, timeout=PATIENCE_S
    ) as left:
        next(left.iter_lines())
    # What is no HTTP at all.
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(1000)
    late = _late_imports(process)
    assert not late, "\n".join(late)
