"""Slots, the queue in front of them, and caches."""

from __future__ import annotations

from service.config import MIN_QUEUE, QUEUE_PER_SLOT
from slotline.cli.options.system_prompt_file import system_prompt_file
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import directory, none_if, number, or_words, whole

SYSTEM_PROMPT_FILE = Value(
    ("-spf", "--system-prompt-file"),
    "FNAME",
    "system_prompt",
    system_prompt_file,
    "what every slot's prompt follows: a file with a JSON object of prompt, anti_prompt and assistant_name",
)

N_PREDICT = Value(
    ("-n", "--n-predict", "--predict"),
    "N",
    "max_tokens",
    none_if(-1, whole("max_tokens", or_exactly=-1, means="no cap")),
    "cap on the tokens of one request; -1 for none. With --api-shape now it stands for --default-n-predict, unless "
    "that is given, too",
)
DEFAULT_N_PREDICT = Value(
    ("--default-n-predict",),
    "N",
    "default_max_tokens",
    none_if(-1, whole("default_max_tokens", or_exactly=-1, means="no limit")),
    "tokens of a request that sets no limit, but on /v1/messages, which has its own; -1 for no limit",
)

SLOTS = Group(
    "slots and queue",
    (
        Value(
            ("-np", "--parallel"),
            "N",
            "n_parallel",
            or_words({"-1": "1"}, whole("n_parallel")),
            "slots: requests that are served at the same time",
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
        N_PREDICT,
        DEFAULT_N_PREDICT,
        Value(
            ("--max-queue",),
            "N",
            "max_queue",
            whole("max_queue"),
            "requests that may wait for a slot; more are refused",
            default_note=f"{QUEUE_PER_SLOT} per slot, at least {MIN_QUEUE}",
        ),
        SYSTEM_PROMPT_FILE,
        Flag(
            ("-no-kvu", "--no-kv-unified"),
            {"kv_unified": False},
            "every slot has its own share of the context; that is the default",
        ),
        Flag(
            ("--cache-prompt",),
            {"cache_prompt": True},
            "reuse what is cached of a prompt unless a request says otherwise; that is the default",
        ),
        Flag(
            ("--no-cache-prompt",),
            {"cache_prompt": False},
            "evaluate every prompt in full unless a request asks for the cache",
        ),
        Value(
            ("-cram", "--cache-ram"),
            "N",
            "cache_ram_mib",
            whole("cache_ram_mib", or_exactly=-1, means="no limit"),
            "main memory in MiB for conversations that have left their slots; 0 keeps none, -1 sets no limit",
        ),
        Value(
            ("--slot-save-path",),
            "DIR",
            "slot_save_path",
            directory,
            "directory of the files to which requests save slots, and from which they restore them",
            default_note="slots cannot be saved, restored or erased",
        ),
        Value(
            ("--prefill-budget-ms",),
            "MS",
            "prefill_budget_ms",
            number("prefill_budget_ms"),
            "time that new prompts may take from one step of running requests; less is smoother, more is faster",
        ),
    ),
)
