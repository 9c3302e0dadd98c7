"""Ten times more work than the server can do: what still gets done, how the rest is turned away, and what remains.

Slotline is started with a short queue, because only then it refuses anything. llama-server has no such limit.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, AS_SOON, Quantity, Sample, compare
from bench.harness.crowd import CrowdResult, closed_crowd, open_crowd
from bench.harness.errors import BenchError, RefusedError
from bench.harness.load import Job, StreamTiming, Target
from bench.harness.report import Goal, Result
from bench.harness.stats import percentile

if TYPE_CHECKING:
    from bench.settings import Settings

_FACTOR = 10
_TOKENS = 32
#: How often a refused probe is sent again after the crowd has gone, and how long it waits before.
_PROBES = 200
_PROBE_PAUSE_S = 0.05
#: The next request after an overload, against llama-server's.
_RECOVERY = Goal("at most", 0.1)
#: Requests that wait, per slot.
_QUEUE_PER_SLOT = 2


def run(settings: Settings) -> Result:
    """Measure the servers in turns over REST."""
    title = (
        f"{_FACTOR * settings.n_slots} clients on {settings.n_slots} slots, then {_FACTOR} times the requests per "
        f"second that {settings.n_slots} clients got; about {_TOKENS} tokens each; {settings.overload_s:g} s each"
    )
    ours = ("--max-queue", str(_QUEUE_PER_SLOT * settings.n_slots))
    return compare(settings, "overload", title, _QUANTITIES, partial(_measure, settings), ours=ours, has_grpc=False)


def _of_kind(kind: str) -> tuple[Quantity, ...]:
    return (
        Quantity(f"{kind}: goodput", "tokens/s", ratio_goal=AS_FAST),
        Quantity(f"{kind}: goodput / at capacity", "", Goal("at least", 0.95)),
        Quantity(f"{kind}: answered", "requests"),
        # What a server without a limit turns away is nothing to compare with.
        Quantity(f"{kind}: turned away", "requests", is_of_peers=False),
        Quantity(f"{kind}: turned away with Retry-After", "", Goal("at least", 1.0), is_of_peers=False),
        Quantity(f"{kind}: other failures", "requests", Goal("at most", 0.0)),
        Quantity(f"{kind}: abandoned at the end", "requests"),
        Quantity(f"{kind}: first token of answered p50", "ms", ratio_goal=AS_SOON),
        Quantity(f"{kind}: first token of answered p99", "ms", ratio_goal=AS_SOON),
        Quantity(f"{kind}: next request's first token", "ms", ratio_goal=_RECOVERY),
    )


_CLOSED, _OPEN = "closed loop", "open loop"
_QUANTITIES = (Quantity("goodput at capacity", "tokens/s", ratio_goal=AS_FAST), *_of_kind(_CLOSED), *_of_kind(_OPEN))


async def _measure(settings: Settings, target: Target) -> Sample:
    n_slots, seconds = settings.n_slots, settings.overload_s
    capacity = await closed_crowd(target, n_slots, _TOKENS, seconds)
    if not capacity.answered or capacity.failures:
        raise BenchError(f"a server failed without overload: {capacity.failures[:3] or 'nothing was answered'}")
    closed = await closed_crowd(target, _FACTOR * n_slots, _TOKENS, seconds)
    after_closed = await _probe(target)
    rate = _FACTOR * len(capacity.answered) / seconds
    opened = await open_crowd(target, rate, _TOKENS, seconds)
    after_open = await _probe(target)
    return {
        "goodput at capacity": capacity.goodput,
        **_values(_CLOSED, closed, capacity, after_closed),
        **_values(_OPEN, opened, capacity, after_open),
    }


def _values(kind: str, outcome: CrowdResult, capacity: CrowdResult, recovery_ms: float) -> Sample:
    first_ms = [timing.first_token_ms for timing in outcome.answered]
    return {
        f"{kind}: goodput": outcome.goodput,
        f"{kind}: goodput / at capacity": outcome.goodput / capacity.goodput,
        f"{kind}: answered": len(outcome.answered),
        f"{kind}: turned away": outcome.n_refused + len(outcome.failures),
        f"{kind}: turned away with Retry-After": outcome.orderly_share,
        f"{kind}: other failures": len(outcome.failures),
        f"{kind}: abandoned at the end": outcome.n_abandoned,
        f"{kind}: first token of answered p50": percentile(first_ms, 50) if first_ms else 1000 * outcome.seconds,
        f"{kind}: first token of answered p99": percentile(first_ms, 99) if first_ms else 1000 * outcome.seconds,
        f"{kind}: next request's first token": recovery_ms,
    }


async def _probe(target: Target) -> float:
    """Milliseconds from the end of the overload to the first token of a short request, refusals included."""
    job = Job("The old garden gate creaked and then", n_tokens=1, seed=1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    for _ in range(_PROBES):
        before_ms = 1000 * (loop.time() - started)
        try:
            timing: StreamTiming = await target.generate(job)
        except RefusedError:
            await asyncio.sleep(_PROBE_PAUSE_S)
        else:
            return before_ms + timing.first_token_ms
    raise BenchError(f"a server still refused requests {_PROBES * _PROBE_PAUSE_S:g} s after the overload had ended")
