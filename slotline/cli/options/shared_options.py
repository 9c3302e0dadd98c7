"""Options that describe a core wherever it runs, and those that every command has."""

from __future__ import annotations

from service.config import (
    DEFAULT_CACHE_RAM_MIB,
    DEFAULT_HANG_TIMEOUT_S,
    MAX_BATCH,
    MAX_CTX,
    MAX_DEVICES,
    MAX_PARALLEL,
    MAX_THREADS,
    NumaStrategy,
    RopeScaling,
    SplitMode,
)
from service.llama.model_options import CACHE_TYPES
from service.prompts.templates import NAMED
from slotline.cli.options.system_prompt_file import system_prompt_file
from slotline.cli.options.table import Flag, Group, Pair, Value
from slotline.cli.options.values import (
    choice,
    integer,
    kv_override,
    lora,
    member,
    real,
    scaled_lora,
    seconds_or_off,
    shares,
    text,
)
from slotline.cli.serve.start_errors import StartError


def _numa(name: str, value: str) -> NumaStrategy:
    strategies = (NumaStrategy.DISTRIBUTE, NumaStrategy.ISOLATE, NumaStrategy.NUMACTL)
    # An empty value has always meant the plain "attempt optimisations".
    return choice({item.value: item for item in strategies})(name, value or "distribute")


def _mmproj(name: str, value: str) -> str:
    raise StartError(f"{name} {value}: images are not supported by this version; start without {name}")


GENERAL = Group(
    "general",
    (
        Flag(("-h", "--help"), {}, "show this help and exit"),
        Flag(
            ("-v", "--verbose"),
            {"verbose": True},
            "log more, prompts and answers included: the bodies of requests, every RPC, and all that llama.cpp says",
        ),
        Value(
            ("--log-format",),
            "FORMAT",
            "log_format",
            choice({"json": "json", "text": "text"}),
            "log records as json or text, one a line on stdout",
            default="json",
        ),
        Flag(
            ("--log-disable",),
            {"log_disable": True},
            "no log file; there is never one, so this is only accepted",
        ),
    ),
)

MODEL = Group(
    "model",
    (
        Value(("-m", "--model"), "FNAME", "path", text, "GGUF file", default="SmolLM2-135M-Instruct, 92 MiB"),
        Value(
            ("-a", "--alias"),
            "NAME",
            "alias",
            text,
            "name of the model in answers",
            default="its file's name; native answers have its path",
        ),
        Value(
            ("-c", "--ctx-size", "--ctx_size"),
            "N",
            "n_ctx",
            integer(0, MAX_CTX),
            "context in tokens, shared by all slots: each gets N / slots; 0 takes what the model was trained with",
            default="512",
        ),
        Value(
            ("--chat-template",),
            "TEMPLATE",
            "chat_template",
            text,
            "chat template instead of the model's own: its text in Jinja (not a file), or one of these names: "
            + ", ".join(sorted(NAMED)),
        ),
        Flag(
            ("--embedding",),
            {"embedding": True},
            "give embeddings, too; takes memory for it",
        ),
        Value(
            ("--override-kv",),
            "KEY=TYPE:VALUE",
            "kv_overrides",
            kv_override,
            "replace an entry of the model's metadata; TYPE is int, float or bool; may repeat",
            repeat=True,
        ),
        Value(
            ("--lora",),
            "FNAME",
            "lora",
            lora,
            "LoRA adapter, a GGUF file, that is applied to the model; implies --no-mmap; may repeat, all are applied",
            repeat=True,
        ),
        Pair(
            ("--lora-scaled",),
            "FNAME S",
            "lora",
            scaled_lora,
            "the same with a factor S for what the adapter changes; --lora has the factor 1",
            repeat=True,
        ),
        Value(
            ("--lora-base",),
            "FNAME",
            "",
            text,
            "obsolete, only accepted",
            warning="is obsolete and has no effect: adapters are applied beside the weights at run time",
        ),
        Value(
            ("--mmproj",),
            "FNAME",
            "",
            _mmproj,
            "projector for images; not supported yet, so the server does not start with it",
        ),
    ),
)

