"""How a core is set up. The command line builds these; nothing here reads the environment or a file."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds without a finished step after which the engine counts as stalled: far above the longest legal step.
DEFAULT_HANG_TIMEOUT_S = 60.0
#: Inputs that are embedded at the same time.
EMBEDDING_SEQUENCES = 32
#: Main memory for what slots held, in MiB: 46,000 tokens of the default model, 8,000 of one with 128 KiB per token. It
#: is taken only as it is needed, and small machines have it beside a small model.
DEFAULT_CACHE_RAM_MIB = 1024


class NumaStrategy(enum.Enum):
    """How threads are spread over NUMA nodes."""

    DISABLED = "disabled"
    DISTRIBUTE = "distribute"
    ISOLATE = "isolate"
    NUMACTL = "numactl"


class SplitMode(enum.Enum):
    """How a model is split over several GPUs."""

    NONE = "none"
    LAYER = "layer"
    ROW = "row"


class RopeScaling(enum.Enum):
    """How positions beyond the trained context are scaled."""

    NONE = "none"
    LINEAR = "linear"
    YARN = "yarn"


@dataclass(frozen=True, slots=True)
class KvOverride:
    """Replaces one entry of the model's metadata."""

    key: str
    value: int | float | bool


@dataclass(frozen=True, slots=True)
class LoraAdapter:
    """A LoRA adapter that is applied to the model: a GGUF file, and the factor of its change."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which model to load and how.

    Attributes:
        path: GGUF file.
        n_ctx: KV cells shared by all slots, 0 for the model's training context.
        n_parallel: number of slots; each gets ``n_ctx // n_parallel`` tokens.
        n_batch: most prompt tokens of one decode call.
        n_threads: threads for steps of one token, None for the number of physical cores.
        n_threads_batch: threads for larger steps, None for ``n_threads``.
        rope_freq_base, rope_freq_scale: 0 takes the model's.
        yarn_ext_factor: negative takes the model's.
        cache_type_k, cache_type_v: one of ``service.llama.model_options.CACHE_TYPES``.
        flash_attention: whether attention is computed by the fused kernels; None leaves it to the library.
        n_gpu_layers: layers kept in GPU memory, -1 for the library's default.
        tensor_split: share of each GPU, empty for the library's default.
        embedding: whether the model shall give embeddings; a model that can do nothing else always does.
        lookup: whether rows of logits are kept for drafts; see ``EngineConfig``.
        lora: adapters, all of them applied together for as long as the model is loaded.
    """

    path: str
    n_ctx: int = 512
    n_parallel: int = 1
    n_batch: int = 512
    n_threads: int | None = None
    n_threads_batch: int | None = None
    rope_scaling: RopeScaling | None = None
    rope_freq_base: float = 0.0
    rope_freq_scale: float = 0.0
    yarn_ext_factor: float = -1.0
    yarn_attn_factor: float = 1.0
    yarn_beta_slow: float = 1.0
    yarn_beta_fast: float = 32.0
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: bool | None = None
    mlock: bool = False
    mmap: bool = True
    numa: NumaStrategy = NumaStrategy.DISABLED
    n_gpu_layers: int = -1
    split_mode: SplitMode = SplitMode.LAYER
    main_gpu: int = 0
    tensor_split: tuple[float, ...] = ()
    kv_overrides: tuple[KvOverride, ...] = ()
    embedding: bool = False
    lookup: bool = False
    lora: tuple[LoraAdapter, ...] = ()

    @property
    def n_seq_max(self) -> int:
        """Sequence ids of the model: the slots', one for the system prompt, and those of inputs being embedded."""
        return self.n_parallel + 1 + (EMBEDDING_SEQUENCES if self.embedding else 0)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How the engine serves.

    Attributes:
        n_slots: number of slots.
        n_ctx_slot: tokens of context in one slot.
        n_batch: most tokens of one step.
        max_tokens: server-wide cap on the tokens of one request, None for none.
        max_queue: requests that may wait for a slot.
        prefill_budget_ms: time that prompt tokens may take in one step while anyone decodes.
        idle_prefill_budget_ms: the same while nobody decodes.
        lookup: whether tokens that followed the same words before are tried ahead, several in one step.
        group_n: self-extend: tokens that share a position once they are old; 1 turns it off.
        group_width: self-extend: positions that are grouped at once; a multiple of ``group_n``.
        cache_ram_mib: main memory for what slots held, in MiB; 0 keeps nothing there, -1 sets no limit.
        idle_cells: cells that idle slots may keep from running ones if there is main memory for their caches. The
            library walks over cells in blocks of 256, so fewer would save nothing.
    """

    n_slots: int = 1
    n_ctx_slot: int = 512
    n_batch: int = 512
    max_tokens: int | None = None
    max_queue: int = 128
    prefill_budget_ms: float = 100.0
    idle_prefill_budget_ms: float = 250.0
    lookup: bool = False
    group_n: int = 1
    group_width: int = 512
    cache_ram_mib: int = DEFAULT_CACHE_RAM_MIB
    idle_cells: int = 256

    @property
    def cache_ram_bytes(self) -> int | None:
        """The same in bytes, None for no limit; positions that were grouped stand for no other prompt."""
        if self.group_n > 1:
            return 0
        return None if self.cache_ram_mib < 0 else self.cache_ram_mib * 2**20


@dataclass(frozen=True, slots=True)
class SystemPromptText:
    """A system prompt as configured; see ``service.engine.request.requests.SystemPrompt``."""

    text: str
    anti_prompt: str = ""
    assistant_name: str = ""


@dataclass(frozen=True, slots=True)
class CoreConfig:
    """A whole core.

    Attributes:
        model: the model and its context.
        alias: name under which the model is served, None for its path.
        listen: addresses for gRPC, ``host:port`` or ``unix:/path``; all of them must be bound.
        optional_listen: addresses that are left out with a warning if they are busy.
        n_predict: server-wide cap on the tokens of one request, None for none.
        max_queue: requests that may wait, None for 16 per slot and at least 128.
        cache_prompt: whether requests reuse cached prefixes unless they say otherwise.
        chat_template: Jinja text that replaces the model's own, or None.
        literal_messages: whether messages and roles of all conversations are tokenised literally.
        drain_timeout_s: seconds that running requests get on SIGTERM.
        hang_timeout_s: seconds without a finished step, while there is work, after which the engine counts as
            stalled; None for never.
        system_prompt: what all slots begin with from the start, or None.
        group_n, group_width: self-extend; see ``EngineConfig``.
        cache_ram_mib: main memory for what slots held; see ``EngineConfig``.
        kv_unified: every slot may use the whole context; then sequences give way when all cells are in use.
        api_keys: with any, every call needs one of them, except those of standard health.
        adapter_key: another one that is presented by the adapter which started this core and has its clients' keys;
            see ``service.api.guard.tenants``. None without ``api_keys``.
        allow_system_prompt: whether everybody may replace the system prompt of all slots; else only callers with a
            key, or, where there are no keys, callers that must be on this machine.
        field_names: what people who start a core call fields of the configuration, for example ``--ctx-size`` for
            ``n_ctx``: texts for people name them so. Fields that are not here keep their names.
    """

    model: ModelConfig
    alias: str | None = None
    listen: tuple[str, ...] = ()
    optional_listen: tuple[str, ...] = ()
    n_predict: int | None = None
    max_queue: int | None = None
    prefill_budget_ms: float = 100.0
    cache_prompt: bool = True
    chat_template: str | None = None
    literal_messages: bool = False
    drain_timeout_s: float = 30.0
    hang_timeout_s: float | None = DEFAULT_HANG_TIMEOUT_S
    system_prompt: SystemPromptText | None = None
    group_n: int = 1
    group_width: int = 512
    cache_ram_mib: int = DEFAULT_CACHE_RAM_MIB
    kv_unified: bool = False
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    adapter_key: str | None = field(default=None, repr=False)
    allow_system_prompt: bool = False
    field_names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    engine: EngineConfig = field(init=False)

    def __post_init__(self) -> None:
        slots = self.model.n_parallel
        object.__setattr__(
            self,
            "engine",
            EngineConfig(
                n_slots=slots,
                n_ctx_slot=self.model.n_ctx if self.kv_unified else self.model.n_ctx // slots,
                n_batch=self.model.n_batch,
                max_tokens=self.n_predict,
                max_queue=self.max_queue if self.max_queue is not None else max(128, 16 * slots),
                prefill_budget_ms=self.prefill_budget_ms,
                lookup=self.model.lookup,
                group_n=self.group_n,
                group_width=self.group_width,
                cache_ram_mib=self.cache_ram_mib,
            ),
        )

    @property
    def all_keys(self) -> tuple[str, ...]:
        """What calls may present; empty if they need nothing."""
        return self.api_keys if self.adapter_key is None else (*self.api_keys, self.adapter_key)

    @property
    def model_name(self) -> str:
        """The name under which the model is served: where its file lies is nobody's business."""
        return self.alias or PurePath(self.model.path).stem
