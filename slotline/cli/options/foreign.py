"""Options of llama.cpp's server of today that this server does not have: what to say to who gives one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOWNLOADS = "nothing is downloaded: fetch the GGUF file, and give it with --model"
_BY_REQUEST = "send it with each request"
_ONE_MODEL = "a server has one model, that of --model"
_TOOLS = "whoever asks runs the tools"
_TLS = "for HTTPS, put a proxy in front of the server"
_THREADS = "threads are chosen by --threads and --threads-batch alone"
_WEIGHTS = "where weights are is chosen by --n-gpu-layers, --split-mode and --tensor-split"

_DRAFT_MODEL = "the draft model is loaded and computed as the model is, but for --threads-draft and --gpu-layers-draft"
_LOOKUP = "drafts come from --model-draft, and with --lookup from the prompt"
_MEMORY = "options are not fitted to the memory of GPUs; choose --n-gpu-layers and --ctx-size"
_PAGE = "the page keeps its settings in the browser"
_VIDEOS = "of media, only pictures are taken"

#: By name.
ADVICE: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("-mu", "--model-url", "-hf", "-hfr", "--hf-repo", "-hff", "--hf-file", "-hft", "--hf-token"),
            *("--spec-draft-hf", "-hfd", "-hfrd", "--hf-repo-draft", "--embd-gemma-default", "--fim-qwen-1.5b-default"),
            *("--fim-qwen-3b-default", "--fim-qwen-7b-default", "--fim-qwen-7b-spec", "--fim-qwen-14b-spec"),
            *("--fim-qwen-30b-default", "--gpt-oss-20b-default", "--gpt-oss-120b-default"),
            *("--vision-gemma-4b-default", "--vision-gemma-12b-default"),
            *("-dr", "--docker-repo", "-hfv", "-hfrv", "--hf-repo-v", "-hffv", "--hf-file-v", "-cl", "--cache-list"),
        ),
        _DOWNLOADS,
    ),
    **dict.fromkeys(("-mmu", "--mmproj-url"), "nothing is downloaded: fetch the file, and give it with --mmproj"),
    **dict.fromkeys(("--grammar", "--grammar-file"), f'{_BY_REQUEST}, as "grammar"'),
    **dict.fromkeys(("-j", "--json-schema", "-jf", "--json-schema-file"), f'{_BY_REQUEST}, as "json_schema"'),
    **dict.fromkeys(("-l", "--logit-bias"), f'{_BY_REQUEST}, as "logit_bias"'),
    "--keep": f'{_BY_REQUEST}, as "n_keep"',
    **dict.fromkeys(("-p", "--prompt", "-f", "--file", "-r", "--reverse-prompt"), _BY_REQUEST),
    "--reasoning-budget-message": f'{_BY_REQUEST}, as "reasoning_budget_message"',
    "--no-prefill-assistant": 'a request continues a message only with "continue_final_message": true',
    "--skip-chat-parsing": "use --reasoning-format none",
    **dict.fromkeys(("--ssl-key-file", "--ssl-cert-file"), _TLS),
    "--api-prefix": "put a proxy in front of the server that takes the prefix away",
    **dict.fromkeys(("--tools", "--tools-runtime", "--mcp-servers-config", "--mcp-servers-json"), _TOOLS),
    **dict.fromkeys(("--ui-mcp-proxy", "--webui-mcp-proxy"), _TOOLS),
    **dict.fromkeys(
        (
            *("-C", "--cpu-mask", "-Cr", "--cpu-range", "--cpu-strict", "--prio", "--poll"),
            *("-Cb", "--cpu-mask-batch", "-Crb", "--cpu-range-batch", "--cpu-strict-batch", "--prio-batch"),
            "--poll-batch",
        ),
        _THREADS,
    ),
    **dict.fromkeys(
        (
            *("-ot", "--override-tensor", "-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe", "-ncffn", "--n-cpu-ffn"),
            *("-dev", "--device", "--list-devices", "-mmdev", "--mmproj-device", "--rpc"),
        ),
        _WEIGHTS,
    ),
    **dict.fromkeys(
        (
            *(
                "--spec-draft-cpu-mask",
                "-Cd",
                "--cpu-mask-draft",
                "--spec-draft-cpu-range",
                "-Crd",
                "--cpu-range-draft",
            ),
            *("--spec-draft-cpu-strict", "--cpu-strict-draft", "--spec-draft-prio", "--prio-draft"),
            *("--spec-draft-poll", "--poll-draft", "--spec-draft-cpu-mask-batch", "-Cbd", "--cpu-mask-batch-draft"),
            *("--spec-draft-cpu-strict-batch", "--cpu-strict-batch-draft", "--spec-draft-prio-batch"),
            *("--prio-batch-draft", "--spec-draft-poll-batch", "--poll-batch-draft", "--spec-draft-threads-batch"),
            *("-tbd", "--threads-batch-draft", "--spec-draft-override-tensor", "-otd", "--override-tensor-draft"),
            *("--spec-draft-cpu-moe", "-cmoed", "--cpu-moe-draft", "--spec-draft-n-cpu-moe", "--spec-draft-ncmoe"),
            *("-ncmoed", "--n-cpu-moe-draft", "--spec-draft-device", "-devd", "--device-draft"),
            *("--spec-draft-type-k", "-ctkd", "--cache-type-k-draft"),
            *("--spec-draft-type-v", "-ctvd", "--cache-type-v-draft"),
        ),
        _DRAFT_MODEL,
    ),
    **dict.fromkeys(
        (
            *("--spec-synth-len", "--spec-synth-rates", "--spec-draft-p-split", "--draft-p-split", "--spec-default"),
            *("--spec-ngram-mod-n-min", "--spec-ngram-mod-n-max", "--spec-ngram-mod-n-match"),
            *("--spec-ngram-simple-size-n", "--spec-ngram-simple-size-m", "--spec-ngram-simple-min-hits"),
            *("--spec-ngram-map-k-size-n", "--spec-ngram-map-k-size-m", "--spec-ngram-map-k-min-hits"),
            *("--spec-ngram-map-k4v-size-n", "--spec-ngram-map-k4v-size-m", "--spec-ngram-map-k4v-min-hits"),
            *("--spec-ngram-size-n", "--spec-ngram-size-m", "--spec-ngram-min-hits"),
            *("-lcs", "--lookup-cache-static", "-lcd", "--lookup-cache-dynamic"),
        ),
        _LOOKUP,
    ),
    "--spec-draft-sampling": "guesses are the draft model's likeliest tokens",
    "--spec-draft-backend-sampling": "tokens are chosen on the processor",
    **dict.fromkeys(("-fitt", "--fit-target", "-fitc", "--fit-ctx"), _MEMORY),
    "--kv-unified-per-slot": "with --kv-unified, --ctx-size is what all slots share, and a request may use it all",
    **dict.fromkeys(
        ("--control-vector", "--control-vector-scaled", "--control-vector-layer-range"),
        "of what changes a model, only adapters are taken: --lora",
    ),
    "--mtmd-batch-max-tokens": "how many rows of a picture are evaluated at once follows from --batch-size",
    **dict.fromkeys(("--video-fps", "--video-timestamp-interval", "--video-ffmpeg-dir"), _VIDEOS),
    **dict.fromkeys(("--ui-config", "--webui-config", "--ui-config-file", "--webui-config-file"), _PAGE),
    **dict.fromkeys(("-ag", "--agent"), _TOOLS),
    **dict.fromkeys(
        ("--models-dir", "--models-max", "--models-preset", "--models-autoload", "--no-models-autoload"), _ONE_MODEL
    ),
    "--no-reasoning-preserve": "leave it out of the conversations that you send",
    "--completion-bash": "`slotline help serve` lists the options",
    "--log-prompts-dir": "with --verbose the log has them",
    **dict.fromkeys(("--no-log-prefix", "--no-log-timestamps"), "use --log-format text for short lines"),
    "--spm-infill": "infill prompts have the prefix first",
    **dict.fromkeys(("-bs", "--backend-sampling"), "tokens are chosen on the processor"),
    "--log-file": "logs go to stdout; lead that to a file",
    **dict.fromkeys(("-lv", "--verbosity", "--log-verbosity"), "use --verbose to log more"),
    "--special": "names of control tokens are never part of answers",
    "-sp": "names of control tokens are never part of answers",
}