SYSTEM_PROMPT_FILE = Value(
    ("-spf", "--system-prompt-file"),
    "FNAME",
    "system_prompt",
    system_prompt_file,
    "what every slot's prompt follows: a file with a JSON object of prompt, anti_prompt and assistant_name",
)

SLOTS = Group(
    "slots and queue",
    (
        Value(
            ("-np", "--parallel"),
            "N",
            "n_parallel",
            integer(1, MAX_PARALLEL),
            "slots: requests that are served at the same time",
            default="1",
        ),
        Flag(
            ("-cb", "--cont-batching"),
            {},
            "continuous batching; always on, so this is only accepted",
        ),
        Flag(
            ("-kvu", "--kv-unified"),
            {"kv_unified": True},
            "every slot may use the whole context; when it is full, the youngest requests wait, and go on later",
        ),
        Value(
            ("-n", "--n-predict"),
            "N",
            "max_tokens",
            integer(1, or_exactly=-1, means="no cap"),
            "cap on the tokens of one request; -1 for none",
            default="-1",
        ),
        Value(
            ("--max-queue",),
            "N",
            "max_queue",
            integer(1),
            "requests that may wait for a slot; more are refused",
            default="16 per slot, at least 128",
        ),
        SYSTEM_PROMPT_FILE,
        Flag(
            ("--no-cache-prompt",),
            {"cache_prompt": False},
            "evaluate every prompt in full unless a request asks for the cache",
        ),
        Value(
            ("-cram", "--cache-ram"),
            "N",
            "cache_ram_mib",
            integer(0, or_exactly=-1, means="no limit"),
            "main memory in MiB for conversations that have left their slots; 0 keeps none, -1 sets no limit",
            default=str(DEFAULT_CACHE_RAM_MIB),
        ),
        Value(
            ("--prefill-budget-ms",),
            "MS",
            "prefill_budget_ms",
            real(above=0),
            "time that new prompts may take from one step of running requests; less is smoother, more is faster",
            default="100",
        ),
        Flag(
            ("--lookup",),
            {"lookup": True},
            "try ahead what followed the same words before, while that pays: faster edits, extracts and code",
        ),
    ),
)

LONG_CONTEXT = Group(
    "context beyond training",
    (
        Value(
            ("-gan", "--grp-attn-n"),
            "N",
            "group_n",
            integer(1),
            "self-extend: tokens that share a position once they are old; 1 turns it off",
            default="1",
        ),
        Value(
            ("-gaw", "--grp-attn-w"),
            "N",
            "group_width",
            integer(1),
            "self-extend: positions that are grouped at once, a multiple of -gan",
            default="512",
        ),
        Value(
            ("--rope-scaling",),
            "TYPE",
            "rope_scaling",
            member(RopeScaling),
            "how positions beyond the trained context are scaled: none, linear or yarn",
            default="from the model",
        ),
        Value(
            ("--rope-freq-base",),
            "F",
            "rope_freq_base",
            real(minimum=0),
            "base frequency of RoPE; 0 takes the model's",
            default="0",
        ),
        Value(
            ("--rope-freq-scale",),
            "F",
            "rope_freq_scale",
            real(minimum=0),
            "frequency scale of RoPE: the context grows by 1/F; 0 takes the model's",
            default="0",
        ),
        Value(
            ("--yarn-ext-factor",),
            "F",
            "yarn_ext_factor",
            real(),
            "YaRN: mix of extrapolation; negative takes the model's",
            default="-1",
        ),
        Value(
            ("--yarn-attn-factor",),
            "F",
            "yarn_attn_factor",
            real(),
            "YaRN: scale of attention",
            default="1",
        ),
        Value(
            ("--yarn-beta-slow",),
            "F",
            "yarn_beta_slow",
            real(),
            "YaRN: high correction dimension",
            default="1",
        ),
        Value(
            ("--yarn-beta-fast",),
            "F",
            "yarn_beta_fast",
            real(),
            "YaRN: low correction dimension",
            default="32",
        ),
    ),
)

