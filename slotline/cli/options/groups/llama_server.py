"""Options of llama.cpp's server of today that are accepted because what they ask for is the case here anyway."""

from __future__ import annotations

from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import choice, integer, only, real


def _accepted(*names: str, help: str) -> Flag:
    return Flag(names, {}, f"{help}; only accepted")


LLAMA_SERVER = Group(
    "accepted for llama-server",
    (
        _accepted("--offline", help="nothing is ever downloaded"),
        _accepted("--jinja", "--no-jinja", help="chat templates always are Jinja"),
        _accepted("--warmup", "--no-warmup", help="the model is tried before it serves"),
        _accepted("--perf", "--no-perf", help="times are always told"),
        _accepted("-e", "--escape", "--no-escape", help="the command line has no prompts"),
        _accepted("--mmproj-auto", "--no-mmproj-auto", "--no-mmproj", help="no projector is used but that of --mmproj"),
        _accepted("--swa-full", help="it costs memory and gains nothing: what is needed again is kept otherwise"),
        _accepted("--cache-idle-slots", "--no-cache-idle-slots", help="idle caches move as --cache-ram says"),
        _accepted("--repack", "--no-repack", "-nr", help="the library chooses the layout of weights"),
        _accepted("-nocb", "--no-cont-batching", help="requests always share steps; their answers do not depend on it"),
        _accepted("--prefill-assistant", help="a trailing message of the assistant is continued if the request asks"),
        _accepted("--log-prefix", "--log-timestamps", help="lines of the log always have their time and level"),
        _accepted("--no-skip-chat-parsing", help="answers are taken apart as requests ask"),
        _accepted("-no-ag", "--no-agent", help="whoever asks runs the tools"),
        _accepted("--no-ui-mcp-proxy", "--no-webui-mcp-proxy", help="the page asks no other server"),
        _accepted("--no-spec-draft-backend-sampling", help="tokens are chosen on the processor"),
        _accepted("--reasoning-preserve", help="what a conversation says of reasoning goes to the chat template"),
        Value(("-ub", "--ubatch-size"), "N", "", integer(1), "the library's batches are chosen by --batch-size"),
        Value(("-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"), "N", "", integer(0), "--cache-ram bounds caches"),
        Value(("-cms", "--checkpoint-min-step"), "N", "", integer(0), "--cache-ram bounds caches"),
        Value(("-dt", "--defrag-thold"), "F", "", real(), "cells need no order"),
        Value(
            ("-sps", "--slot-prompt-similarity"),
            "F",
            "",
            real(),
            "the longest beginning that a prompt shares with any other is used, however short",
        ),
        Value(("--log-colors",), "WHEN", "", choice({"auto": "", "off": ""}), "logs have no colours"),
        Value(
            ("-fit", "--fit"),
            "off",
            "",
            only("off", reason="options are not fitted to the memory of GPUs"),
            "options are not fitted to the memory of GPUs",
        ),
        Value(
            ("-lzm", "--lazy-mode"),
            "auto",
            "",
            only("auto", reason="the library chooses which tensors it reads when they are needed"),
            "the library chooses which tensors it reads when they are needed",
        ),
        Value(("--threads-http",), "N", "", integer(-1), "connections need no threads"),
        Value(
            ("--cache-reuse",),
            "0",
            "",
            only("0", reason="caches are reused where prompts begin alike, and not behind that"),
            "pieces of caches are not moved",
        ),
        Value(
            ("--spec-type",),
            "TYPE",
            "",
            only("draft-simple", "none", reason="drafts come from --model-draft, and with --lookup from the prompt"),
            "draft-simple or none; drafts come from --model-draft as they are",
        ),
        Value(
            ("--reasoning-budget",),
            "-1",
            "",
            only("-1", reason='requests say how much the model may think, by "reasoning_budget_tokens"'),
            "no bound on thinking but what requests say",
        ),
        Value(
            ("--sleep-idle-seconds",),
            "-1",
            "",
            only("-1", reason="the model stays loaded"),
            "the model stays loaded",
        ),
    ),
)
