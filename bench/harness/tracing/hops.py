"""The way of a request from mark to mark."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bench.harness.errors import BenchError
from bench.harness.tracing.recorder import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: A client is another process, whose processor time does not count.
_CLIENT_THREAD = 0


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
    """

    wall_ms: float
    cpu_ms: float | None


_IN_CORE: Final = (
    Hop("core: checks before preparation", "call checked"),
    Hop("core: to a thread of the pool", "preparation begun"),
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
    Hop("core: wake of the servicer, first message", "accepted made"),
    Hop("core: write of the first message", "delta made"),
)

GRPC_HOPS: Final = (
    Hop("RPC client -> core", "call arrived"),
    *_IN_CORE,
    Hop("RPC core -> client", ""),
)

REST_HOPS: Final = (
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


def follow(hops: Sequence[Hop], request: Request, marks: Mapping[str, Sequence[Mark]]) -> list[Passage]:
    """What a request took on each hop, in their order; together they are the whole time between the client's ends.

    For a request that was alone on the server: each hop ends with the first mark of its name after the hop before.

    Raises:
        BenchError: a mark is missing before the client had the answer.
    """
    passed = [Mark(request.sent_ns, _CLIENT_THREAD, 0)]
    for hop in hops:
        passed.append(_next(hop, marks, passed[-1].ns, request.arrived_ns))
    return [_passage(begin, end) for begin, end in pairwise(passed)]


def _next(hop: Hop, marks: Mapping[str, Sequence[Mark]], after_ns: int, before_ns: int) -> Mark:
    if not hop.end:
        return Mark(before_ns, _CLIENT_THREAD, 0)
    candidates = marks[hop.end]
    index = bisect_left(candidates, after_ns, key=lambda mark: mark.ns)
    if index == len(candidates) or candidates[index].ns > before_ns:
        raise BenchError(f"a request never came to the end of {hop.name!r}: no mark {hop.end!r} before its first token")
    return candidates[index]


def _passage(begin: Mark, end: Mark) -> Passage:
    is_one_thread = begin.thread == end.thread != _CLIENT_THREAD
    return Passage((end.ns - begin.ns) / 1e6, (end.cpu_ns - begin.cpu_ns) / 1e6 if is_one_thread else None)
