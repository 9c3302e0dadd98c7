"""The control plane's servicer. Answers come from snapshots and facts; only actions on slots wait for the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.convert.chat import RenderedChat
from service.api.convert.description import health_message, model_message, slot_message
from service.api.convert.events import duration
from service.api.convert.lora import adapter_messages, adapter_scales
from service.api.convert.pictures import picture_bytes
from service.api.guard.tenants import Tenants
from service.api.metrics.core_metrics import CoreMetrics
from service.api.rpc.call import RpcCall
from service.api.servicers.slot_actions import SlotActions
from service.engine.request.requests import AdaptersRequest
from slotline.v1 import lora_pb2, model_pb2, model_service_pb2_grpc, slot_files_pb2

if TYPE_CHECKING:
    from service.api.core.core import Core
    from service.api.served_model import ServedModel
    from slotline.v1 import sampling_pb2
    from slotline.v1.model_service_pb2_grpc import _ServicerContext as Context


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """``slotline.v1.ModelService`` on a core.

    Args:
        core: answers.
        tenants: finds out whose call it is; by default there is one tenant.
    """

    def __init__(self, core: Core, tenants: Tenants | None = None) -> None:
        self._core = core
        self._tenants = tenants or Tenants()
        self._slots = SlotActions(core)
        self._metrics = CoreMetrics(core.status, core.model)

    async def ListModels(self, request: model_pb2.ListModelsRequest, context: Context) -> model_pb2.ListModelsResponse:
        """The one model that is served."""
        async with RpcCall("ListModels", context):
            return model_pb2.ListModelsResponse(models=[self._describe(self._core.model())])

    async def GetModel(self, request: model_pb2.GetModelRequest, context: Context) -> model_pb2.GetModelResponse:
        """The model of that name."""
        async with RpcCall("GetModel", context):
            model = self._core.model(request.name)
            return model_pb2.GetModelResponse(model=self._describe(model, request.sampling_defaults))

    async def Health(self, request: model_pb2.HealthRequest, context: Context) -> model_pb2.HealthResponse:
        """The state of the core, in every state."""
        async with RpcCall("Health", context):
            return health_message(self._core.status())

    async def ListSlots(self, request: model_pb2.ListSlotsRequest, context: Context) -> model_pb2.ListSlotsResponse:
        """All slots after the engine's last step."""
        async with RpcCall("ListSlots", context):
            model, tenant = self._core.model(), self._tenant(context)
            received = self._core.received
            return model_pb2.ListSlotsResponse(
                slots=[
                    slot_message(slot, model, tenant, received.find(slot.task_id))
                    for slot in self._core.snapshot().slots
                ]
            )

    async def ApplyTemplate(
        self, request: model_pb2.ApplyTemplateRequest, context: Context
    ) -> model_pb2.ApplyTemplateResponse:
        """A conversation as the text that Generate would tokenise."""
        async with RpcCall("ApplyTemplate", context):
            model = self._core.model(request.model)
            text = await self._core.pool.run(
                request.ByteSize() - picture_bytes(request),
                lambda work: RenderedChat(request.chat, model.paced(work)).text,
                is_chat=True,
            )
            return model_pb2.ApplyTemplateResponse(text=text)

    async def GetMetrics(self, request: model_pb2.GetMetricsRequest, context: Context) -> model_pb2.GetMetricsResponse:
        """Counters, gauges and the averages of the window, in every state; a failed call starts no new window."""
        async with RpcCall("GetMetrics", context):
            return self._metrics.read(reset_window=request.reset_window)

    async def SaveSlot(
        self, request: slot_files_pb2.SaveSlotRequest, context: Context
    ) -> slot_files_pb2.SaveSlotResponse:
        """Write what a slot holds to a file; waits until the slot is idle."""
        async with RpcCall("SaveSlot", context, field_names=self._core.field_names):
            with self._core.admitted():
                moved = await self._slots.save(request.slot_id, request.filename, self._tenant(context))
            return slot_files_pb2.SaveSlotResponse(
                saved_tokens=moved.n_items, written_bytes=moved.n_bytes, duration=duration(moved.seconds)
            )

    async def RestoreSlot(
        self, request: slot_files_pb2.RestoreSlotRequest, context: Context
    ) -> slot_files_pb2.RestoreSlotResponse:
        """Let a slot hold what a file has; waits until the slot is idle."""
        async with RpcCall("RestoreSlot", context, field_names=self._core.field_names):
            with self._core.admitted():
                moved = await self._slots.restore(request.slot_id, request.filename, self._tenant(context))
            return slot_files_pb2.RestoreSlotResponse(
                restored_tokens=moved.n_items, read_bytes=moved.n_bytes, duration=duration(moved.seconds)
            )

    async def EraseSlot(
        self, request: slot_files_pb2.EraseSlotRequest, context: Context
    ) -> slot_files_pb2.EraseSlotResponse:
        """Forget what a slot holds; waits until the slot is idle."""
        async with RpcCall("EraseSlot", context, field_names=self._core.field_names):
            with self._core.admitted():
                n_items = await self._slots.erase(request.slot_id, self._tenant(context))
            return slot_files_pb2.EraseSlotResponse(erased_tokens=n_items)

    async def ListLoraAdapters(
        self, request: lora_pb2.ListLoraAdaptersRequest, context: Context
    ) -> lora_pb2.ListLoraAdaptersResponse:
        """The adapters of the model, with the scales in force."""
        async with RpcCall("ListLoraAdapters", context):
            model = self._core.model()
            adapters = adapter_messages(model.info, self._core.snapshot().adapter_scales)
            return lora_pb2.ListLoraAdaptersResponse(adapters=adapters)

    async def SetLoraScales(
        self, request: lora_pb2.SetLoraScalesRequest, context: Context
    ) -> lora_pb2.SetLoraScalesResponse:
        """Put scales in force, for everybody; refused while anything is served."""
        async with RpcCall("SetLoraScales", context, field_names=self._core.field_names):
            with self._core.admitted():
                scales = adapter_scales(request.scales, self._core.model().info)
                self._core.check_queue()
                await self._core.outcome(AdaptersRequest(scales))
            return lora_pb2.SetLoraScalesResponse()

    def _tenant(self, context: Context) -> str:
        return self._tenants.tenant_of(context.invocation_metadata())

    def _describe(self, model: ServedModel, defaults: sampling_pb2.SamplingParams | None = None) -> model_pb2.Model:
        return model_message(model, self._core.snapshot().system_prompt, defaults)