STOPPING = Group(
    "stopping",
    (
        Value(
            ("--drain-timeout",),
            "S",
            "drain_timeout_s",
            real(minimum=0),
            "seconds that running requests get to finish when the server is stopped",
            default="30",
        ),
    ),
)

SUPERVISION = Group(
    "supervision",
    (
        Value(
            ("--hang-timeout",),
            "S",
            "hang_timeout_s",
            seconds_or_off,
            "seconds in which work must get on by a step, or loading in ten times as many, else the core counts as "
            "stalled: its health says so, and slotline serve replaces it; 0 or off for never",
            default=f"{DEFAULT_HANG_TIMEOUT_S:g}",
        ),
    ),
)

COMPUTE = Group(
    "speed and memory",
    (
        Value(
            ("-t", "--threads"),
            "N",
            "n_threads",
            integer(1, MAX_THREADS),
            "threads while one token is evaluated",
            default="the physical cores",
        ),
        Value(
            ("-tb", "--threads-batch"),
            "N",
            "n_threads_batch",
            integer(1, MAX_THREADS, or_exactly=-1, means="as -t"),
            "threads while several tokens are evaluated",
            default="as -t",
        ),
        Value(
            ("-b", "--batch-size"),
            "N",
            "n_batch",
            integer(1, MAX_BATCH),
            "most prompt tokens that are evaluated at once",
            default="512",
        ),
        Value(
            ("-ctk", "--cache-type-k"),
            "TYPE",
            "cache_type_k",
            choice({kind: kind for kind in CACHE_TYPES}),
            f"type of the cached keys: {', '.join(CACHE_TYPES)}",
            default="f16",
        ),
        Value(
            ("-ctv", "--cache-type-v"),
            "TYPE",
            "cache_type_v",
            choice({kind: kind for kind in CACHE_TYPES}),
            "type of the cached values: the same types",
            default="f16",
        ),
        Value(
            ("-fa", "--flash-attn"),
            "WHEN",
            "flash_attention",
            choice({"auto": None, "on": True, "off": False}),
            "flash attention: on, off or auto; on processors, off decodes faster behind more than 300 tokens or so",
            default="auto",
        ),
        Flag(
            ("--memory-f32",),
            {"cache_type_k": "f32", "cache_type_v": "f32"},
            "the same as -ctk f32 -ctv f32; not recommended",
        ),
        Flag(("--mlock",), {"mlock": True}, "keep the model in memory, never swap it out"),
        Flag(("--no-mmap",), {"mmap": False}, "read the model into memory instead of mapping the file"),
        Value(
            ("--numa",),
            "[TYPE]",
            "numa",
            _numa,
            "threads on NUMA nodes: distribute (also without TYPE), isolate, or numactl",
            default="off",
            bare="distribute",
        ),
    ),
)

GPU = Group(
    "GPU (without effect, and with a warning, if the llama.cpp library was built without one)",
    (
        Value(
            ("-ngl", "--n-gpu-layers", "--gpu-layers"),
            "N",
            "n_gpu_layers",
            integer(0, or_exactly=-1, means="the library's default"),
            "layers kept in GPU memory",
            default="-1, the library's default",
        ),
        Value(
            ("-sm", "--split-mode"),
            "MODE",
            "split_mode",
            member(SplitMode),
            "how the model is split over several GPUs: none, layer or row",
            default="layer",
        ),
        Value(
            ("-ts", "--tensor-split"),
            "SPLIT",
            "tensor_split",
            shares,
            "share of each GPU, for example 3,2",
            default="by their memory",
        ),
        Value(
            ("-mg", "--main-gpu"), "I", "main_gpu", integer(0, MAX_DEVICES - 1), "GPU for small tensors", default="0"
        ),
        Flag(
            ("-nommq", "--no-mul-mat-q"),
            {},
            "obsolete, only accepted",
            warning="is obsolete and has no effect",
        ),
    ),
)

SHARED = (MODEL, SLOTS, STOPPING, SUPERVISION, COMPUTE, LONG_CONTEXT, GPU)
"""What describes a core wherever it runs."""
