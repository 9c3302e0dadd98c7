"""Runs the cases with the Python client: ``python -m tests.clients.runner CASES PORTS [--asyncio] [--hold]``."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from slotline.client import AsyncClient, Client, SlotlineError, Tls
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, rerank_pb2, tokenization_pb2
from tests.clients.outcome import Outcome, as_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from google.protobuf.message import Message

Case = dict[str, Any]
#: Whoever waits longer has found a hang.
_CASE_S = 20.0
_POLL_S = 0.01
#: A process that dies is started again, on a machine that may be busy.
_READY_S = 60.0
_KEYS = {"name", "core", "key", "tls", "metadata", "rpc", "request", "repeat", "actions", "expect", "once_ready"}
_ACTIONS = {"cancel_after", "deadline_ms", "then"}
_REQUESTS: dict[str, type[Message]] = {
    "Generate": generation_pb2.GenerateRequest,
    "Embed": embedding_pb2.EmbedRequest,
    "Rerank": rerank_pb2.RerankRequest,
    "Tokenize": tokenization_pb2.TokenizeRequest,
    "Detokenize": tokenization_pb2.DetokenizeRequest,
    "ListModels": model_pb2.ListModelsRequest,
    "GetModel": model_pb2.GetModelRequest,
    "Health": model_pb2.HealthRequest,
    "ListSlots": model_pb2.ListSlotsRequest,
    "ApplyTemplate": model_pb2.ApplyTemplateRequest,
    "GetMetrics": model_pb2.GetMetricsRequest,
}


class InThread:
    """The blocking client behind the methods of the other one, so that one runner tries both."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._client = Client(*arguments, **options)

    async def close(self) -> None:
        """Close the client."""
        await asyncio.to_thread(self._client.close)

    async def call(self, request: Message, **options: Any) -> Any:
        """A unary call."""
        return await asyncio.to_thread(self._client.call, request, **options)

    def generate(self, request: generation_pb2.GenerateRequest, **options: Any) -> GenerationInThread:
        """A stream."""
        return GenerationInThread(self._client.generate(request, **options))

    def watch_health(self, service: str) -> AsyncIterator[str]:
        """A watch."""
        return _from_thread(self._client.watch_health(service))


class GenerationInThread:
    """A stream of the blocking client."""

    def __init__(self, generation: Any) -> None:
        self.cancel: Callable[[], None] = generation.cancel
        self._generation = generation

    def messages(self) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """Its messages."""
        return _from_thread(self._generation.messages())


async def _from_thread(items: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item


def client_for(case: Case, ports: dict[str, Any], kind: Any) -> Any:
    """The client that a case wants."""
    names = case["core"] if isinstance(case["core"], list) else [case["core"]]
    files, how = ports["tls"], case.get("tls")
    own = {"mutual": "", "stranger": "other_"}.get(how or "")
    pair = {} if own is None else {"cert": files[f"{own}cert"], "key": files[f"{own}key"]}
    metadata = dict(case.get("metadata", {}))
    options = {name: metadata.pop(name) for name in ("priority", "tenant", "prefix_key") if name in metadata}
    return kind(
        [ports["cores"][name] for name in names],
        api_key=case.get("key"),
        tls=Tls(ca=files["ca"], **pair) if how else None,
        metadata=metadata,
        **options,
    )


def request_of(case: Case) -> Message:
    """The request of a case."""
    fields = copy.deepcopy(case["request"])
    for path, times in case.get("repeat", {}).items():
        *parents, last = path.split(".")
        place = fields
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[last] *= times
    return json_format.ParseDict(fields, _REQUESTS[case["rpc"]]())


async def run_call(client: Any, case: Case) -> Outcome:
    """Make the call of a case."""
    outcome, actions = Outcome(), case.get("actions", {})
    deadline_s = actions["deadline_ms"] / 1000 if "deadline_ms" in actions else None
    try:
        if case["rpc"] == "Health.Watch":
            async with contextlib.aclosing(client.watch_health(case["request"].get("service", ""))) as watch:
                while len(outcome.statuses) < len(case["expect"].get("statuses", "1")):
                    outcome.statuses.append(await anext(watch))
        elif case["rpc"] == "Generate":
            await _stream(client.generate(request_of(case), deadline_s=deadline_s), outcome, actions)
        else:
            outcome.response = as_json(await client.call(request_of(case), deadline_s=deadline_s))
    except SlotlineError as error:
        outcome.error = error
    if "idle_within_ms" in case["expect"]:
        outcome.idle_ms = await _until_idle(client, case["expect"]["idle_within_ms"])
    return outcome


async def _stream(generation: Any, outcome: Outcome, actions: dict[str, Any]) -> None:
    async for message in generation.messages():
        outcome.add(message)
        if outcome.events.count("delta") == actions.get("cancel_after"):
            generation.cancel()
            outcome.cancelled = True
            actions = {}


async def _until_ready(client: Any) -> None:
    ends_s = time.monotonic() + _READY_S
    while time.monotonic() < ends_s:
        with contextlib.suppress(SlotlineError):
            await client.call(model_pb2.HealthRequest())
            return
        await asyncio.sleep(_POLL_S)


async def _until_idle(client: Any, within_ms: float) -> float:
    started_s = time.monotonic()
    while (passed_ms := 1000 * (time.monotonic() - started_s)) <= within_ms:
        slots = (await client.call(model_pb2.ListSlotsRequest())).slots
        if all(slot.state == model_pb2.SLOT_STATE_IDLE for slot in slots):
            return passed_ms
        await asyncio.sleep(_POLL_S)
    return float("inf")


async def run_case(case: Case, ports: dict[str, Any], kind: Any) -> list[str]:
    """Run a case; returns what is not as expected."""
    problems = []
    client = client_for(case, ports, kind)
    try:
        following: Case | None = case
        while following is not None:
            actions = following.get("actions", {})
            unknown = (following.keys() - _KEYS) | (actions.keys() - _ACTIONS)
            problems += [f"unknown keys {unknown}"] if unknown else []
            if following.get("once_ready"):
                await _until_ready(client)
            try:
                async with asyncio.timeout(_CASE_S):
                    problems += (await run_call(client, following)).differences(following["expect"])
            except TimeoutError:
                problems.append(f"nothing came for {_CASE_S:.0f} s")
            following = actions.get("then")
    finally:
        await client.close()
    return problems


async def hold(ports: dict[str, Any], kind: Any) -> None:
    """Read a stream until somebody kills this process."""
    client = client_for({"core": "plain"}, ports, kind)
    generation = client.generate(generation_pb2.GenerateRequest(text="slow"))
    outcome = Outcome()
    async for message in generation.messages():
        outcome.add(message)
        if outcome.events.count("delta") == 2:
            print("holding", flush=True)


async def main(arguments: list[str]) -> int:
    """Run all cases; returns the exit code."""
    files = [one for one in arguments if not one.startswith("--")]
    cases, ports = (json.loads(Path(file).read_text()) for file in files)
    kind = AsyncClient if "--asyncio" in arguments else InThread
    if "--hold" in arguments:
        await hold(ports, kind)
        return 0
    n_failed = 0
    for case in cases["cases"]:
        problems = await run_case(case, ports, kind)
        n_failed += bool(problems)
        if problems:
            print(f"FAILED {case['name']}: {'; '.join(problems)}")
    # grpcio 1.66 can hang if channels that are in cycles with errors are collected while the interpreter ends.
    gc.collect()
    print(f"{len(cases['cases']) - n_failed} passed, {n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
