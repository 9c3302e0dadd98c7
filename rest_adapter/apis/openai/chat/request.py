"""POST /v1/chat/completions: from a body to a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.api_defaults import apply_shape, set_api_defaults
from rest_adapter.apis.common.candidates import bound_candidates
from rest_adapter.apis.common.chat_defaults import NO_DEFAULTS, ChatDefaults
from rest_adapter.apis.common.chat_prompt import (
    end_at_marker,
    penalize_answer_only,
    read_template_variables,
    text_of,
)
from rest_adapter.apis.common.constraints import path_of_constraint, read_constraints
from rest_adapter.apis.common.extras import Extras, read_extras
from rest_adapter.apis.common.field_texts import told_of_body
from rest_adapter.apis.common.fields import read_bool, read_flag, read_int, refusal
from rest_adapter.apis.common.max_tokens import read_max_tokens
from rest_adapter.apis.common.number_of_answers import read_n
from rest_adapter.apis.common.options import apply_options, read_timeout_s
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.unsupported import CHAT, refuse_unsupported
from rest_adapter.apis.openai.answer_form import AnswerForm, answer_form
from rest_adapter.apis.openai.chat.messages import join_texts, read_messages
from rest_adapter.apis.openai.chat.paths import path_in_body
from rest_adapter.apis.openai.chat.reasoning import Reasoning, read_reasoning
from rest_adapter.apis.openai.chat.tools import read_tools
from rest_adapter.apis.openai.openai_options import (
    MAX_TOP_LOGPROBS,
    read_include_usage,
    read_model,
    refuse_functions,
)
from rest_adapter.apis.openai.verbose import read_verbose
from rest_adapter.errors import InvalidRequest, RpcFailure
from rest_adapter.json.encoding import show
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from rest_adapter.apis.common.pictures import Pictures
    from rest_adapter.apis.common.settings_now import Asked
    from slotline.v1.prompt_pb2 import ChatPrompt


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A body of POST /v1/chat/completions.

    Attributes:
        model: the name in the body, which answers repeat whatever is served; "" for the name in the core.
        is_stream: the answer is a stream of chunks.
        includes_usage: the stream ends with a chunk that counts tokens.
        wants_logprobs: tokens come with their log-probabilities.
        n_choices: number of answers.
        timeout_s: seconds that the whole generation may take, or None.
        constraint_field: the field that a grammar or a choice came from.
        reasoning: what the answer has of reasoning.
        pictures: those of the messages.
        extras: what else it asks for.
        form: of answers.
        verbose: what ``__verbose`` in answers shows that the core does not report; None if they do not have it.
    """

    request: GenerateRequest
    model: str
    is_stream: bool
    includes_usage: bool
    wants_logprobs: bool
    n_choices: int
    timeout_s: float | None
    constraint_field: str
    reasoning: Reasoning
    pictures: Pictures
    extras: Extras
    form: AnswerForm
    verbose: Asked | None = None


