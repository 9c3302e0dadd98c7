"""The engine of a model that only makes embeddings: whole inputs in turn, without slots or a KV cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.cache.slots import Slot
from service.engine.output.outbox import Outbox
from service.engine.request.events import AdaptersSet, Delivery, Failed, Sink
from service.engine.request.requests import AdaptersRequest, EmbeddingRequest, Request
from service.engine.request.snapshots import EngineSnapshot
from service.engine.request.task import unforeseen
from service.engine.schedule.encoding import EncodingWork
from service.engine.schedule.prefill_budget import PrefillBudget, StepShape
from service.engine.statistics.totals import Totals
from service.errors import Draining, NotSupported, ServiceError, SlotsBusy

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import EngineConfig
    from service.engine.language_model import EncoderModel

_ALONE = StepShape()


class EncoderEngine:
    """Runs requests for embeddings on one encoder. Has the public face of ``Engine``; its slots are always idle.

    Args:
        model: the model.
        config: slots, which are shown, and limits.
        clock: seconds from any start, monotonic.
    """

    def __init__(self, model: EncoderModel, config: EngineConfig, clock: Callable[[], float]) -> None:
        self._info = model.info
        self._model = model
        self._adapter_scales = model.info.adapter_scales
        self._clock = clock
        self._slots = tuple(Slot(slot_id).snapshot() for slot_id in range(config.n_slots))
        self._outbox = Outbox()
        self._work = EncodingWork(model, self._outbox)
        self._budget = PrefillBudget(
            busy_s=config.prefill_budget_ms / 1000, idle_s=config.idle_prefill_budget_ms / 1000
        )
        self._totals = Totals(clock)

    @property
    def has_work(self) -> bool:
        """Whether another step would do anything."""
        return bool(self._outbox) or self._work.has_work

    @property
    def queue_depth(self) -> int:
        """Requests that wait to be embedded."""
        return self._work.n_waiting

    def submit(self, task_id: int, request: Request, sink: Sink, arrived_s: float | None = None) -> None:
        """Queue a request; the arguments are those of ``Engine.submit``."""
        if isinstance(request, AdaptersRequest):
            self._outbox.put(task_id, sink, self._use_adapters(request.scales))
            return
        if not isinstance(request, EmbeddingRequest):
            error = NotSupported("this model cannot generate text; it only makes embeddings")
            self._outbox.put(task_id, sink, Failed(error))
            return
        if request.media:
            self._outbox.put(task_id, sink, Failed(NotSupported("this model embeds text only, without pictures")))
            return
        try:
            self._work.submit(task_id, request, sink)
        except Exception as error:
            self._outbox.put(task_id, sink, Failed(unforeseen(task_id, error)))

    def _use_adapters(self, scales: tuple[float, ...]) -> AdaptersSet | Failed:
        """Put scales of adapters in force."""
        if self._work.has_work:
            return Failed(SlotsBusy("LoRA adapters"))
        self._model.encoder.use_adapters(scales)
        self._adapter_scales = scales
        return AdaptersSet()

    def cancel(self, task_id: int) -> None:
        """End a request without further events; unknown ids are ignored, for the request may have ended."""
        self._work.cancel(task_id)

    def stop(self) -> list[Delivery]:
        """Refuse all requests that have not ended."""
        return self.fail_all(Draining())

    def fail_all(self, error: ServiceError) -> list[Delivery]:
        """Fail every request that has not ended."""
        self._work.fail_all(error)
        return self._outbox.take()

    def snapshot(self) -> EngineSnapshot:
        """The engine as it is now."""
        return EngineSnapshot(
            slots=self._slots,
            queue_depth=self.queue_depth,
            kv_cells_used=0,
            kv_cells_total=self._info.n_cells,
            counters=self._totals.counters(),
            distributions=self._totals.distributions(),
            waiting_prompt_tokens=self._work.n_outstanding,
            prompt_tokens_per_second=self._totals.prompt_rate,
            adapter_scales=self._adapter_scales,
        )

    def step(self, deliver_early: object = None) -> list[Delivery]:
        """Embed some inputs and return the events, in order per request; there is nothing to tell before."""
        started_s = self._clock()
        if self._work.has_work:
            n_inputs, n_tokens = self._work.encode(self._budget.tokens(_ALONE))
            model_s = self._clock() - started_s
            self._budget.observe(n_tokens, _ALONE, model_s)
            if n_inputs:
                self._totals.add_evaluated(n_tokens, model_s, n_inputs)
            self._totals.embedded_tokens += n_tokens
            self._totals.add_prefill(n_tokens, model_s)
        self._totals.end_step(self._clock() - started_s)
        return self._outbox.take()
