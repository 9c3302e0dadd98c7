"""The way of a request from mark to mark, and of the tokens of a step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from bench.harness.errors import BenchError
from bench.harness.tracing.recorder import Mark

#: A client is another process, whose processor time does not count.
_CLIENT_THREAD = 0

Marks = Mapping[str, Sequence[Mark]]


@dataclass(frozen=True, slots=True)
class Hop:
    """A part of the way.

    Attributes:
        name: what happens there.
        end: the mark with which it ends; it begins where the one before it ends. Empty for the client's end.
    """

    name: str
    end: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a client saw, in nanoseconds of ``time.perf_counter_ns()``.

    Attributes:
        sent_ns: when it began to send.
        arrived_ns: when it had the first token.
    """

    sent_ns: int
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class Passage:
    """What one request took on one hop.

    Attributes:
        wall_ms: how long it took.
        cpu_ms: processor time within it; None if another thread than at its beginning ended it.
        ready_ms: how long the thread was ready to run within it while no processor was free; None as above. What is
            left of ``wall_ms`` the thread waited for others: for the GIL, if it does no input and output.
    """

    wall_ms: float
    cpu_ms: float | None = None
    ready_ms: float | None = None


_IN_CORE: Final = (
    Hop("core: checks before preparation", "call checked"),
    Hop("core: to the preparation", "preparation begun"),
    Hop("core: prepare (check options, tokenise)", "prepared"),
    Hop("core: back to the loop", "submitted"),
    Hop("engine: queue wait (inbox)", "taken"),
    Hop("engine: admit", "admitted"),
    Hop("engine: plan, fill the batch", "decode begun"),
    Hop("engine: step (library)", "decoded"),
    Hop("engine: record what was evaluated", "sampling begun"),
    Hop("engine: sample", "sampled"),
    Hop("engine: text, outbox", "step done"),
    Hop("engine: snapshot", "delivered"),
    Hop("core: wake of the loop", "events put"),
    Hop("core: wake of the servicer, the token's message", "delta made"),
)

_GRPC_HOPS: Final = (
    Hop("RPC client -> core", "call arrived"),
    *_IN_CORE,
    Hop("RPC core -> client", ""),
)

_REST_HOPS: Final = (
    Hop("adapter: accept, first byte", "request seen"),
    Hop("adapter: head", "head read"),
    Hop("adapter: route, body, parse", "body parsed"),
    Hop("adapter: checks before the call", "call submitted"),
    Hop("adapter: wake of gRPC's thread", "call begun"),
    Hop("RPC adapter -> core", "call arrived"),
    *_IN_CORE,
    Hop("RPC core -> adapter", "delta received"),
    Hop("adapter: wake of the greenlet", "reader runs"),
    Hop("adapter: make the event", "event made"),
    Hop("socket, arrival at the client", ""),
)


#: The ways of a request, by API.
HOPS: Final[Mapping[str, Sequence[Hop]]] = {"REST": _REST_HOPS, "gRPC": _GRPC_HOPS}


def follow(hops: Sequence[Hop], request: Request, marks: Marks) -> list[Passage]:
    """What a request took on each hop, in their order; together they are the whole time between the client's ends.

    For a request that was alone on the server: each hop ends with the first mark of its name after the hop before.

    Raises:
        BenchError: a mark is missing before the client had the answer.
    """
    passed = [client_mark(request.sent_ns)]
    for hop in hops:
        passed.append(_next(hop, marks, passed[-1].ns, request.arrived_ns))
    return passages(passed)


def client_mark(ns: int) -> Mark:
    """A moment at the client."""
    return Mark(ns, _CLIENT_THREAD, 0, 0)


def passages(passed: Sequence[Mark]) -> list[Passage]:
    """What it took from each mark to the next."""
    return [_passage(begin, end) for begin, end in pairwise(passed)]


def _next(hop: Hop, marks: Marks, after_ns: int, before_ns: int) -> Mark:
    if not hop.end:
        return client_mark(before_ns)
    candidates = marks[hop.end]
    index = bisect_left(candidates, after_ns, key=lambda mark: mark.ns)
    if index == len(candidates) or candidates[index].ns > before_ns:
        raise BenchError(f"a request never came to the end of {hop.name!r}: no mark {hop.end!r} before its first token")
    return candidates[index]


def _passage(begin: Mark, end: Mark) -> Passage:
    wall_ms = (end.ns - begin.ns) / 1e6
    if begin.thread != end.thread or end.thread == _CLIENT_THREAD:
        return Passage(wall_ms)
    return Passage(wall_ms, (end.cpu_ns - begin.cpu_ns) / 1e6, (end.ready_ns - begin.ready_ns) / 1e6)