def read_chat(
    body: Mapping[str, object],
    *,
    truncates: bool = False,
    reasoning_format: str | None = None,
    defaults: ChatDefaults = NO_DEFAULTS,
    shape: ApiShape = ApiShape.OF_2024,
    is_server_verbose: bool = False,
    today: date | None = None,
) -> ChatCall:
    """Read a body. Every option of /completion works here, too, except ``system_prompt``.

    Args:
        body: the JSON body.
        truncates: shorten a conversation that does not fit, unless the body says otherwise.
        reasoning_format: where reasoning goes, unless the body says otherwise; see ``read_reasoning``.
        defaults: what the server says of thinking and to the template, unless the body says otherwise.
        shape: whose defaults and ways to write options count.
        is_server_verbose: the server was started with ``--verbose``.
        today: the date that templates are told in the shape of today; None for none.

    Raises:
        InvalidRequest: a field has a value that is not allowed, or asks for what is not supported.
    """
    refuse_functions(body)
    refuse_unsupported(body, CHAT)
    request = GenerateRequest()
    read_overflow(request, body, truncates=truncates)
    set_api_defaults(request, shape)
    # Chats have system messages; the field that sets a prompt for all slots is ignored here.
    apply_options(request, {name: value for name, value in body.items() if name != "system_prompt"})
    apply_synonyms(request, body)
    apply_shape(request, body, shape)
    read_max_tokens(request, body)
    end_at_marker(request)
    n_choices = read_n(request, body)
    constraint_field = read_constraints(request, body)
    wants_logprobs = _read_logprobs(request, body)
    bound_candidates(request)
    pictures = read_messages(request.chat, body.get("messages"))
    request.chat.continue_final_message = _read_continue(request.chat, body, shape)
    if shape is ApiShape.NOW:
        join_texts(request.chat)
    if (value := body.get("add_generation_prompt")) is not None:
        request.chat.add_generation_prompt = read_bool("add_generation_prompt", value)
    calls_tools = read_tools(request.chat, body)
    reasoning = read_reasoning(request, body, calls_tools=calls_tools, default=reasoning_format, thinks=defaults.thinks)
    read_template_variables(request.chat, body, shape, today, defaults)
    if "penalty_prompt" not in body:
        penalize_answer_only(request)
    is_stream = read_flag(body, "stream")
    extras = read_extras(request, body, is_stream=is_stream)
    form = answer_form(shape, tells_times=extras.tells_times)
    return ChatCall(
        request=request,
        model=form.told_model(read_model(body)),
        is_stream=is_stream,
        includes_usage=read_include_usage(body),
        wants_logprobs=wants_logprobs,
        n_choices=n_choices,
        timeout_s=read_timeout_s(body),
        constraint_field=constraint_field,
        reasoning=reasoning,
        pictures=pictures,
        extras=extras,
        form=form,
        verbose=read_verbose(
            request,
            body,
            shape,
            extras,
            is_server_verbose=is_server_verbose,
            is_stream=is_stream,
            parts=reasoning.shown_parts(is_stream=is_stream),
        ),
    )


def rename_fields(failure: RpcFailure, call: ChatCall) -> RpcFailure:
    """A failure of Generate with the names of the fields in the body; the prompt comes from ``messages``."""

    def renamed(path: str) -> str:
        if path == "prompt":
            return "messages"
        if named := call.pictures.path_in_body(path):
            return named
        return path_in_body(path_of_constraint(path, call.constraint_field), call.reasoning)

    return told_of_body(failure, renamed)


def _read_continue(chat: ChatPrompt, body: Mapping[str, object], shape: ApiShape) -> bool:
    name = "continue_final_message"
    if shape is ApiShape.NOW and body.get(name) is None and body.get("add_generation_prompt") is not True:
        return _ends_with_prefill(chat)
    if not read_flag(body, name):
        return False
    last = chat.messages[-1]
    if last.role != "assistant":
        raise InvalidRequest(name, f"true needs a last message of the assistant; its role is {show(last.role)}")
    if not text_of(last):
        raise InvalidRequest(name, "true needs a text to continue; the last message has none")
    if last.HasField("tool_calls_json"):
        raise InvalidRequest(name, "true is not allowed with tool calls in the last message")
    return True


def _ends_with_prefill(chat: ChatPrompt) -> bool:
    """Whether the last message is the beginning of the answer: today, a text of the assistant is.

    Raises:
        InvalidRequest: there are two of them.
    """
    last = chat.messages[-1]
    if last.role != "assistant" or not text_of(last) or last.HasField("tool_calls_json"):
        return False
    if len(chat.messages) > 1 and chat.messages[-2].role == "assistant":
        raise InvalidRequest("messages", "ends with two messages of the assistant; allowed is one, which is continued")
    return True


def _read_logprobs(request: GenerateRequest, body: Mapping[str, object]) -> bool:
    wants, top = read_flag(body, "logprobs"), body.get("top_logprobs")
    if wants:
        request.output.top_logprobs = 0 if top is None else read_int("top_logprobs", top, (0, MAX_TOP_LOGPROBS))
    elif top:
        raise refusal("top_logprobs", top, "allowed unless logprobs is true")
    return wants
