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

#: By name.
ADVICE: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("-mu", "--model-url", "-hf", "-hfr", "--hf-repo", "-hff", "--hf-file", "-hft", "--hf-token"),
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
    "--chat-template-kwargs": f'{_BY_REQUEST}, as "chat_template_kwargs"',
    "--reasoning-budget-message": f'{_BY_REQUEST}, as "reasoning_budget_message"',
    "--no-prefill-assistant": 'a request continues a message only with "continue_final_message": true',
    "--skip-chat-parsing": "use --reasoning-format none",
    **dict.fromkeys(("--ssl-key-file", "--ssl-cert-file"), _TLS),
    "--api-prefix": "put a proxy in front of the server that takes the prefix away",
    **dict.fromkeys(("--tools", "--tools-runtime", "--mcp-servers-config", "--mcp-servers-json"), _TOOLS),
    **dict.fromkeys(("--ui-mcp-proxy", "--webui-mcp-proxy"), _TOOLS),
    **dict.fromkeys(
        ("-C", "--cpu-mask", "-Cr", "--cpu-range", "--cpu-strict", "--prio", "--poll", "--cpu-mask-batch"), _THREADS
    ),
    **dict.fromkeys(
        ("-ot", "--override-tensor", "-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe", "-dev", "--device"), _WEIGHTS
    ),
    **dict.fromkeys(("--models-dir", "--models-max", "--models-preset", "--no-models-autoload"), _ONE_MODEL),
    "--spm-infill": "infill prompts have the prefix first",
    **dict.fromkeys(("-bs", "--backend-sampling"), "tokens are chosen on the processor"),
    "--log-file": "logs go to stdout; lead that to a file",
    **dict.fromkeys(("-lv", "--verbosity", "--log-verbosity"), "use --verbose to log more"),
    "--special": "names of control tokens are never part of answers",
    "-sp": "names of control tokens are never part of answers",
}
