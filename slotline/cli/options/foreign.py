"""Options of llama.cpp's server of today that this server does not have: what to say to who gives one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_REQUEST = "send it with each request"

#: Names by what to say.
_NAMES: Mapping[str, str] = {
    "nothing is downloaded: fetch the GGUF file, and give it with --model": """
        -mu --model-url -hf -hfr --hf-repo -hff --hf-file -hft --hf-token --spec-draft-hf -hfd -hfrd
        --hf-repo-draft --embd-gemma-default --fim-qwen-1.5b-default --fim-qwen-3b-default --fim-qwen-7b-default
        --fim-qwen-7b-spec --fim-qwen-14b-spec --fim-qwen-30b-default --gpt-oss-20b-default --gpt-oss-120b-default
        --vision-gemma-4b-default --vision-gemma-12b-default -dr --docker-repo -hfv -hfrv --hf-repo-v -hffv
        --hf-file-v -cl --cache-list
    """,
    "nothing is downloaded: fetch the file, and give it with --mmproj": "-mmu --mmproj-url",
    f'{_BY_REQUEST}, as "grammar"': "--grammar --grammar-file",
    f'{_BY_REQUEST}, as "json_schema"': "-j --json-schema -jf --json-schema-file",
    f'{_BY_REQUEST}, as "logit_bias"': "-l --logit-bias",
    f'{_BY_REQUEST}, as "n_keep"': "--keep",
    _BY_REQUEST: "-p --prompt -f --file -r --reverse-prompt",
    f'{_BY_REQUEST}, as "reasoning_budget_message"': "--reasoning-budget-message",
    'a request continues a message only with "continue_final_message": true': "--no-prefill-assistant",
    "use --reasoning-format none": "--skip-chat-parsing",
    "for HTTPS, put a proxy in front of the server": "--ssl-key-file --ssl-cert-file",
    "put a proxy in front of the server that takes the prefix away": "--api-prefix",
    "whoever asks runs the tools": """
        --tools --tools-runtime --mcp-servers-config --mcp-servers-json --ui-mcp-proxy --webui-mcp-proxy -ag
        --agent
    """,
    "threads are chosen by --threads and --threads-batch alone": """
        -C --cpu-mask -Cr --cpu-range --cpu-strict --prio --poll -Cb --cpu-mask-batch -Crb --cpu-range-batch
        --cpu-strict-batch --prio-batch --poll-batch
    """,
    "where weights are is chosen by --n-gpu-layers, --split-mode and --tensor-split": """
        -ot --override-tensor -cmoe --cpu-moe -ncmoe --n-cpu-moe -ncffn --n-cpu-ffn -dev --device --list-devices
        -mmdev --mmproj-device --rpc
    """,
    "the draft model is loaded and computed as the model is, but for --threads-draft and --gpu-layers-draft": """
        --spec-draft-cpu-mask -Cd --cpu-mask-draft --spec-draft-cpu-range -Crd --cpu-range-draft
        --spec-draft-cpu-strict --cpu-strict-draft --spec-draft-prio --prio-draft --spec-draft-poll --poll-draft
        --spec-draft-cpu-mask-batch -Cbd --cpu-mask-batch-draft --spec-draft-cpu-strict-batch
        --cpu-strict-batch-draft --spec-draft-prio-batch --prio-batch-draft --spec-draft-poll-batch
        --poll-batch-draft --spec-draft-threads-batch -tbd --threads-batch-draft --spec-draft-override-tensor -otd
        --override-tensor-draft --spec-draft-cpu-moe -cmoed --cpu-moe-draft --spec-draft-n-cpu-moe
        --spec-draft-ncmoe -ncmoed --n-cpu-moe-draft --spec-draft-device -devd --device-draft --spec-draft-type-k
        -ctkd --cache-type-k-draft --spec-draft-type-v -ctvd --cache-type-v-draft
    """,
    "drafts come from --model-draft, and with --lookup from the prompt": """
        --spec-synth-len --spec-synth-rates --spec-draft-p-split --draft-p-split --spec-default
        --spec-ngram-mod-n-min --spec-ngram-mod-n-max --spec-ngram-mod-n-match --spec-ngram-simple-size-n
        --spec-ngram-simple-size-m --spec-ngram-simple-min-hits --spec-ngram-map-k-size-n
        --spec-ngram-map-k-size-m --spec-ngram-map-k-min-hits --spec-ngram-map-k4v-size-n
        --spec-ngram-map-k4v-size-m --spec-ngram-map-k4v-min-hits --spec-ngram-size-n --spec-ngram-size-m
        --spec-ngram-min-hits -lcs --lookup-cache-static -lcd --lookup-cache-dynamic
    """,
    "guesses are the draft model's likeliest tokens": "--spec-draft-sampling",
    "tokens are chosen on the processor": "--spec-draft-backend-sampling -bs --backend-sampling",
    "options are not fitted to the memory of GPUs; choose --n-gpu-layers and --ctx-size": """
        -fitt --fit-target -fitc --fit-ctx
    """,
    "with --kv-unified, --ctx-size is what all slots share, and a request may use it all": """
        --kv-unified-per-slot
    """,
    "of what changes a model, only adapters are taken: --lora": """
        --control-vector --control-vector-scaled --control-vector-layer-range
    """,
    "how many rows of a picture are evaluated at once follows from --batch-size": "--mtmd-batch-max-tokens",
    "of media, only pictures are taken": "--video-fps --video-timestamp-interval --video-ffmpeg-dir",
    "the page keeps its settings in the browser": "--ui-config --webui-config --ui-config-file --webui-config-file",
    "a server has one model, that of --model": """
        --models-dir --models-max --models-preset --models-autoload --no-models-autoload
    """,
    "leave it out of the conversations that you send": "--no-reasoning-preserve",
    "`slotline help serve` lists the options": "--completion-bash",
    "with --verbose the log has them": "--log-prompts-dir",
    "use --log-format text for short lines": "--no-log-prefix --no-log-timestamps",
    "infill prompts have the prefix first": "--spm-infill",
    "logs go to stdout; lead that to a file": "--log-file",
    "use --verbose to log more": "-lv --verbosity --log-verbosity",
    "names of control tokens are never part of answers": "--special -sp",
}

#: By name.
ADVICE: Mapping[str, str] = {name: advice for advice, names in _NAMES.items() for name in names.split()}
