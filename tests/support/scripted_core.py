"""A whole core on the scripted model, in this process and event loop, whose steps a test can hold."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, ModelConfig
from service.model_facts import ModelFacts
from service.testing.scripted_grammar import ScriptedGrammar
from service.testing.scripted_model import BOS, EOS, N_EMBD, N_VOCAB, ScriptedEncoderModel, ScriptedModel, next_letter
from slotline.v1 import generation_pb2, inference_service_pb2_grpc, model_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from service.api.listen.connections import ConnectionLimits
    from service.api.served_model import Limits, LoadedModel
    from service.media.encoder import PictureEncoder

#: One bound for every wait in these tests: generous, so that only a hang reaches it.
WAIT_S = 30.0

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@dataclass(frozen=True)
class FimTokens:
    """Marks of an infill prompt; control characters, which no test's text contains."""

    prefix: int = 1
    suffix: int = 2
    middle: int = 3
    repository: int | None = None
    file: int | None = None


@dataclass(frozen=True)
class ByteVocabulary:
    """The scripted model's vocabulary: a token is a byte, or ``<bos>`` or ``<eos>``.

    With ``puts_blanks`` it puts a blank in front of a text, as SentencePiece does.
    """

    adds_bos: bool = False
    adds_eos: bool = False
    n_vocab: int = N_VOCAB
    bos_token: int | None = BOS
    eos_token: int | None = EOS
    eog_tokens: frozenset[int] = frozenset({EOS})
    fim_tokens: FimTokens | None = None
    adds_sep: bool = False
    adds_sep_to_pairs: bool = False
    sep_token: int | None = None
    puts_blanks: bool = False

    def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        """One token per byte; names of special tokens become these if they are recognised."""
        tokens = self._tokenize(text, parse_special=parse_special)
        return [ord(" "), *tokens] if self.puts_blanks and text else tokens

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """All tokens at once."""
        yield self.tokenize(text, parse_special=parse_special)

    def _tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        for name, token in (("<bos>", BOS), ("<eos>", EOS)):
            before, found, after = text.partition(name)
            if parse_special and found:
                return [
                    *self._tokenize(before, parse_special=True),
                    token,
                    *self._tokenize(after, parse_special=True),
                ]
        return list(text.encode())

    def split_control(self, text: str) -> list[int | str]:
        """The special tokens, and what lies between them."""
        parts = re.split("(<bos>|<eos>)", text)
        return [{"<bos>": BOS, "<eos>": EOS}.get(part, part) for part in parts if part]

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """The byte itself; the special tokens' names only on request."""
        if token < 256:
            return bytes([token])
        return {BOS: b"<bos>", EOS: b"<eos>"}[token] if special else b""

    def grammar(self, text: str) -> ScriptedGrammar:
        """A grammar of literals."""
        return ScriptedGrammar(text, n_vocab=N_VOCAB, eos=EOS, on_close=lambda: None)


#: What the scripted model says about itself.
FACTS = ModelFacts(
    name="scripted",
    family="scripted",
    description="scripted bytes",
    n_params=1,
    size_bytes=2,
    n_embd=N_EMBD,
    n_ctx_train=4096,
    chat_template=TEMPLATE,
)


class _Loaded:
    """What prompts and descriptions need beside a model's facets."""

    vocabulary = ByteVocabulary()
    facts = FACTS
    is_closed = False

    def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True


class ScriptedLoadedModel(_Loaded):
    """The scripted model; arguments are those of ``ScriptedModel``."""

    model_type: type[ScriptedModel] = ScriptedModel

    def __init__(self, **options: Any) -> None:
        model = self.model_type(**options)
        self.info, self.compute, self.memory = model.info, model.compute, model.memory
        self.interruption, self.draft = model.interruption, model.draft


class ScriptedLoadedEncoder(_Loaded):
    """The scripted encoder; arguments are those of ``ScriptedEncoderModel``."""

    vocabulary = ByteVocabulary(adds_bos=True)

    def __init__(self, **options: Any) -> None:
        model = ScriptedEncoderModel(**options)
        self.info, self.encoder = model.info, model.encoder


class Gate:
    """Lets the model sample, or not. Open at first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_left: int | None = None
        #: Set while a step waits at the closed gate.
        self.reached = threading.Event()

    def close(self, *, after: int = 0) -> None:
        """Hold the step that samples next, or the one that does so after some more tokens."""
        with self._changed:
            self.reached.clear()
            self._n_left = after

    def allow(self, n_tokens: int) -> None:
        """Let the closed gate's model sample some more tokens."""
        with self._changed:
            self._n_left = (self._n_left or 0) + n_tokens
            self._changed.notify_all()

    def open(self) -> None:
        """Let all steps through."""
        with self._changed:
            self._n_left = None
            self._changed.notify_all()

    def script(self, tokens: Sequence[int]) -> int:
        """A script that passes the gate first."""
        with self._changed:
            if self._n_left == 0:
                self.reached.set()
                assert self._changed.wait_for(lambda: self._n_left != 0, WAIT_S), "the gate was never opened"
            if self._n_left is not None:
                self._n_left -= 1
        return next_letter(tokens)


