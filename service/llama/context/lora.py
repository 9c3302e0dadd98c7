"""LoRA adapters: small changes of a model's matrices, added to their products while the model runs.

For a matrix W with the factors A and B of rank r the library computes ``W x + s B A x``, where s is the scale times
alpha over r, or the scale alone if the adapter has no alpha (Hu et al. 2021, "LoRA", section 4.1). The weights stay as
they are, so an adapter costs two thin products for each matrix that it changes.
"""

from __future__ import annotations

import ctypes
import logging
from typing import TYPE_CHECKING

from service.llama.host.logs import logger
from service.llama.load_errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.llama.files.lora_files import AdapterFile
    from service.llama.host.library import Library, Pointer


class Adapters:
    """Adapters of a loaded model, all of them applied together, each with a scale that can change.

    Close them after the contexts that use them and before the model, which would free those that are left.

    Args:
        library: the library.
        model: the loaded model.
        files: the adapters; checked.
        is_applied: whether they have their scales at first; otherwise all have 0.

    Attributes:
        infos: what is told about each.
        scales: with which each is applied at first.

    Raises:
        ModelLoadError: the library refuses one.
    """

    def __init__(
        self, library: Library, model: Pointer, files: Sequence[AdapterFile], *, is_applied: bool = True
    ) -> None:
        self._library = library
        self._handles: list[object] = []
        self.infos = tuple(file.info for file in files)
        given = tuple(file.scale if is_applied else 0.0 for file in files)
        # As the library has them, so that the same ones from a message are equal.
        self.scales = tuple(ctypes.c_float(scale).value for scale in given)
        try:
            for file, scale in zip(files, given, strict=True):
                self._load(model, file, scale)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the adapters. May be called again."""
        handles, self._handles = self._handles, []
        for handle in handles:
            self._library.api.llama_adapter_lora_free(handle)

    def apply_to(self, context: Pointer, scales: Sequence[float] | None = None) -> None:
        """Apply the adapters in a context of the model, from its next call on.

        Args:
            context: of the model.
            scales: one for each; None for those with which they begin.
        """
        if not self._handles:
            return
        api, count = self._library.api, len(self._handles)
        handles = (api.llama_adapter_lora_p_ctypes * count)(*self._handles)
        factors = (ctypes.c_float * count)(*(self.scales if scales is None else scales))
        api.llama_set_adapters_lora(context, handles, count, factors)

    def _load(self, model: Pointer, file: AdapterFile, scale: float) -> None:
        if file.n_norms:
            logger.warning(
                "LoRA adapter %s has %d norms that are not applied: llama.cpp can only change matrices",
                file.path,
                file.n_norms,
            )
        # One warning for each matrix that the library keeps rearranged: the factors of the change will not be.
        with self._library.log.mute(logging.WARNING), self._library.log.collect_errors() as errors:
            handle = self._library.api.llama_adapter_lora_init(model, str(file.path).encode("utf-8", "surrogateescape"))
        if not handle:
            reasons = "; ".join(errors) or "llama.cpp gives no reason"
            raise ModelLoadError(f"LoRA adapter {file.path} of `lora` cannot be loaded: {reasons}")
        self._handles.append(handle)
        logger.info("LoRA adapter %s changes %d matrices, scale %g", file.path, file.n_matrices, scale)
