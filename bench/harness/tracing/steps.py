"""The way of tokens in the middle of streams: from the end of the step that chose them to the clients."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.harness.tracing.hops import Hop, Marks, Passage, client_mark, passages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.tracing.recorder import Mark

#: One way for the tokens of all streams, which the engine hands over together.
_IN_ENGINE: Final = (
    Hop("engine: record what was evaluated", "sampling begun"),
    Hop("engine: sample, text of all streams", "sampled"),
    Hop("engine: the last one's text, outbox", "step done"),
    Hop("engine: hand over", "delivered"),
)
_IN_CORE: Final = (
    Hop("core: wake of the loop", "events put"),
    Hop("core: wake of the servicer, message", "delta made"),
)

_GRPC_WAY: Final = (*_IN_CORE, Hop("RPC core -> client", ""))
_REST_WAY: Final = (
    *_IN_CORE,
    Hop("RPC core -> adapter", "delta received"),
    Hop("adapter: wake of the greenlet", "reader runs"),
    Hop("adapter: make the event", "event made"),
    Hop("socket, arrival at the client", ""),
)

#: The ways after the engine, by API.
WAYS: Final = {"REST": _REST_WAY, "gRPC": _GRPC_WAY}


@dataclass(frozen=True, slots=True)
class Step:
    """What a step's tokens took on each hop from the end of the library's call.

    Attributes:
        first: of the tokens that were the first at the end of each hop.
        last: of the last ones.
    """

    first: list[Passage]
    last: list[Passage]


def step_hops(api: str) -> Sequence[Hop]:
    """The hops of a token to a client of an API."""
    return (*_IN_ENGINE, *WAYS[api])


def follow_steps(api: str, arrivals_ns: Sequence[Sequence[int]], marks: Marks) -> list[Step]:
    """The steps that gave a token to every stream, whose client had it before the next step handed its own over.

    In all others tokens cannot be told apart, so they are left out: those in which some streams had not begun or were
    over, and those behind which a reader lagged.

    Args:
        api: of the clients.
        arrivals_ns: for each stream that ran, when its outputs arrived.
        marks: of the server.
    """
    arrivals = [client_mark(ns) for ns in sorted(ns for stream in arrivals_ns for ns in stream)]
    handed_over = _between(marks["delivered"], arrivals[0].ns, arrivals[-1].ns)
    found = []
    for before, this, following in zip(handed_over, handed_over[1:], handed_over[2:], strict=False):
        common = _in_engine(marks, before, this, len(arrivals_ns))
        groups = [_between(marks[hop.end] if hop.end else arrivals, this.ns, following.ns) for hop in WAYS[api]]
        if common and all(len(group) == len(arrivals_ns) for group in groups):
            first, last = ([*common, *(group[place] for group in groups)] for place in (0, -1))
            found.append(Step(passages(first), passages(last)))
    return found


def _in_engine(marks: Marks, before: Mark, this: Mark, n_streams: int) -> list[Mark]:
    """The marks from the end of the library's call to the hand-over; none unless each stream got a token."""
    decoded, begun, sampled, done = (
        _between(marks[name], before.ns, this.ns) for name in ("decoded", "sampling begun", "sampled", "step done")
    )
    if not (len(decoded) == len(done) == 1 and len(begun) == len(sampled) == n_streams):
        return []
    return [decoded[0], begun[0], sampled[-1], done[0], this]


def _between(marks: Sequence[Mark], begin_ns: int, end_ns: int) -> Sequence[Mark]:
    """The marks from one moment up to another."""
    begin, end = (bisect_left(marks, ns, key=lambda mark: mark.ns) for ns in (begin_ns, end_ns))
    return marks[begin:end]
