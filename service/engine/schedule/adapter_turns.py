"""Sequences with different scales of LoRA adapters: the library has one set of them for a call, so they take turns.

As long as all have the scales that are in force for everybody, there is one party, and nothing here is called.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.language_model import Compute
    from service.engine.schedule.embedding import EmbeddingWork

#: Scales of sequences that have their own; None for those that are in force for everybody.
Scales = tuple[float, ...] | None


@dataclass(slots=True, eq=False)
class Party:
    """Those who are in a step.

    Attributes:
        scales: with which all of them are evaluated.
        slots: where they run; idle ones may be among them.
        embeds: whether inputs that are embedded belong to them.
        has_company: whether others wait for the next step meanwhile.
        is_awaited: whether some of these others decode.
        is_for_media: whether prompts got rows of media in the last step of the party that had prompts, and not tokens.
        is_for_states: whether these were rows whose states embeddings wait for.
        prompted_in: number of the last step in which its prompts had a turn.
    """

    scales: Scales
    slots: Sequence[Slot]
    embeds: bool
    has_company: bool = False
    is_awaited: bool = False
    is_for_media: bool = False
    is_for_states: bool = False
    prompted_in: int = 0


class AdapterTurns:
    """Says who is in the next step, and gives the model their scales.

    Turns go in rounds. In a round each set of scales with sequences that decode has one step, so that a stream waits
    for one step of each other set, and for two of the one whose prompts have their turn; and the prompts of one set
    have their time, in turn. Prompts of all sets together so get what time a step has for prompts, once in a round, as
    if there were one set.

    Args:
        slots: where sequences run.
        embedding: inputs that are embedded, with the scales that are in force for everybody.
        memory: knows these scales.
        compute: the model's.

    Attributes:
        everybody: the only party while all have the same scales.
        is_needed: whether there may be sequences with scales of their own; whoever starts one sets it.
        in_force: the scales that the model has.
    """

    def __init__(self, slots: Sequence[Slot], embedding: EmbeddingWork, memory: SlotMemory, compute: Compute) -> None:
        self.everybody = Party(None, slots, embeds=True)
        self.is_needed = False
        self.in_force: Scales = None
        self._slots = slots
        self._embedding = embedding
        self._memory = memory
        self._compute = compute
        self._n_steps = 0
        #: Of this round: who has yet to decode.
        self._left: deque[Scales] = deque()
        #: Who had prompts, or decoded, and when that was last.
        self._parties: dict[Scales, Party] = {}
        self._decoded_in: dict[Scales, int] = {}

    def use(self, scales: Scales) -> None:
        """Let the model have these scales from its next call on."""
        if scales != self.in_force:
            self._compute.use_adapters(self._memory.adapter_scales if scales is None else scales)
        self.in_force = scales

    def change_for_everybody(self, scales: tuple[float, ...]) -> None:
        """Put other scales in force for everybody; nothing may run."""
        self._compute.use_adapters(scales)
        self._memory.adapter_scales = scales
        self.in_force = None

    def next(self) -> Party:
        """Who is in the next step. Ends the turns if nobody has scales of their own any more."""
        running = _by_scales(slot for slot in self._slots if slot.sequence is not None)
        if not running.keys() - {None}:
            self.is_needed = False
            self._left.clear()
            self._parties.clear()
            self._decoded_in.clear()
            return self.everybody
        self._n_steps += 1
        decoding = _by_scales(slot for slot in self._slots if slot.is_decoding)
        while self._left:
            if (scales := self._left.popleft()) in decoding:
                return self._decoders(scales, decoding)
        self._decoded_in = {scales: self._decoded_in.get(scales, 0) for scales in running}
        prompted = [scales for scales, slots in running.items() if any(slot.prompt_remaining for slot in slots)]
        if self._embedding.has_begun and None not in prompted:
            prompted.append(None)
        if not prompted:
            self._left.extend(sorted(decoding, key=self._decoded_in.__getitem__))
            # Nobody is in a step in which there is nothing to evaluate.
            return self._decoders(self._left.popleft(), decoding) if self._left else self.everybody
        # Those that come now are behind all others, so that nobody waits for sets that keep coming.
        self._parties = {
            scales: self._parties.get(scales) or Party(scales, (), embeds=False, prompted_in=self._n_steps - 1)
            for scales in prompted
        }
        party = min(self._parties.values(), key=lambda party: party.prompted_in)
        others = [scales for scales in decoding if scales != party.scales]
        self._left.extend(sorted(others, key=self._decoded_in.__getitem__))
        party.slots = running.get(party.scales, ())
        party.embeds = party.scales is None
        party.has_company = len(running.keys() | set(prompted)) > 1
        party.is_awaited = bool(others)
        party.prompted_in = self._decoded_in[party.scales] = self._n_steps
        return party

    def _decoders(self, scales: Scales, decoding: dict[Scales, list[Slot]]) -> Party:
        """Those of a set that decode, without prompts."""
        self._decoded_in[scales] = self._n_steps
        return Party(scales, decoding[scales], embeds=False)


def _by_scales(slots: Iterable[Slot]) -> dict[Scales, list[Slot]]:
    """Slots in which something runs, by the scales of that."""
    found: dict[Scales, list[Slot]] = {}
    for slot in slots:
        assert slot.sequence is not None
        found.setdefault(slot.sequence.task.own_scales, []).append(slot)
    return found
