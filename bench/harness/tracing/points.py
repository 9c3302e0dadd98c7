"""The places in the product that are marked, in the order in which a request passes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.harness.tracing.recorder import Point
from slotline.v1.generation_pb2 import GenerateResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _is_delta(value: Any) -> bool:
    """Whether a message, alone or behind the number of its call, has a part of the text."""
    message = value[-1] if isinstance(value, tuple) else value
    return isinstance(message, GenerateResponse) and message.HasField("delta")


_HANDLER: Final = "rest_adapter.http.handler"
_CLIENT: Final = "rest_adapter.core.client"
_SERVICER: Final = "service.api.servicers.inference_servicer"

ADAPTER: Final = (
    Point("request seen", _HANDLER, "ConnectionHandler.read_requestline", "return"),
    Point("head read", _HANDLER, "ConnectionHandler.handle_one_response"),
    Point("body parsed", "rest_adapter.apis.native.completion.route", "answer_generation"),
    Point("call submitted", _CLIENT, "CoreClient.generate"),
    Point("call begun", _CLIENT, "CoreClient._begin_call"),
    Point("delta received", _CLIENT, "Mailbox.put", only=_is_delta),
    Point("reader runs", "rest_adapter.apis.native.completion.reply", "CompletionReply.feed", only=_is_delta),
    Point("event made", _HANDLER, "ConnectionHandler._sendall"),
)

CORE: Final = (
    Point("call arrived", "service.api.rpc.decoding", "_Decoder._decode"),
    Point("call checked", "service.prompts.pool", "PreparationPool.run"),
    Point("preparation begun", _SERVICER, "generation_request"),
    Point("prepared", _SERVICER, "generation_request", "return"),
    Point("submitted", "service.api.core.core", "Core.submit"),
    Point("taken", "service.engine.engine", "Engine.submit"),
    Point("admitted", "service.engine.schedule.admission_loop", "AdmissionLoop.run", "return"),
    Point("decode begun", "service.llama.context.context", "Context._run_batch"),
    Point("decoded", "service.llama.context.context", "Context._run_batch", "return"),
    Point("sampling begun", "service.sampling.sampler", "Sampler.sample"),
    Point("sampled", "service.sampling.sampler", "Sampler.sample", "return"),
    Point("step done", "service.engine.engine", "Engine.step", "return"),
    Point("delivered", "service.api.core.delivery", "EventLoopBridge.deliver"),
    Point("events put", "service.api.core.collector", "Collector.put"),
    Point("delta made", _SERVICER, "StreamEncoder.encode", "item", only=_is_delta),
)

#: What is marked in each process.
POINTS: Final[Mapping[str, Sequence[Point]]] = {"adapter": ADAPTER, "core": CORE}
