"""The public face of the engine: requests in; steps, events and snapshots out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.config import Pooling
from service.engine.cache.full_contexts import FullContexts
from service.engine.cache.salts import salt_with_adapters
from service.engine.output.output import Ending
from service.engine.parts import make_parts
from service.engine.request.events import AdaptersSet, Delivery, Failed, FinishReason, Sink
from service.engine.request.media import MediaRow
from service.engine.request.prompt_media import media_in
from service.engine.request.requests import (
    AdaptersRequest,
    EmbeddingRequest,
    GenerationRequest,
    Request,
    SystemPromptRequest,
)
from service.engine.request.slot_requests import EraseSlot, RestoreSlot, SaveSlot
from service.engine.request.snapshots import EngineSnapshot
from service.engine.request.task import Task, unforeseen
from service.engine.schedule.admission_loop import AdmissionLoop
from service.engine.schedule.system_prompt_work import SystemPromptWork
from service.engine.step import Step
from service.errors import ContextLengthExceeded, Draining, InvalidArgument, NotSupported, ServiceError, SlotsBusy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.config import EngineConfig
    from service.engine.cache.dump import LedgerDump
    from service.engine.language_model import CausalModel
    from service.engine.request.media import MediaChunk
    from service.engine.request.sequence import MoveListener
    from service.engine.schedule.long_steps import LongSteps


class Engine:
    """Runs requests on one model. Not thread-safe: ``EngineThread`` drives it.

    Invariant after every step: for each slot, ``slot.items`` is what the model's memory holds for its sequence.

    Args:
        model: the model; all of its sequences belong to the engine: the first ones to the slots, one to the system
            prompt, the rest to inputs that are being embedded.
        config: slots and limits.
        clock: seconds from any start, monotonic.

    Raises:
        InvalidArgument: the model cannot do what the configuration asks for.
    """

    def __init__(self, model: CausalModel, config: EngineConfig, clock: Callable[[], float]) -> None:
        self._info = model.info
        if config.group_n > 1 and not self._info.can_shift:
            raise InvalidArgument("group_n", f"is {config.group_n}; this model's positions are fixed: allowed is 1")
        self._parts = parts = make_parts(model, config, clock)
        self._clock = clock
        self._system = SystemPromptWork(parts)
        self._admission = AdmissionLoop(parts)
        self._contexts = FullContexts(parts)
        self._step = Step(parts)

    @property
    def has_work(self) -> bool:
        """Whether another step would do anything."""
        return bool(self._parts.outbox) or bool(self._parts.slot_work) or self._is_serving

    @property
    def _is_serving(self) -> bool:
        return (
            bool(self._parts.waiting)
            or self._parts.embedding.has_work
            or self._system.has_work
            or any(not slot.is_idle for slot in self._parts.slots)
        )

    @property
    def queue_depth(self) -> int:
        """Requests that wait for a slot, or to be embedded."""
        return self._parts.waiting.n_tasks + self._parts.embedding.n_waiting + len(self._parts.slot_work)

    @property
    def n_sharing(self) -> int:
        """Sequences that wait for what another request evaluates, as far as the last step found out."""
        return self._admission.n_sharing

    @property
    def long_steps(self) -> LongSteps:
        """Lets other threads end a long step."""
        return self._parts.long_steps

    def listen(self, listener: MoveListener) -> None:
        """Tell a listener of every move that a sequence makes from now on, right after it."""
        self._parts.listeners.append(listener)

    def submit(self, task_id: int, request: Request, sink: Sink, arrived_s: float | None = None) -> None:
        """Queue a request; it is looked at in the next step.

        Args:
            task_id: number of the request.
            request: what is asked for.
            sink: takes its events.
            arrived_s: when it arrived, if that was earlier than now.
        """
        arrived_s = self._clock() if arrived_s is None else arrived_s
        if self._is_serving:
            self._parts.long_steps.come()
        try:
            match request:
                case GenerationRequest():
                    self._check_media(request)
                    task = self._task(task_id, request, sink, arrived_s)
                    if request.system_prompt is not None:
                        self._check_idle()
                        self._system.change(request.system_prompt)
                    self._parts.waiting.add(task)
                case EmbeddingRequest():
                    self._check_inputs(request)
                    self._parts.embedding.submit(task_id, request, sink)
                case SystemPromptRequest():
                    self._check_idle()
                    self._system.submit(task_id, request.system_prompt, sink)
                case AdaptersRequest():
                    self._check_idle("LoRA adapters")
                    self._use_adapters(request.scales)
                    self._parts.outbox.put(task_id, sink, AdaptersSet())
                case SaveSlot() | RestoreSlot() | EraseSlot():
                    self._parts.slot_work.submit(task_id, request, sink)
        except ServiceError as error:
            self._refuse(task_id, sink, error)
        except Exception as error:
            self._refuse(task_id, sink, unforeseen(task_id, error))

    def _task(self, task_id: int, request: GenerationRequest, sink: Sink, arrived_s: float) -> Task:
        """The task of a request. One with other scales of adapters than everybody shares no caches with them."""
        scales = request.adapter_scales
        if scales is None:
            return Task(task_id, request, sink, arrived_s)
        n_adapters = len(self._info.adapters)
        if len(scales) != n_adapters:
            raise InvalidArgument("lora", f"has {len(scales)} scales; the model has {n_adapters} adapters")
        own_scales = self._parts.memory.own_scales(scales)
        salted = replace(request, cache_salt=salt_with_adapters(request.cache_salt, own_scales))
        return Task(task_id, salted, sink, arrived_s, own_scales)

    def _refuse(self, task_id: int, sink: Sink, error: ServiceError) -> None:
        """Fail a request that could not be queued, or only in part."""
        task = self._parts.endings.find(task_id)
        if task is not None:
            self._parts.endings.fail(task, error)
        else:
            self._parts.outbox.put(task_id, sink, Failed(error))

    def cancel(self, task_id: int) -> None:
        """End a request without further events; unknown ids are ignored, for the request may have ended."""
        task = self._parts.endings.find(task_id)
        if task is not None:
            self._parts.endings.cancel(task)
        else:
            self._parts.embedding.cancel(task_id)
            self._parts.slot_work.cancel(task_id)

    def stop(self) -> list[Delivery]:
        """End all requests: running sequences finish as cancelled, all others are refused."""
        for slot in self._parts.slots:
            if slot.sequence is not None:
                self._parts.endings.finish(slot, Ending(FinishReason.CANCELLED))
        return self.fail_all(Draining())

    def fail_all(self, error: ServiceError) -> list[Delivery]:
        """Fail every request that has not ended."""
        for slot in self._parts.slots:
            if slot.sequence is not None:
                self._parts.endings.fail(slot.sequence.task, error)
        for task in self._parts.waiting.tasks():
            self._parts.endings.fail(task, error)
        self._parts.embedding.fail_all(error)
        self._parts.slot_work.fail_all(error)
        self._system.fail(error)
        return self._parts.outbox.take()

    def snapshot(self) -> EngineSnapshot:
        """The engine as it is now."""
        memory, totals = self._parts.memory, self._parts.totals
        return EngineSnapshot(
            slots=tuple(slot.snapshot() for slot in self._parts.slots),
            queue_depth=self.queue_depth,
            kv_cells_used=memory.cells_used,
            kv_cells_total=self._info.n_cells,
            counters=totals.counters(),
            system_prompt=self._parts.system.current,
            distributions=totals.distributions(),
            saved_prompts=len(memory.saved),
            saved_bytes=memory.saved.n_bytes,
            restored_prompts=memory.saved.n_restored,
            waiting_prompt_tokens=self._parts.waiting.n_prompt + self._parts.embedding.n_outstanding,
            waiting_output_tokens=self._parts.waiting.n_output,
            n_ctx=self._parts.config.n_ctx_slot - len(self._parts.system.tokens),
            adapter_scales=memory.adapter_scales,
            prompt_tokens_per_second=totals.prompt_rate,
        )

    def dump(self) -> LedgerDump:
        """What is recorded of the KV cache, to be compared with what the model holds."""
        return self._parts.memory.dump()

    def step(self, deliver_early: Callable[[list[Delivery]], None] | None = None) -> list[Delivery]:
        """Do one step and return its events, in order per request.

        Args:
            deliver_early: takes what there is to tell before the model computes; None to return that with the rest.
        """
        started_s = self._clock()
        if not self._system.run():
            self._parts.slot_work.run()
            self._admission.run()
            self._step.begin_known()
            if deliver_early is not None and self._parts.outbox:
                deliver_early(self._parts.outbox.take())
            self._parts.memory.limit_idle()
            self._contexts.make_room()
            self._step.do()
        self._parts.totals.end_step(self._clock() - started_s)
        return self._parts.outbox.take()

    def _use_adapters(self, scales: tuple[float, ...]) -> None:
        """Put scales of adapters in force, which makes all useless that was evaluated with others."""
        memory = self._parts.memory
        if scales == memory.adapter_scales:
            return
        self._parts.turns.change_for_everybody(scales)
        memory.drop_all()
        self._parts.prompt_logits.clear()
        self._parts.system.forget()

    def _check_idle(self, what: str = "system prompt") -> None:
        """Refuse to change what concerns everybody while any request is served."""
        if self._is_serving or self._parts.slot_work:
            raise SlotsBusy(what)

    def _check_media(self, request: GenerationRequest) -> None:
        """Refuse what cannot be had of a prompt with media."""
        if not request.media:
            return
        self._check_chunks(request.media)
        if request.prompt_logprobs is not None:
            raise InvalidArgument("prompt_logprobs", "cannot be had of a prompt with pictures; leave one of them out")
        if self._parts.config.group_n > 1:
            raise NotSupported("with self-extend (group_n above 1) prompts cannot have pictures")

    def _check_chunks(self, media: Mapping[bytes, MediaChunk]) -> None:
        """Refuse media that the model cannot evaluate, which would fail whoever is in the same call."""
        info = self._info
        for chunk in media.values():
            n_rows, width = chunk.rows.shape
            if width != info.n_embd_input or (chunk.grid is not None and not info.has_grid):
                raise NotSupported("the projector's pictures are not of the kind that this model takes")
            if not chunk.is_causal and n_rows > info.n_whole:
                raise NotSupported(
                    f"a picture takes {n_rows} tokens that this model must see at once; at most {info.n_whole} can be, "
                    "so start the server with a larger batch"
                )

    def _check_inputs(self, request: EmbeddingRequest) -> None:
        """Refuse what would never fit beside the system prompt."""
        n_ctx = self._parts.config.n_ctx_slot - len(self._parts.system.tokens)
        longest = max(map(len, request.inputs))
        if longest >= n_ctx:
            raise ContextLengthExceeded(longest, n_ctx)
        self._check_chunks(request.media)
        for items in request.inputs:
            media_in(items, request.media)
        chunks = list(request.media.values())
        if self._info.pooling is Pooling.LAST:
            # States are needed of what inputs end with.
            last = [items[-1] for items in request.inputs]
            chunks = [request.media[item.key] for item in last if isinstance(item, MediaRow)]
        for chunk in chunks:
            if not chunk.is_causal and len(chunk.rows) > self._info.n_hidden:
                raise NotSupported(
                    f"a picture of {len(chunk.rows)} tokens that this model sees at once cannot be embedded; "
                    f"at most {self._info.n_hidden} can be"
                )