def core_config(listen: Sequence[str] = ("127.0.0.1:0",), **changes: object) -> CoreConfig:
    """A core with two slots of 256 tokens."""
    config = CoreConfig(
        model=ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2),
        alias="scripted",
        listen=tuple(listen),
        drain_timeout_s=WAIT_S,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def scripted_model(
    config: ModelConfig, kind: type[ScriptedLoadedModel] = ScriptedLoadedModel, **options: Any
) -> ScriptedLoadedModel:
    """A scripted model as the configuration wants it."""
    defaults: dict[str, Any] = {
        "n_cells": config.n_ctx,
        "n_seq_max": config.n_seq_max,
        "n_hidden": 32 if config.embedding else 0,
    }
    return kind(**(defaults | options))


def load_scripted(script: Callable[[Sequence[int]], int] = next_letter, **options: Any) -> Callable[..., LoadedModel]:
    """A ``load`` for ``CoreServer``; options are those of ``ScriptedModel``."""

    def load(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        on_progress(0.5)
        return scripted_model(config, script=script, **options)

    return load


@dataclass
class RunningCore:
    """A started core and a client's view of it."""

    server: CoreServer
    channel: grpc.aio.Channel
    inference: inference_service_pb2_grpc.InferenceServiceAsyncStub
    models: model_service_pb2_grpc.ModelServiceAsyncStub

    async def generate(self, request: generation_pb2.GenerateRequest) -> list[generation_pb2.GenerateResponse]:
        """All messages of one call."""
        return [message async for message in self.inference.Generate(request, timeout=WAIT_S)]


@contextlib.asynccontextmanager
async def running_core(
    config: CoreConfig | None = None,
    *,
    load: Callable[..., LoadedModel] | None = None,
    limits: Limits | None = None,
    connections: ConnectionLimits | None = None,
    encoder: PictureEncoder | None = None,
    wait_ready: bool = True,
) -> AsyncIterator[RunningCore]:
    """A core on the scripted model, stopped at the end; the other arguments are those of ``core_server``."""
    server = core_server(config or core_config(), load, encoder, limits=limits, connections=connections)
    async with started(server, wait_ready=wait_ready) as core:
        yield core


def core_server(
    config: CoreConfig, load: Callable[..., LoadedModel] | None, encoder: PictureEncoder | None, **options: Any
) -> CoreServer:
    """A core that is not started yet.

    Args:
        config: the core.
        load: loads the model; None for the scripted one.
        encoder: encodes pictures; None for a model that takes none.
        options: those of ``CoreServer``.
    """
    load = load or load_scripted(n_embd_input=0 if encoder is None else N_EMBD)
    if encoder is None:
        return CoreServer(config, load=load, **options)
    config = replace(config, media=replace(config.media, mmproj="/models/mmproj.gguf"))
    return CoreServer(config, load=load, make_encoder=lambda *_: encoder, **options)


@contextlib.asynccontextmanager
async def started(server: CoreServer, *, wait_ready: bool = True) -> AsyncIterator[RunningCore]:
    """A core of any model, started now and stopped at the end."""
    await server.start()
    try:
        async with client_of(server) as core:
            if wait_ready:
                await until_ready(core)
            yield core
    finally:
        assert await server.stop(), "the engine's thread did not end"


@contextlib.asynccontextmanager
async def client_of(server: CoreServer) -> AsyncIterator[RunningCore]:
    """A client of a started server's first address."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(server.addresses[0], options=options) as channel:
        yield RunningCore(
            server,
            channel,
            inference_service_pb2_grpc.InferenceServiceStub(channel),  # type: ignore[arg-type]
            model_service_pb2_grpc.ModelServiceStub(channel),  # type: ignore[arg-type]
        )


async def until_ready(core: RunningCore) -> None:
    """Wait until standard health says SERVING."""
    watch = health_stub(core.channel).Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
    async for response in watch:
        if response.status == health_pb2.HealthCheckResponse.SERVING:
            break
    watch.cancel()


def health_stub(channel: grpc.Channel | grpc.aio.Channel) -> Any:
    """Standard health; its stub has no types."""
    return health_pb2_grpc.HealthStub(channel)


def text_of(messages: Sequence[generation_pb2.GenerateResponse]) -> str:
    """The text of a stream."""
    return "".join(piece.text for message in messages for piece in message.delta.pieces)


def socket_address(directory: Path) -> str:
    """A unix socket's address in a directory."""
    return f"unix:{directory / 'core.sock'}"
