"""Slots, the queue before them, and what they keep."""

from __future__ import annotations

from service.config import DEFAULT_CACHE_RAM_MIB, MAX_PARALLEL
from slotline.cli.options.system_prompt_file import system_prompt_file
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import integer, real

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
