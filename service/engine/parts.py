"""What the parts of an engine share, made once and passed on as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.cache.prompt_logits import PromptLogits
from service.engine.cache.slot_memory import SlotMemory
from service.engine.cache.slots import Slot
from service.engine.cache.system_prompt import SystemPromptHolder
from service.engine.draft.model_drafter import ModelDrafter
from service.engine.output.endings import Endings
from service.engine.output.outbox import Outbox
from service.engine.request.waiting import WaitingSequences
from service.engine.schedule.adapter_turns import AdapterTurns
from service.engine.schedule.embedding import EmbeddingWork
from service.engine.schedule.long_steps import LongSteps
from service.engine.schedule.preemption import Preemption
from service.engine.schedule.prefill_budget import PrefillBudget
from service.engine.schedule.slot_work import SlotWork
from service.engine.statistics.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.config import EngineConfig
    from service.engine.draft.drafter import Drafter
    from service.engine.language_model import CausalModel
    from service.engine.request.sequence import MoveListener


@dataclass(frozen=True, slots=True)
class EngineParts:
    """An engine's model and state, and what its work on them has in common.

    Attributes:
        model: the model.
        config: slots and limits.
        clock: seconds from any start, monotonic.
        listeners: are told of the moves of all sequences; more may be added.
        totals: what was done since start; the first listener.
        slots: the places in which sequences run.
        memory: what they hold.
        prompt_logits: the logits behind prompts that were evaluated.
        waiting: the sequences that have no slot.
        system: the system prompt.
        outbox: the events of this step.
        embedding: the inputs that are being embedded.
        budget: how many prompt tokens a step may have.
        long_steps: when it may have more, and who ends it then.
        preemption: moves sequences out of their slots and back.
        endings: ends sequences.
        drafter: guesses how sequences go on; None without a draft model.
        slot_work: saves, restores and erases what slots hold.
        turns: who is in a step, if sequences have different scales of LoRA adapters.
    """

    model: CausalModel
    config: EngineConfig
    clock: Callable[[], float]
    listeners: list[MoveListener]
    totals: Totals
    slots: Sequence[Slot]
    memory: SlotMemory
    prompt_logits: PromptLogits
    waiting: WaitingSequences
    system: SystemPromptHolder
    outbox: Outbox
    embedding: EmbeddingWork
    budget: PrefillBudget
    long_steps: LongSteps
    preemption: Preemption
    endings: Endings
    drafter: Drafter | None
    slot_work: SlotWork
    turns: AdapterTurns


def make_parts(model: CausalModel, config: EngineConfig, clock: Callable[[], float]) -> EngineParts:
    """The parts of a new engine.

    Args:
        model: its first sequences belong to the slots, the next one to the system prompt, and the remaining ones to
            inputs that are being embedded.
        config: slots and limits.
        clock: seconds from any start, monotonic.
    """
    info = model.info
    slots = [Slot(slot_id) for slot_id in range(config.n_slots)]
    totals = Totals(clock)
    listeners: list[MoveListener] = [totals.on_move]
    waiting = WaitingSequences(config, listeners)
    idle_s = config.idle_prefill_budget_ms / 1000
    memory = SlotMemory(info, model.memory, slots, config)
    outbox = Outbox()
    system = SystemPromptHolder(model.compute, info.n_batch, config.n_slots, memory, clock)
    embedding = EmbeddingWork(info, model.memory, range(config.n_slots + 1, info.n_seq_max), outbox)
    return EngineParts(
        model=model,
        config=config,
        clock=clock,
        listeners=listeners,
        totals=totals,
        slots=slots,
        memory=memory,
        prompt_logits=PromptLogits(config.n_slots),
        waiting=waiting,
        system=system,
        outbox=outbox,
        embedding=embedding,
        budget=PrefillBudget(busy_s=config.prefill_budget_ms / 1000, idle_s=idle_s),
        long_steps=LongSteps(
            model.interruption, clock, usual_s=idle_s, longest_s=config.alone_prefill_budget_ms / 1000
        ),
        preemption=Preemption(slots, memory, waiting, clock),
        endings=Endings(slots, memory, waiting, embedding, outbox, clock),
        drafter=None if model.draft is None else ModelDrafter(model.draft, config.n_slots, info.n_vocab),
        slot_work=SlotWork(info, config, slots, memory, system, outbox, clock),
        turns=AdapterTurns(slots, embedding, memory, model.compute),
    )
