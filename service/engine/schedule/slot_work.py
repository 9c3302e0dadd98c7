"""Saving, restoring and erasing what slots hold: between steps, and as soon as a slot is idle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.cache.salts import salt_with_adapters, salt_without_adapters, scales_in
from service.engine.language_model import CacheFull, DecodeFailed
from service.engine.request.events import Failed, SlotErased, SlotRestored, SlotSaved
from service.engine.request.slot_requests import EraseSlot, RestoreSlot, SaveSlot, SlotImage
from service.engine.request.task import unforeseen
from service.errors import (
    CacheExhausted,
    EngineFailure,
    InvalidArgument,
    NotAllowed,
    NotSupported,
    ServiceError,
)
from slotline.protocol.reasons import KV_CELLS_TOTAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.config import EngineConfig
    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.cache.system_prompt import SystemPromptHolder
    from service.engine.language_model import ModelInfo
    from service.engine.output.outbox import Outbox
    from service.engine.request.events import Sink
    from service.engine.request.slot_requests import SlotRequest


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """A request that waits for its slot."""

    task_id: int
    request: SlotRequest
    sink: Sink


class SlotWork:
    """Does what is asked of slots themselves, in order of arrival for each slot.

    A slot that is idle at the beginning of a step is first given to what waits here, and then to new sequences: so
    nobody waits for longer than the sequence that runs.

    Args:
        info: facts about the model.
        config: slots and limits.
        slots: the slots.
        memory: what they hold.
        system: the system prompt.
        outbox: takes the answers.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        info: ModelInfo,
        config: EngineConfig,
        slots: Sequence[Slot],
        memory: SlotMemory,
        system: SystemPromptHolder,
        outbox: Outbox,
        clock: Callable[[], float],
    ) -> None:
        self._info = info
        self._config = config
        self._slots = slots
        self._memory = memory
        self._system = system
        self._outbox = outbox
        self._clock = clock
        self._pending: list[_Pending] = []

    def __len__(self) -> int:
        """Requests that wait."""
        return len(self._pending)

    def submit(self, task_id: int, request: SlotRequest, sink: Sink) -> None:
        """Queue a request.

        Raises:
            InvalidArgument: there is no such slot.
            NotSupported: with self-extend, or with this model, a slot cannot be saved or restored.
        """
        if not 0 <= request.slot_id < len(self._slots):
            raise InvalidArgument("slot_id", f"is {request.slot_id}; allowed: 0 to {len(self._slots) - 1}")
        if not isinstance(request, EraseSlot):
            if self._config.group_n > 1:
                raise NotSupported(
                    "with self-extend (group_n above 1) slots cannot be saved: positions of grouped tokens fit no "
                    "other prompt"
                )
            if not self._info.sequence_format:
                raise NotSupported("what this model holds of a prompt cannot be written to a file")
        self._pending.append(_Pending(task_id, request, sink))

    def cancel(self, task_id: int) -> None:
        """Forget a request; unknown ids are ignored."""
        self._pending = [one for one in self._pending if one.task_id != task_id]

    def fail_all(self, error: ServiceError) -> None:
        """Fail every request."""
        pending, self._pending = self._pending, []
        for one in pending:
            self._outbox.put(one.task_id, one.sink, Failed(error))

    def run(self) -> None:
        """Do what is asked of idle slots."""
        for one in [one for one in self._pending if self._slots[one.request.slot_id].is_idle]:
            self._pending.remove(one)
            self._outbox.put(one.task_id, one.sink, self._outcome(one))

    def _outcome(self, one: _Pending) -> SlotSaved | SlotRestored | SlotErased | Failed:
        slot = self._slots[one.request.slot_id]
        try:
            match one.request:
                case SaveSlot():
                    return self._save(slot, one.request)
                case RestoreSlot():
                    return self._restore(slot, one.request.image)
                case EraseSlot():
                    return self._erase(slot, one.request)
        except ServiceError as error:
            return Failed(error)
        except Exception as error:
            self._memory.drop(slot)
            return Failed(unforeseen(one.task_id, error))

    def _save(self, slot: Slot, request: SaveSlot) -> SlotSaved:
        self._check_owner(slot, request.tenant)
        began_s = self._clock()
        n_items = self._memory.recall(slot)
        if not n_items:
            raise InvalidArgument("slot_id", f"is {slot.id}, but that slot holds nothing that could be saved")
        try:
            packed = self._memory.pack(slot)
        except (DecodeFailed, MemoryError) as error:
            raise EngineFailure(f"slot {slot.id} could not be copied: {error}") from error
        n_system = min(slot.n_system, n_items)
        scales = scales_in(slot.salt) or self._memory.adapter_scales
        salt = salt_without_adapters(slot.salt)
        image = SlotImage(tuple(slot.items), n_system, salt, slot.tenant, scales, tuple(packed))
        return SlotSaved(image, self._clock() - began_s)

    def _restore(self, slot: Slot, image: SlotImage) -> SlotRestored:
        self._check_image(image)
        began_s = self._clock()
        (packed,) = image.packed
        salt = salt_with_adapters(image.salt, self._memory.own_scales(image.adapter_scales))
        try:
            self._memory.unpack(slot, image.items, packed, salt)
        except CacheFull as error:
            n_cells = self._info.n_cells
            raise CacheExhausted(
                f"{len(image.items)} cells are needed, and too few of the KV cache's {n_cells} are left beside what "
                "runs",
                metadata={KV_CELLS_TOTAL: str(n_cells)},
                retry_after_s=1.0,
            ) from error
        except (DecodeFailed, ValueError) as error:
            raise InvalidArgument("filename", f"names a file that the model does not take: {error}") from error
        slot.hold(image, salt, self._clock())
        return SlotRestored(len(slot.items), self._clock() - began_s)

    def _erase(self, slot: Slot, request: EraseSlot) -> SlotErased:
        self._check_owner(slot, request.tenant)
        return SlotErased(self._memory.forget(slot))

    def _check_owner(self, slot: Slot, tenant: str) -> None:
        """Refuse what would show one tenant another one's prompt, or take it away."""
        if (slot.items or slot.moved) and slot.tenant != tenant:
            raise NotAllowed(f"slot_id: slot {slot.id} holds what another API key sent")

    def _check_image(self, image: SlotImage) -> None:
        """Refuse what this engine could not use."""
        system = self._system.tokens
        if image.n_system != len(system) or tuple(image.items[: len(system)]) != system:
            raise InvalidArgument(
                "filename", "names a file that was saved behind another system prompt than the one in force"
            )
        if len(image.adapter_scales) != len(self._info.adapters):
            raise InvalidArgument("filename", "names a file for other LoRA adapters than those of this server")
        n_vocab = self._info.n_vocab
        if not all(0 <= item < n_vocab for item in image.items if isinstance(item, int)):
            raise InvalidArgument("filename", f"names a file with tokens outside of the vocabulary of {n_vocab}")
