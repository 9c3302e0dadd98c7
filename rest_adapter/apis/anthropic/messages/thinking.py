"""Whether and how much a model thinks before it answers, and whether the answer shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.anthropic.messages.body import Adaptive, BetweenTools, Body, Disabled, Enabled
from slotline.v1.generation_pb2 import REASONING_FORMAT_SEPARATE

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest

_OMITTED = "omitted"


def read_thinking(request: GenerateRequest, body: Body, thinks: bool | None = None) -> bool:
    """Set how much the model thinks, and have its thoughts told apart from its answer.

    Clients say this of every model, by what the models of the Anthropic API can do: what this one has no switch for is
    left out. A budget of nothing stops those that always think.

    Args:
        request: its prompt is a conversation.
        body: has the fields ``thinking`` and ``output_config``.
        thinks: whether the model thinks without ``thinking``; None for what its template does.

    Returns:
        Whether the answer shows what the model thinks.
    """
    request.output.parse_output = True
    request.output.reasoning_format = REASONING_FORMAT_SEPARATE
    options, thinking = request.chat.reasoning, body.thinking
    options.lenient = True
    match thinking:
        case Disabled():
            options.enabled = False
            options.budget_tokens = 0
        case Enabled():
            options.enabled = True
            options.budget_tokens = thinking.budget_tokens
        case Adaptive() | BetweenTools():
            options.enabled = True
        case None if thinks is not None:
            options.enabled = thinks
    effort = None if body.output_config is None else body.output_config.effort
    is_off = options.HasField("enabled") and not options.enabled
    if effort is not None and not is_off:
        options.effort = effort
    return not (isinstance(thinking, Enabled | Adaptive) and thinking.display == _OMITTED)
