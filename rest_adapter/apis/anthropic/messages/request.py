"""POST /v1/messages: from a body to a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.anthropic.messages.body import DEFAULT_MAX_TOKENS, Body
from rest_adapter.apis.anthropic.messages.paths import Places
from rest_adapter.apis.anthropic.messages.thinking import read_thinking
from rest_adapter.apis.anthropic.messages.tools import read_tools
from rest_adapter.apis.anthropic.messages.turns import read_turns
from rest_adapter.apis.common.api_defaults import apply_shape, set_api_defaults
from rest_adapter.apis.common.chat_defaults import NO_DEFAULTS, ChatDefaults
from rest_adapter.apis.common.chat_prompt import end_at_marker, penalize_answer_only, put_template_variables
from rest_adapter.apis.common.constraints import read_constraints
from rest_adapter.apis.common.extras import Extras, read_extras
from rest_adapter.apis.common.fields import read_list, read_object
from rest_adapter.apis.common.model_name import name_in_answers
from rest_adapter.apis.common.options import apply_options, read_timeout_s
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.structs import read_struct
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.unsupported import MESSAGES, refuse_unsupported
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import show
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "output_config.format"
OLD_FORMAT = "output_format"
CONTEXT_MANAGEMENT = "context_management"
#: What clients want to have left out of a conversation. Templates leave out earlier thoughts as they see fit.
HARMLESS_EDITS = "clear_thinking_"


@dataclass(frozen=True, slots=True)
class MessagesCall:
    """A body of POST /v1/messages.

    Attributes:
        model: the name in the body, which the answer repeats whatever is served; "" for the name in the core.
        is_stream: the answer is a stream of events.
        shows_thinking: blocks of thinking have their text.
        stop_texts: those of the client.
        timeout_s: seconds that the whole generation may take, or None.
        extras: what else it asks for.
        places: where in the body the parts of the request came from.
    """

    request: GenerateRequest
    model: str
    is_stream: bool
    shows_thinking: bool
    stop_texts: frozenset[str]
    timeout_s: float | None
    extras: Extras
    places: Places


def read_messages(
    raw: Mapping[str, object],
    *,
    truncates: bool = False,
    defaults: ChatDefaults = NO_DEFAULTS,
    shape: ApiShape = ApiShape.OF_2024,
) -> MessagesCall:
    """Read a body. The options of /completion work here, too, except ``system_prompt``.

    Args:
        raw: the JSON body.
        truncates: shorten a conversation that does not fit, unless the body says otherwise.
        defaults: what the server says of thinking and to the template, unless the body says otherwise.
        shape: whose defaults and ways to write options count.

    Raises:
        InvalidRequest: a field has a value that is not allowed, or asks for what is not supported.
    """
    body = read_struct(raw, Body)
    refuse_unsupported(raw, MESSAGES)
    _check_context_management(raw.get(CONTEXT_MANAGEMENT))
    request = GenerateRequest()
    read_overflow(request, raw, truncates=truncates)
    set_api_defaults(request, shape)
    # Conversations have system messages; the field that sets a prompt for all slots is ignored here.
    apply_options(request, {name: value for name, value in raw.items() if name != "system_prompt"})
    apply_synonyms(request, raw)
    apply_shape(request, raw, shape)
    request.stop.max_tokens = DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    request.stop.texts.extend(body.stop_sequences or ())
    stop_texts = frozenset(request.stop.texts)
    end_at_marker(request)
    constraint_field = read_constraints(request, raw, _form(body, raw))
    turns, pictures = read_turns(request.chat, body)
    tools = read_tools(request.chat, body, raw)
    shows_thinking = read_thinking(request, body, defaults.thinks)
    put_template_variables(request.chat, defaults)
    if "penalty_prompt" not in raw:
        penalize_answer_only(request)
    return MessagesCall(
        request=request,
        model=name_in_answers(body.model or ""),
        is_stream=bool(body.stream),
        shows_thinking=shows_thinking,
        stop_texts=stop_texts,
        timeout_s=read_timeout_s(raw),
        extras=read_extras(request, raw, is_stream=bool(body.stream)),
        places=Places(turns, tools, constraint_field, pictures),
    )


def _form(body: Body, raw: Mapping[str, object]) -> tuple[str, object]:
    """The path and the value of the field that has the form of the answer; the value is None without one."""
    if body.output_config is not None and body.output_config.format is not None:
        if body.output_format is not None:
            raise InvalidRequest(OLD_FORMAT, f"is not allowed together with {FORMAT}; send one of them")
        return FORMAT, read_object("output_config", raw["output_config"])["format"]
    return OLD_FORMAT, raw.get(OLD_FORMAT)


def _check_context_management(value: object) -> None:
    if value is None:
        return
    edits = read_object(CONTEXT_MANAGEMENT, value).get("edits")
    for i, edit in enumerate(read_list(f"{CONTEXT_MANAGEMENT}.edits", edits, "objects") if edits is not None else ()):
        path = f"{CONTEXT_MANAGEMENT}.edits[{i}]"
        kind = read_object(path, edit).get("type")
        if not isinstance(kind, str) or not kind.startswith(HARMLESS_EDITS):
            problem = f"{show(kind)} is not supported; allowed are edits that begin with {show(HARMLESS_EDITS)}"
            raise InvalidRequest(f"{path}.type", problem, UNSUPPORTED)
