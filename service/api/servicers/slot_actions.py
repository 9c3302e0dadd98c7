"""Saving slots to files, and restoring them: the engine copies, threads of the directory write and read.

One action at a time for each slot, so that no more copies are in memory than there are slots.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.api.convert.slot_format import format_of, scales_of
from service.api.guard.tenants import cache_salt_of, salted
from service.engine.request.events import SlotErased, SlotRestored, SlotSaved
from service.engine.request.slot_requests import EraseSlot, RestoreSlot, SaveSlot, SlotImage
from service.errors import ContextLengthExceeded, InvalidArgument, NotAllowed, NotSupported
from service.slot_files.layout import Head, media_of
from slotline.protocol.reasons import CONFIG_FIELDS

if TYPE_CHECKING:
    from service.api.core.core import Core
    from service.api.served_model import ServedModel
    from service.slot_files.directory import SlotDirectory


@dataclass(frozen=True, slots=True)
class Moved:
    """What went to a file or came from one.

    Attributes:
        n_items: tokens, and cells of pictures.
        n_bytes: of the file.
        seconds: how long it took once the slot was idle.
    """

    n_items: int
    n_bytes: int
    seconds: float


class SlotActions:
    """What callers may do with slots themselves. Belongs to the event loop.

    Args:
        core: has the engine and the directory.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def save(self, slot_id: int, name: str, tenant: str) -> Moved:
        """Write what a slot holds to a file.

        Raises:
            ServiceError: it cannot be done, or the tenant may not do it.
        """
        files, model = self._files(), self._model(slot_id)
        files.check_name(name)
        async with self._locks[slot_id]:
            saved = await self._core.outcome(SaveSlot(slot_id, tenant))
            assert isinstance(saved, SlotSaved)
            began_s = time.monotonic()
            image = saved.image
            head = Head(
                format=format_of(model.info, image.adapter_scales),
                owner=_owner(tenant),
                cache_salt=cache_salt_of(image.salt),
                n_items=len(image.items),
                n_system=image.n_system,
                n_packed=sum(map(len, image.packed)),
                media=media_of(image.items),
            )
            n_bytes = await files.write(name, head, image.items, image.packed)
            return Moved(head.n_items, n_bytes, saved.seconds + time.monotonic() - began_s)

    async def restore(self, slot_id: int, name: str, tenant: str) -> Moved:
        """Let a slot hold what a file has.

        Raises:
            ServiceError: it cannot be done, or the tenant may not do it.
        """
        files, model = self._files(), self._model(slot_id)
        async with self._locks[slot_id]:
            began_s = time.monotonic()
            head, items, packed, n_bytes = await files.read(name, lambda head: _check(head, model, tenant))
            scales = scales_of(head.format, model.info)
            seconds = time.monotonic() - began_s
            image = SlotImage(items, head.n_system, salted(tenant, head.cache_salt), tenant, scales, (packed,))
            restored = await self._core.outcome(RestoreSlot(slot_id, image))
            assert isinstance(restored, SlotRestored)
            return Moved(restored.n_items, n_bytes, seconds + restored.seconds)

    async def erase(self, slot_id: int, tenant: str) -> int:
        """Forget what a slot holds; how many items that were.

        Raises:
            ServiceError: it cannot be done, or the tenant may not do it.
        """
        self._files()
        self._model(slot_id)
        async with self._locks[slot_id]:
            erased = await self._core.outcome(EraseSlot(slot_id, tenant))
            assert isinstance(erased, SlotErased)
            return erased.n_items

    def _files(self) -> SlotDirectory:
        if self._core.slot_files is None:
            raise NotSupported(
                "slots cannot be saved, restored or erased here; start the server with `slot_save_path`",
                metadata={CONFIG_FIELDS: "slot_save_path"},
            )
        return self._core.slot_files

    def _model(self, slot_id: int) -> ServedModel:
        """The served model, once it is sure that it has such a slot."""
        model = self._core.model()
        n_slots = model.engine.n_slots
        if slot_id >= n_slots:
            raise InvalidArgument("slot_id", f"is {slot_id}; allowed: 0 to {n_slots - 1}")
        self._core.check_queue()
        return model


def _check(head: Head, model: ServedModel, tenant: str) -> None:
    """Refuse a file that is for another model or other adapters, that is somebody else's, or of no use here."""
    scales_of(head.format, model.info)
    if head.owner != _owner(tenant):
        raise NotAllowed("filename: names a file that was saved with another API key")
    if head.media and model.pictures is None:
        # The second sentence is llama.cpp's, which clients may look for.
        raise InvalidArgument(
            "filename",
            "names a file with pictures. Cannot restore media tokens without an mmproj; start the server with `mmproj`",
        )
    n_ctx = model.engine.n_ctx_slot
    if head.n_items > n_ctx:
        raise ContextLengthExceeded(
            head.n_items, n_ctx, field="filename", allowed=f"a slot of this server holds {n_ctx}"
        )


def _owner(tenant: str) -> str:
    """Stands for a tenant in a file."""
    return hashlib.sha256(b"slotline slot file " + tenant.encode()).hexdigest()
