"""A model's weights and adapters in memory, and what the library knows about them."""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any

from service.llama.context.lora import Adapters
from service.llama.context.params import model_params
from service.llama.host.logs import told_reasons
from service.llama.load_errors import ModelLoadAborted, ModelLoadError
from service.llama.vocabulary import LlamaVocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.config import ModelConfig
    from service.llama.files.lora_files import AdapterFile
    from service.llama.host.library import Library, Pointer

_DESCRIPTION_BYTES = 256
#: All but the end of "llama_model_load: error loading model: check_tensor_dims: tensor 'x' not found".
_FUNCTIONS = re.compile(r"^(?:(?:[a-z0-9_]+|error loading model(?: \w+)?): )+")
#: Lines that give no reason.
_UNTELLING = ("failed to load model", "failed to read")


class Weights:
    """A loaded model. Use as a context manager, or call ``close``, after its contexts are closed.

    Args:
        library: the library.
        config: the options; checked.
        on_progress: called with the loaded part, 0 to 1; loading is aborted if it returns False.
        adapters: LoRA adapters; checked. They take effect in contexts that ``adapters.apply_to`` was called for.
        use_extra_buffers: let the library rearrange weights for faster kernels.

    Raises:
        ModelLoadAborted: the callback asked for it.
        ModelLoadError: the library cannot load a file; the message quotes its reasons.
    """

    def __init__(
        self,
        library: Library,
        config: ModelConfig,
        on_progress: Callable[[float], bool],
        *,
        adapters: Sequence[AdapterFile] = (),
        use_extra_buffers: bool = True,
    ) -> None:
        self.library = library
        self._path = config.path
        progress = _Progress(on_progress)
        params = model_params(library, config, progress, use_extra_buffers=use_extra_buffers)
        path = config.path.encode("utf-8", "surrogateescape")
        self._vocabulary: LlamaVocabulary | None = None
        self._adapters: Adapters | None = None
        self._overrides = {override.key: override.value for override in config.kv_overrides}
        with library.log.collect_errors() as errors:
            self.pointer: Pointer = library.api.llama_model_load_from_file(path, params) or 0
        try:
            progress.raise_if_stopped()
            if not self.pointer:
                reasons = told_reasons(
                    errors, functions=_FUNCTIONS, untelling=_UNTELLING, unknown="unknown model architecture"
                )
                raise ModelLoadError(f"model file {config.path} cannot be loaded: {reasons}")
            self._vocabulary = LlamaVocabulary(library, library.api.llama_model_get_vocab(self.pointer))
            self._adapters = Adapters(library, self.pointer, adapters, is_applied=not config.lora_init_without_apply)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait until nobody tokenises, then free the model. May be called again."""
        if self.pointer:
            pointer, self.pointer = self.pointer, 0
            if self._vocabulary is not None:
                self._vocabulary.close()
            if self._adapters is not None:
                self._adapters.close()
            self.library.api.llama_model_free(pointer)

    def open_context(self, params: Any) -> Pointer:
        """A new context, to be freed before the model.

        Args:
            params: ``llama_context_params``.

        Raises:
            ModelLoadError: the library refuses the parameters, or lacks memory.
        """
        with self.library.log.collect_errors() as errors:
            pointer: Pointer | None = self.library.api.llama_init_from_model(self.pointer, params)
        if not pointer:
            raise ModelLoadError(f"no context for {self._path}: {'; '.join(errors) or 'llama.cpp gives no reason'}")
        return pointer

    @property
    def vocabulary(self) -> LlamaVocabulary:
        """The tokens; any thread."""
        assert self._vocabulary is not None
        return self._vocabulary

    @property
    def adapters(self) -> Adapters:
        """The LoRA adapters."""
        assert self._adapters is not None
        return self._adapters

    @property
    def architecture(self) -> str:
        """``general.architecture``, for example "llama"."""
        return self._metadata_text("general.architecture") or ""

    @property
    def has_encoder(self) -> bool:
        """Whether the model has an encoder."""
        return bool(self.library.api.llama_model_has_encoder(self.pointer))

    @property
    def name(self) -> str:
        """``general.name``, empty if the model has none."""
        return self._metadata_text("general.name") or ""

    @property
    def description(self) -> str:
        """Architecture, size and quantisation in a few words."""
        buffer = ctypes.create_string_buffer(_DESCRIPTION_BYTES)
        self.library.api.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def file_type(self) -> str:
        """Quantisation of most of the weights, for example "Q4_1"; empty if the file does not say."""
        name = self.library.api.llama_ftype_name(self.library.api.llama_model_ftype(self.pointer))
        # The library says so where it had to guess.
        return (name or b"").decode("utf-8", "replace").removeprefix("(guessed) ")

    @property
    def chat_template(self) -> str | None:
        """The model's chat template as Jinja, None if it has none."""
        return self._template(None)

    @property
    def rerank_template(self) -> str | None:
        """How a pair of texts is written, with ``{query}`` and ``{document}`` in it; None if the file has none."""
        return self._template(b"rerank")

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return int(self.library.api.llama_model_n_params(self.pointer))

    @property
    def size_bytes(self) -> int:
        """Bytes of all tensors."""
        return int(self.library.api.llama_model_size(self.pointer))

    @property
    def n_embd(self) -> int:
        """Length of a hidden state."""
        return int(self.library.api.llama_model_n_embd(self.pointer))

    @property
    def n_embd_input(self) -> int:
        """Length of a row that takes the place of a token's embedding."""
        return int(self.library.api.llama_model_n_embd_inp(self.pointer))

    @property
    def has_grid(self) -> bool:
        """Whether positions have parts for time, y and x (M-RoPE)."""
        api = self.library.api
        kinds = (api.LLAMA_ROPE_TYPE_MROPE, api.LLAMA_ROPE_TYPE_IMROPE)
        return api.llama_model_rope_type(self.pointer) in kinds

    @property
    def n_ctx_train(self) -> int:
        """Context the model was trained with, in tokens."""
        return int(self.library.api.llama_model_n_ctx_train(self.pointer))

    @property
    def pooling_type(self) -> int:
        """``llama_pooling_type`` as the metadata names it, 0 if it does not."""
        return self._metadata_integer("pooling_type")

    @property
    def rotates_whole_heads(self) -> bool:
        """Whether rotary positions cover all of a head, and heads are multiples of 64 long."""
        n_heads = self.library.api.llama_model_n_head(self.pointer)
        head = self._metadata_integer("attention.key_length") or (self.n_embd // n_heads if n_heads > 0 else 0)
        rotated = self._metadata_integer("rope.dimension_count") or head
        return head > 0 and head % 64 == 0 and rotated == head

    def _template(self, name: bytes | None) -> str | None:
        """A template of the file, by its name; None for the name is that for chats."""
        template: bytes | None = self.library.api.llama_model_chat_template(self.pointer, name)
        return None if template is None else template.decode("utf-8", "replace")

    def _metadata_integer(self, key: str) -> int:
        """An integer of this architecture; 0 if there is none, or one per layer."""
        name = f"{self.architecture}.{key}"
        # The library says what is in the file, whatever was overridden.
        text = str(self._overrides[name]) if name in self._overrides else self._metadata_text(name) or ""
        return int(text) if text.isdecimal() else 0

    def _metadata_text(self, key: str) -> str | None:
        """A scalar of the metadata as text, cut at 255 bytes; None if there is none."""
        buffer = ctypes.create_string_buffer(_DESCRIPTION_BYTES)
        length = self.library.api.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode("utf-8", "replace")


class _Progress:
    """Calls a callback from inside the library; an exception stops the load and comes out on this side of it."""

    def __init__(self, on_progress: Callable[[float], bool]) -> None:
        self._on_progress = on_progress
        self._error: BaseException | None = None
        self._stopped = False

    def __call__(self, progress: float) -> bool:
        if not self._stopped:
            try:
                self._stopped = self._on_progress(progress) is False
            except BaseException as error:
                self._error, self._stopped = error, True
        return not self._stopped

    def raise_if_stopped(self) -> None:
        """Raise what the callback raised, or that it has stopped the load."""
        if self._error is not None:
            raise self._error
        if self._stopped:
            raise ModelLoadAborted
