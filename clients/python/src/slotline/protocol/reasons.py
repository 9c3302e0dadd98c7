"""Why a core refuses a call: the reasons in ``google.rpc.ErrorInfo``, and the keys of the facts in its metadata.

``docs/errors.md`` says when each of them is given. They are part of the contract: programs compare with them.
"""

from __future__ import annotations

from typing import Final

# Reasons ------------------------------------------------------------------------------------------------------------

INVALID_ARGUMENT: Final = "INVALID_ARGUMENT"
CONTEXT_LENGTH_EXCEEDED: Final = "CONTEXT_LENGTH_EXCEEDED"
INVALID_API_KEY: Final = "INVALID_API_KEY"
NOT_ALLOWED: Final = "NOT_ALLOWED"
MODEL_NOT_FOUND: Final = "MODEL_NOT_FOUND"
RESOURCE_EXHAUSTED: Final = "RESOURCE_EXHAUSTED"
QUEUE_FULL: Final = "QUEUE_FULL"
KV_CACHE_EXHAUSTED: Final = "KV_CACHE_EXHAUSTED"
UNAVAILABLE: Final = "UNAVAILABLE"
MODEL_LOADING: Final = "MODEL_LOADING"
MODEL_FAILED: Final = "MODEL_FAILED"
STALLED: Final = "STALLED"
SLOTS_BUSY: Final = "SLOTS_BUSY"
TEMPLATE_WORKER_LOST: Final = "TEMPLATE_WORKER_LOST"
IMAGE_WORKER_LOST: Final = "IMAGE_WORKER_LOST"
DRAINING: Final = "DRAINING"
DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
NOT_SUPPORTED: Final = "NOT_SUPPORTED"
INTERNAL: Final = "INTERNAL"

# Keys of facts ------------------------------------------------------------------------------------------------------

#: Path of the field of the request that is refused.
FIELD: Final = "field"
#: Tokens of a prompt, as far as they were counted, ...
N_PROMPT_TOKENS: Final = "n_prompt_tokens"
#: ... and tokens of context that there are for it.
N_CTX: Final = "n_ctx"
#: The name of a model that is not served.
MODEL: Final = "model"
#: The bound that was reached.
LIMIT: Final = "limit"
#: KV cells in all.
KV_CELLS_TOTAL: Final = "kv_cells_total"
#: Fields of the core's configuration that the message asks to change, separated by commas.
CONFIG_FIELDS: Final = "config_fields"
