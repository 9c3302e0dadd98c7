"""The state of an engine between steps, in words."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from service.engine.request.snapshots import EngineSnapshot, Outcome, SlotSnapshot, SlotState
from tests.engine.words import show_items, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.engine.cache.dump import LedgerDump, SlotDump


def describe_slots(snapshot: EngineSnapshot, n_sharing: int, names: dict[int, str]) -> list[str]:
    """What waits and what each slot does.

    Args:
        snapshot: the engine.
        n_sharing: sequences that wait for the prompt of another request.
        names: of requests, by task.
    """
    sharing = f", {n_sharing} of them for a prompt" if n_sharing else ""
    return [f"waiting: {snapshot.queue_depth}{sharing}", *(_slot(slot, names) for slot in snapshot.slots)]


def describe_cache(snapshot: EngineSnapshot, ledger: LedgerDump, positions: Sequence[Sequence[int]]) -> list[str]:
    """What is in the KV cache and what was saved from it.

    Args:
        snapshot: the engine.
        ledger: its ledger.
        positions: of each slot's tokens, in the model.
    """
    lines = [f"cells: {snapshot.kv_cells_used} of {snapshot.kv_cells_total}"]
    if ledger.system.items:
        lines.append(f"system prompt: {show_items(ledger.system.items)}")
    lines += map(_ledger_line, ledger.slots, positions)
    for saved in ledger.saved:
        salt = f", salt {saved.salt}" if saved.salt else ""
        lines.append(f"saved: {show_items(saved.items)}, {saved.n_bytes} bytes{salt}")
    return lines


def describe_totals(snapshot: EngineSnapshot) -> list[str]:
    """What was counted since the start."""
    counters = snapshot.counters
    ended = [f"{n} {outcome.value}" for outcome, n in zip(Outcome, counters.requests, strict=True) if n]
    return [
        f"requests: {', '.join(ended) or 'none'}",
        f"prompt tokens: {counters.prompt_tokens}, cached {counters.cached_prompt_tokens}",
        f"answer tokens: {counters.predicted_tokens}",
        f"drafts: tried {counters.drafted_tokens}, right {counters.accepted_tokens}",
        f"preemptions: {counters.preemptions}; restored prompts: {snapshot.restored_prompts}",
    ]


def _slot(slot: SlotSnapshot, names: dict[int, str]) -> str:
    if slot.task_id is None:
        return f"slot {slot.id}: idle, never used"
    name = names[slot.task_id]
    if slot.state is SlotState.IDLE:
        return f"slot {slot.id}: idle after {name}, said {slot.tokens_predicted}, holds {slot.cached_tokens}"
    remaining = "no limit" if slot.tokens_remaining is None else f"{slot.tokens_remaining} to go"
    return (
        f"slot {slot.id}: {slot.state.value} {name}, prompt {slot.prompt_tokens_done} of {slot.prompt_tokens}, "
        f"said {slot.tokens_predicted}, {remaining}, holds {slot.cached_tokens}"
    )


def _ledger_line(slot: SlotDump, positions: Sequence[int]) -> str:
    if not slot.items:
        return f"slot {slot.id}: empty"
    notes = [f"slot {slot.id}: {show_items(slot.items)}, {len(slot.items)} tokens"]
    if slot.n_shared:
        notes.append(f"shared {slot.n_shared}")
    if slot.n_reusable < len(slot.items):
        notes.append(f"reusable {slot.n_reusable}")
    if slot.salt:
        notes.append(f"salt {slot.salt}")
    if list(positions) != list(range(len(positions))):
        notes.append(f"positions {' '.join(_runs(positions))}")
    return ", ".join(notes)


def _runs(positions: Iterable[int]) -> list[str]:
    """Positions in short: ``0-3`` for tokens with a position each, ``4*2`` for two with the same."""
    runs: list[str] = []
    counts = [(position, len(list(equal))) for position, equal in itertools.groupby(positions)]
    for count, group in itertools.groupby(counts, key=lambda item: item[1]):
        grouped = [position for position, _ in group]
        runs.append(span(grouped[0], grouped[-1]) + (f"*{count}" if count > 1 else ""))
    return runs
