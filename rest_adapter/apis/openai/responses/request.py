"""POST /v1/responses: from a body to a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.api_defaults import apply_shape, set_api_defaults, usual_value
from rest_adapter.apis.common.candidates import bound_candidates
from rest_adapter.apis.common.chat_defaults import NO_DEFAULTS, ChatDefaults
from rest_adapter.apis.common.chat_prompt import (
    end_at_marker,
    penalize_answer_only,
    read_template_variables,
)
from rest_adapter.apis.common.constraints import read_constraints
from rest_adapter.apis.common.extras import Extras, read_extras
from rest_adapter.apis.common.model_name import name_in_answers
from rest_adapter.apis.common.options import apply_options, read_timeout_s
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.structs import read_struct
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.unsupported import RESPONSES, refuse_unsupported
from rest_adapter.apis.openai.chat.reasoning import Reasoning, read_reasoning
from rest_adapter.apis.openai.responses.body import ReasoningOptions, ResponseBody
from rest_adapter.apis.openai.responses.conversation import Turns, read_conversation
from rest_adapter.apis.openai.responses.tools import Tools, read_response_tools
from rest_adapter.json.encoding import PIECE_BYTES, Encoded, encode_in_pieces
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE, OVERFLOW_TRUNCATE, GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_LOGPROBS = "message.output_text.logprobs"
_FORMAT = "text.format"
_EFFORT = "reasoning.effort"
_REPEATED_NUMBERS = ("temperature", "top_p")
_PLAIN_TEXT: Mapping[str, Any] = {"type": "text"}
#: Options of /completion that conversations do not have, or that have another name here.
NOT_HERE = ("system_prompt", "n_probs")


@dataclass(frozen=True, slots=True)
class ResponseCall:
    """A body of POST /v1/responses.

    Attributes:
        body: its fields.
        model: the name in the body, which answers repeat whatever is served; "" for the name in the core.
        settings: what answers repeat of the body.
        left_out: numbers of it that the body leaves to the server: what they are is known once the answer is complete.
        turns: where the turns of the conversation come from.
        tools: what may be called.
        wants_logprobs: tokens come with their log-probabilities.
        timeout_s: seconds that the whole generation may take, or None.
        constraint_field: the field that a constraint came from.
        reasoning: what the answer has of reasoning.
        extras: what else it asks for.
    """

    request: GenerateRequest
    body: ResponseBody
    model: str
    settings: Mapping[str, Any]
    left_out: tuple[str, ...]
    turns: Turns
    tools: Tools
    wants_logprobs: bool
    timeout_s: float | None
    constraint_field: str
    reasoning: Reasoning
    extras: Extras

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return bool(self.body.stream)


def read_response(
    fields: Mapping[str, object],
    *,
    truncates: bool = False,
    defaults: ChatDefaults = NO_DEFAULTS,
    shape: ApiShape = ApiShape.OF_2024,
    today: date | None = None,
) -> ResponseCall:
    """Read a body. Options of /completion work here, too, but for those of ``NOT_HERE`` and ``RESPONSES``.

    Args:
        fields: the JSON body.
        truncates: shorten a conversation that does not fit, unless the body says otherwise.
        defaults: what the server says of thinking and to the template, unless the body says otherwise.
        shape: whose defaults and ways to write options count.
        today: the date that templates are told in the shape of today; None for none.

    Raises:
        InvalidRequest: a field has a value that is not allowed, or asks for what is not supported.
    """
    refuse_unsupported(fields, RESPONSES)
    body = read_struct(fields, ResponseBody)
    request = GenerateRequest()
    read_overflow(request, fields, truncates=truncates)
    if body.truncation is not None:
        request.overflow = OVERFLOW_TRUNCATE if body.truncation == "auto" else OVERFLOW_REFUSE
    set_api_defaults(request, shape)
    apply_options(request, {name: value for name, value in fields.items() if name not in NOT_HERE})
    apply_synonyms(request, fields)
    apply_shape(request, fields, shape)
    if body.max_output_tokens is not None:
        request.stop.max_tokens = body.max_output_tokens
    end_at_marker(request)
    form = body.text.format if body.text else None
    constraint_field = read_constraints(request, fields, (_FORMAT, form))
    wants_logprobs = _read_logprobs(request, body)
    turns = read_conversation(request.chat, body.instructions, body.input)
    tools = read_response_tools(request.chat, body.tools, body.tool_choice, body.parallel_tool_calls)
    reasoning = _read_reasoning(request, fields, body.reasoning, defaults.thinks)
    read_template_variables(request.chat, fields, shape, today, defaults)
    if "penalty_prompt" not in fields:
        penalize_answer_only(request)
    return ResponseCall(
        request=request,
        body=body,
        model="" if body.model is None else name_in_answers(body.model),
        settings=_settings(request, fields, body, tools),
        left_out=tuple(name for name in _REPEATED_NUMBERS if fields.get(name) is None),
        turns=turns,
        tools=tools,
        wants_logprobs=wants_logprobs,
        timeout_s=read_timeout_s(fields),
        constraint_field=constraint_field,
        reasoning=reasoning,
        extras=read_extras(request, fields, is_stream=bool(body.stream)),
    )


def _read_reasoning(
    request: GenerateRequest, fields: Mapping[str, object], options: ReasoningOptions | None, thinks: bool | None
) -> Reasoning:
    effort = options.effort if options else None
    # Answers consist of items, so their parts are always told apart.
    reasoning = read_reasoning(
        request, fields, calls_tools=True, default="auto", thinks=thinks, effort=(_EFFORT, effort)
    )
    if effort is not None:
        # Agents send it whatever the model: those that cannot think harder answer as they do.
        request.chat.reasoning.lenient = True
    return reasoning


def _read_logprobs(request: GenerateRequest, body: ResponseBody) -> bool:
    is_wanted = bool(body.top_logprobs) or _LOGPROBS in (body.include or ())
    if is_wanted:
        request.output.top_logprobs = body.top_logprobs or 0
        bound_candidates(request, tokens="max_output_tokens")
    return is_wanted


def _settings(
    request: GenerateRequest, fields: Mapping[str, object], body: ResponseBody, tools: Tools
) -> Mapping[str, Any]:
    """What answers repeat. Numbers are those of the body: the message has them as float32."""
    reasoning = body.reasoning or ReasoningOptions()
    choice = "auto" if body.tool_choice is None else body.tool_choice
    settings = {
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "parallel_tool_calls": True if body.parallel_tool_calls is None else body.parallel_tool_calls,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.effort, "summary": reasoning.summary},
        "store": False,
        "text": {"format": (body.text.format if body.text else None) or _PLAIN_TEXT},
        "tool_choice": choice,
        "tools": tools.given,
        "top_logprobs": body.top_logprobs or 0,
        "truncation": "auto" if request.overflow == OVERFLOW_TRUNCATE else "disabled",
        **{name: _number(fields.get(name), usual_value(request, name)) for name in _REPEATED_NUMBERS},
    }
    if request.ByteSize() <= PIECE_BYTES:
        return settings
    # A stream repeats them three times: large ones are written once, here, where other requests need not wait.
    return {name: Encoded(b"".join(encode_in_pieces(value))) for name, value in settings.items()}


def _number(given: object, in_force: float) -> object:
    return in_force if given is None else given
