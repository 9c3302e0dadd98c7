"""How a core is set up. The command line builds these; nothing here reads the environment or a file.

``core_config`` builds a ``CoreConfig`` from settings by the names of fields. What the engine needs to know
(``EngineConfig``) follows from it and is stored nowhere twice.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from service.bounds import INT32_MAX, bounded, check_bounds
from service.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds without a finished step after which the engine counts as stalled: far above the longest legal step.
DEFAULT_HANG_TIMEOUT_S = 60.0
#: Inputs that are embedded at the same time.
EMBEDDING_SEQUENCES = 32
#: Main memory for what slots held, in MiB: 46,000 tokens of the default model, 8,000 of one with 128 KiB per token. It
#: is taken only as it is needed, and small machines have it beside a small model.
DEFAULT_CACHE_RAM_MIB = 1024
#: Requests that may wait for each slot, and for all slots at least.
QUEUE_PER_SLOT, MIN_QUEUE = 16, 128
#: Tokens that a slot must hold to be of any use.
MIN_CTX_SLOT = 8
#: The same if prompts may have pictures, which take hundreds of tokens.
MIN_CTX_PICTURES = 2048
#: Sequences of one context (``LLAMA_MAX_SEQ``).
MAX_SEQUENCES = 256
#: Slots: every one needs a sequence; so do the system prompt, copies inside the library's memory, and inputs that are
#: being embedded.
MAX_PARALLEL = MAX_SEQUENCES - EMBEDDING_SEQUENCES - 2
#: Threads of one computation (``GGML_MAX_N_THREADS``).
MAX_THREADS = 512
#: Devices over which a model can be split (``llama_max_devices``).
MAX_DEVICES = 16
#: Positions are 32-bit; the library rounds a context up to a multiple of 256.
MAX_CTX = 2**31 - 256
#: Tokens that can be tried ahead in one step: what kernels evaluate row by row.
MAX_DRAFT = 62
#: Arrays of this many entries are allocated for batches.
MAX_BATCH = 65_536


#: Fields that mean nothing without a draft model.
_DRAFT_FIELDS = ("draft_max", "draft_min", "draft_p_min", "n_ctx_draft", "n_threads_draft", "n_gpu_layers_draft")


class NumaStrategy(enum.Enum):
    """How threads are spread over NUMA nodes."""

    DISABLED = "disabled"
    DISTRIBUTE = "distribute"
    ISOLATE = "isolate"
    NUMACTL = "numactl"


class Lookup(enum.Enum):
    """Whether tokens that followed the same words before are tried ahead, several in one step."""

    OFF = "off"
    #: While more tokens come of it in all.
    ON = "on"
    #: While every sequence of a step gains, with bounded losses.
    AUTO = "auto"


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


class Pooling(enum.Enum):
    """How the states of a text's tokens become its embedding."""

    #: They do not: each token has an embedding of its own.
    NONE = "none"
    #: The mean of all states.
    MEAN = "mean"
    #: The state of the first token.
    CLS = "cls"
    #: The state of the last token.
    LAST = "last"
    #: No embedding but a score, which a classifier makes of one of the states.
    RANK = "rank"


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
        yarn_orig_ctx: tokens that the model was trained with before its context was stretched; 0 takes the model's.
        cache_type_k, cache_type_v: one of ``service.llama.model_options.CACHE_TYPES``.
        flash_attention: whether attention is computed by the fused kernels; None leaves it to the library.
        check_tensors: whether weights that are not finite numbers are refused, which takes time to find out.
        n_gpu_layers: layers kept in GPU memory, -1 for the library's default.
        kv_offload, op_offload: whether the KV cache is in GPU memory, and whether a GPU computes for weights that are
            not.
        host_buffers: whether a GPU's own buffers in main memory are used, before ones with rearranged weights.
        tensor_split: share of each GPU, empty for the library's default.
        embedding: whether the model shall give embeddings; a model that can do nothing else always does.
        pooling: how an embedding is made of states, None for the model's own way.
        reranking: the model must be one that scores pairs of texts.
        lookup: see ``EngineConfig``.
        lora: adapters, all of them applied together, with scales that can change.
        lora_init_without_apply: whether they are left out until a request gives them scales.
        draft_path: GGUF file of a smaller model with the same vocabulary, which guesses what comes next; None without.
        n_ctx_draft: KV cells of that model, None for ``n_ctx``; 0 of either is its own training context.
        n_threads_draft: threads that compute for it, None for those of the model.
        n_gpu_layers_draft: its layers in GPU memory, -1 for the library's default.
    """

    path: str
    n_ctx: int = bounded(512, 0, MAX_CTX)
    n_parallel: int = bounded(1, 1, MAX_PARALLEL)
    n_batch: int = bounded(512, 1, MAX_BATCH)
    n_threads: int | None = bounded(None, 1, MAX_THREADS)
    n_threads_batch: int | None = bounded(None, 1, MAX_THREADS)
    rope_scaling: RopeScaling | None = None
    rope_freq_base: float = bounded(0.0, 0)
    rope_freq_scale: float = bounded(0.0, 0)
    yarn_ext_factor: float = bounded(-1.0)
    yarn_attn_factor: float = bounded(1.0)
    yarn_beta_slow: float = bounded(1.0)
    yarn_beta_fast: float = bounded(32.0)
    yarn_orig_ctx: int = bounded(0, 0, MAX_CTX)
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: bool | None = None
    mlock: bool = False
    mmap: bool = True
    numa: NumaStrategy = NumaStrategy.DISABLED
    check_tensors: bool = False
    n_gpu_layers: int = bounded(-1, -1, INT32_MAX)
    kv_offload: bool = True
    op_offload: bool = True
    host_buffers: bool = True
    split_mode: SplitMode = SplitMode.LAYER
    main_gpu: int = bounded(0, 0, MAX_DEVICES - 1)
    tensor_split: tuple[float, ...] = ()
    kv_overrides: tuple[KvOverride, ...] = ()
    embedding: bool = False
    pooling: Pooling | None = None
    reranking: bool = False
    lookup: Lookup = Lookup.OFF
    lora: tuple[LoraAdapter, ...] = ()
    lora_init_without_apply: bool = False
    draft_path: str | None = None
    n_ctx_draft: int | None = bounded(None, 0, MAX_CTX)
    n_threads_draft: int | None = bounded(None, 1, MAX_THREADS)
    n_gpu_layers_draft: int = bounded(-1, -1, INT32_MAX)

    @property
    def draft(self) -> ModelConfig | None:
        """How the draft model is loaded: like the model, but for what its own fields say; None without one."""
        if self.draft_path is None:
            return None
        return dataclasses.replace(
            self,
            path=self.draft_path,
            n_ctx=self.n_ctx if self.n_ctx_draft is None else self.n_ctx_draft,
            n_threads=self.n_threads_draft or self.n_threads,
            n_threads_batch=self.n_threads_batch if self.n_threads_draft is None else None,
            n_gpu_layers=self.n_gpu_layers_draft,
            kv_overrides=(),
            embedding=False,
            reranking=False,
            pooling=None,
            lora=(),
            draft_path=None,
        )

    @property
    def n_seq_max(self) -> int:
        """Sequence ids of the model: the slots', one for the system prompt, and those of inputs being embedded."""
        return self.n_parallel + 1 + (EMBEDDING_SEQUENCES if self.embedding else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOptions:
    """How pictures in prompts are encoded, and how many and how large they may be.

    Attributes:
        mmproj: GGUF file of the projector, None for a model that takes no pictures.
        mmproj_offload: whether the projector may use a GPU.
        image_min_tokens, image_max_tokens: tokens of a picture, for projectors with sizes that follow the picture; None
            for those of the file.
        media_threads: threads that encode; None for as many as the model has, and one while that computes.
        media_nice: how much the process that encodes yields to others, as ``nice`` takes it.
        media_cache_mib: main memory for encoded pictures, in MiB; 0 keeps none.
        max_images: most pictures of one request.
        max_image_bytes: largest file of a picture.
        max_request_image_bytes: most bytes of all pictures of one request.
        max_image_pixels: most pixels of a picture, as its file says.
        image_cpu_s: seconds of processor time that one picture may take.
        max_waiting_images: pictures that may wait for the process; more are refused.
    """

    mmproj: str | None = None
    mmproj_offload: bool = True
    image_min_tokens: int | None = bounded(None, 1, MAX_BATCH)
    image_max_tokens: int | None = bounded(None, 1, MAX_BATCH)
    media_threads: int | None = bounded(None, 1, MAX_THREADS)
    media_nice: int = bounded(5, 0, 19)
    media_cache_mib: int = bounded(256, 0, INT32_MAX)
    max_images: int = bounded(16, 1, 1024)
    max_image_bytes: int = bounded(20 << 20, 1, 1 << 30)
    max_request_image_bytes: int = bounded(32 << 20, 1, 1 << 30)
    max_image_pixels: int = bounded(40_000_000, 1, INT32_MAX)
    image_cpu_s: float = bounded(60.0, above=0)
    max_waiting_images: int = bounded(32, 1, 65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What is decided of the engine when a core is set up, and does not follow from the model.

    Attributes:
        max_tokens: server-wide cap on the tokens of one request, None for none.
        default_max_tokens: what requests get that set no limit on their tokens, None for none.
        prefill_budget_ms: time that prompt tokens may take in one step while anyone decodes.
        idle_prefill_budget_ms: the same while nobody decodes.
        alone_prefill_budget_ms: the same while one prompt is evaluated and nothing else, if the step can be ended when
            somebody comes.
        group_n: self-extend: tokens that share a position once they are old; 1 turns it off.
        group_width: self-extend: positions that are grouped at once; a multiple of ``group_n``.
        cache_ram_mib: main memory for what slots held, in MiB; 0 keeps nothing there, -1 sets no limit.
        draft_max, draft_min: most tokens that the draft model guesses for a sequence in a step, and fewest that are
            tried.
        draft_p_min: a guess ends in front of a token that the draft model gives a lower probability.
        idle_cells: cells that idle slots may keep beside running ones if there is main memory for their caches; None
            for as many as cost nothing, because steps walk over whole blocks of cells.
    """

    max_tokens: int | None = bounded(None, 1, INT32_MAX)
    default_max_tokens: int | None = bounded(None, 1, INT32_MAX)
    prefill_budget_ms: float = bounded(100.0, above=0)
    idle_prefill_budget_ms: float = bounded(500.0, above=0)
    alone_prefill_budget_ms: float = bounded(3000.0, above=0)
    group_n: int = bounded(1, 1, INT32_MAX)
    group_width: int = bounded(512, 1, INT32_MAX)
    cache_ram_mib: int = bounded(DEFAULT_CACHE_RAM_MIB, -1, INT32_MAX)
    draft_max: int = bounded(16, 1, MAX_DRAFT)
    draft_min: int = bounded(0, 0, MAX_DRAFT)
    draft_p_min: float = bounded(0.0, 0, 1)
    idle_cells: int | None = bounded(None, 0, INT32_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig(EngineOptions):
    """How the engine serves; ``CoreConfig.engine`` derives it.

    Attributes:
        n_slots: number of slots.
        n_ctx_slot: tokens of context in one slot.
        n_batch: most tokens of one step.
        max_queue: requests that may wait for a slot.
        lookup: when tokens are tried ahead.
    """

    n_slots: int = 1
    n_ctx_slot: int = 512
    n_batch: int = 512
    max_queue: int = MIN_QUEUE
    lookup: Lookup = Lookup.OFF

    @property
    def usual_max_tokens(self) -> int | None:
        """Most tokens of a request that sets no limit, None for no limit."""
        return min((limit for limit in (self.default_max_tokens, self.max_tokens) if limit is not None), default=None)

    @property
    def cache_ram_bytes(self) -> int | None:
        """``cache_ram_mib`` in bytes, None for no limit; 0 with self-extend, whose positions fit no other prompt."""
        if self.group_n > 1:
            return 0
        return None if self.cache_ram_mib < 0 else self.cache_ram_mib * 2**20


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """What requests that leave options of ``SamplingParams`` out get, where it is not the default of the option.

    Attributes:
        options: numbers and switches, by their fields.
        seed: None for another one each time.
        samplers: the chain, by the names of samplers in lower case; None for the usual one.
        dry_sequence_breakers: None for the usual ones.
    """

    options: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    samplers: tuple[str, ...] | None = None
    dry_sequence_breakers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SystemPromptText:
    """A system prompt as configured; see ``service.engine.request.requests.SystemPrompt``."""

    text: str
    anti_prompt: str = ""
    assistant_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreConfig(EngineOptions):
    """A whole core.

    Attributes:
        model: the model and its context.
        media: pictures in prompts.
        alias: name under which the model is served, None for its path.
        aliases: other names that requests may use.
        tags: words that describe the model; nothing depends on them.
        listen: addresses for gRPC, ``host:port`` or ``unix:/path``; all of them must be bound.
        optional_listen: addresses that are left out with a warning if they are busy.
        max_queue: requests that may wait, None for 16 per slot and at least 128.
        cache_prompt: whether requests reuse cached prefixes unless they say otherwise.
        sampling: options of requests that leave them out.
        chat_template: Jinja text that replaces the model's own, or None.
        tool_format: how the model writes tool calls, as the name of a format or a description in JSON; None to find it
            out from the chat template. See ``service.dialogue.description``.
        literal_messages: whether messages and roles of all conversations are tokenised literally.
        drain_timeout_s: seconds that running requests get on SIGTERM.
        hang_timeout_s: seconds without a finished step, while there is work, after which the engine counts as
            stalled; None for never.
        system_prompt: what all slots begin with from the start, or None.
        kv_unified: every slot may use the whole context; sequences are preempted when all cells are in use.
        api_keys: with any, every call needs one of them, except those of standard health.
        adapter_key: another one that is presented by the adapter which started this core and has its clients' keys;
            see ``service.api.guard.tenants``. None without ``api_keys``.
        grpc_tls_cert, grpc_tls_key: files with certificate and key of the addresses in the network, in PEM; both None
            for plain text. Unix sockets stay plain.
        grpc_client_ca: file with authorities, in PEM, one of which must have signed the certificates of clients; None
            if these need none.
        allow_system_prompt: whether everybody may replace the system prompt of all slots; else only callers with a
            key, or, where there are no keys, callers that must be on this machine.
        slot_save_path: directory of the files to which slots are saved, None to save none.
        field_names: what people who start a core call fields of the configuration, for example ``--ctx-size`` for
            ``n_ctx``: texts for people name them so. Fields that are not here keep their names.
    """

    model: ModelConfig
    media: MediaOptions = field(default_factory=MediaOptions)
    alias: str | None = None
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    optional_listen: tuple[str, ...] = ()
    max_queue: int | None = bounded(None, 1, INT32_MAX)
    cache_prompt: bool = True
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    chat_template: str | None = None
    tool_format: str | None = None
    literal_messages: bool = False
    drain_timeout_s: float = bounded(30.0, 0)
    hang_timeout_s: float | None = DEFAULT_HANG_TIMEOUT_S
    system_prompt: SystemPromptText | None = None
    kv_unified: bool = False
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    adapter_key: str | None = field(default=None, repr=False)
    grpc_tls_cert: str | None = None
    grpc_tls_key: str | None = None
    grpc_client_ca: str | None = None
    allow_system_prompt: bool = False
    slot_save_path: str | None = None
    field_names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def engine(self) -> EngineConfig:
        """How the engine serves."""
        slots = self.model.n_parallel
        return EngineConfig(
            **{name: getattr(self, name) for name in _names(EngineOptions)},
            n_slots=slots,
            n_ctx_slot=self.model.n_ctx if self.kv_unified else self.model.n_ctx // slots,
            n_batch=self.model.n_batch,
            max_queue=self.max_queue if self.max_queue is not None else max(MIN_QUEUE, QUEUE_PER_SLOT * slots),
            lookup=self.model.lookup,
        )

    @property
    def all_keys(self) -> tuple[str, ...]:
        """What calls may present; empty if they need nothing."""
        return self.api_keys if self.adapter_key is None else (*self.api_keys, self.adapter_key)

    @property
    def model_name(self) -> str:
        """The name under which the model is served: where its file lies is nobody's business."""
        return self.alias or PurePath(self.model.path).stem


def core_config(settings: Mapping[str, Any]) -> CoreConfig:
    """The configuration that settings describe: values of fields of ``ModelConfig``, ``MediaOptions`` and
    ``CoreConfig``, by their names.

    Fields that are missing have their defaults; names of other things are left alone. With a projector, a context that
    is too small for pictures becomes one of ``MIN_CTX_PICTURES`` tokens for each slot.

    Raises:
        TypeError: there is no ``path``.
        InvalidArgument: a value of the core is not allowed, or values do not go together. Those of the model by
            themselves are checked when it is loaded.
    """
    model = ModelConfig(**_chosen(ModelConfig, settings))
    media = MediaOptions(**_chosen(MediaOptions, settings))
    config = CoreConfig(model=model, media=media, **_chosen(CoreConfig, settings))
    check_bounds(config)
    check_bounds(media)
    check_context(model.n_ctx, model.n_parallel)
    check_groups(config.group_n, config.group_width)
    check_tls(config)
    check_drafts(config, settings)
    if media.mmproj is None:
        return config
    check_pictures(config)
    least = MIN_CTX_PICTURES * (1 if config.kv_unified else model.n_parallel)
    # 0 takes the model's own context.
    is_small = 0 < model.n_ctx < least
    return dataclasses.replace(config, model=dataclasses.replace(model, n_ctx=least)) if is_small else config


def check_context(n_ctx: int, n_parallel: int) -> None:
    """Refuse a context that leaves too little for each slot; 0, the model's own, is not known here.

    Raises:
        InvalidArgument: it does.
    """
    if 0 < n_ctx < MIN_CTX_SLOT * n_parallel:
        raise InvalidArgument(
            "n_ctx",
            f"{n_ctx} leaves {n_ctx // n_parallel} tokens for each of the {n_parallel} slots of `n_parallel`; "
            f"a slot needs at least {MIN_CTX_SLOT}, so allowed is at least {MIN_CTX_SLOT * n_parallel}",
        )


def check_groups(group_n: int, group_width: int) -> None:
    """Refuse a width for self-extend that does not hold whole groups.

    Raises:
        InvalidArgument: it does not.
    """
    if group_width % group_n:
        raise InvalidArgument(
            "group_width",
            f"{group_width} is not a multiple of `group_n` {group_n}; "
            f"allowed are {group_n}, {2 * group_n}, {3 * group_n} and so on",
        )


def check_drafts(config: CoreConfig, settings: Mapping[str, Any]) -> None:
    """Refuse what does not go together where a draft model guesses, or means nothing without one.

    Args:
        config: the whole core.
        settings: what was given of it.

    Raises:
        InvalidArgument: something is not possible.
    """
    if config.model.draft_path is None:
        for name in _DRAFT_FIELDS:
            if name in settings:
                raise InvalidArgument(name, f"{settings[name]} is of no use without `draft_path`")
    if config.draft_min > config.draft_max:
        raise InvalidArgument("draft_min", f"{config.draft_min} is more than the {config.draft_max} of `draft_max`")
    if config.model.draft_path is not None and config.group_n > 1:
        raise InvalidArgument(
            "group_n",
            f"{config.group_n} is not possible with `draft_path`: tokens whose positions are grouped cannot be tried",
        )


def check_tls(config: CoreConfig) -> None:
    """Refuse files for TLS that mean nothing without another one.

    Raises:
        InvalidArgument: one is missing.
    """
    needed = (
        ("grpc_tls_cert", config.grpc_tls_cert, "grpc_tls_key", config.grpc_tls_key),
        ("grpc_tls_key", config.grpc_tls_key, "grpc_tls_cert", config.grpc_tls_cert),
        ("grpc_client_ca", config.grpc_client_ca, "grpc_tls_cert", config.grpc_tls_cert),
    )
    for field_name, value, other, other_value in needed:
        if value is not None and other_value is None:
            raise InvalidArgument(field_name, f"{value} is of no use without `{other}`")


def check_pictures(config: CoreConfig) -> None:
    """Refuse what does not go together where prompts may have pictures.

    Raises:
        InvalidArgument: something does not.
    """
    if config.group_n > 1:
        raise InvalidArgument(
            "group_n", f"{config.group_n} is not possible with `mmproj`: positions of pictures cannot be grouped"
        )
    least, most = config.media.image_min_tokens, config.media.image_max_tokens
    if least is not None and most is not None and least > most:
        raise InvalidArgument("image_min_tokens", f"{least} is more than the {most} of `image_max_tokens`")


def _names(kind: type[ModelConfig] | type[EngineOptions] | type[MediaOptions]) -> tuple[str, ...]:
    return tuple(one.name for one in dataclasses.fields(kind))


def _chosen(
    kind: type[ModelConfig] | type[MediaOptions] | type[CoreConfig], settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {name: settings[name] for name in _names(kind) if name in settings}
