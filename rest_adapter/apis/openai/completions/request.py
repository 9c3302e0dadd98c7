"""POST /v1/completions: the request for each prompt of a body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.api_defaults import apply_shape, set_api_defaults
from rest_adapter.apis.common.candidates import bound_candidates
from rest_adapter.apis.common.constraints import path_of_constraint, read_constraints
from rest_adapter.apis.common.extras import Extras, read_extras
from rest_adapter.apis.common.field_texts import of_refused_field
from rest_adapter.apis.common.fields import read_flag, read_int, read_str, refusal
from rest_adapter.apis.common.max_tokens import read_max_tokens
from rest_adapter.apis.common.number_of_answers import read_n
from rest_adapter.apis.common.options import apply_options, json_name, read_timeout_s
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.prompt import Part, Prompt, check_repeated, put_parts, read_prompts, requests_for
from rest_adapter.apis.common.settings_now import NO_CHAT
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.unsupported import TEXT, refuse_unsupported
from rest_adapter.apis.openai.answer_form import AnswerForm, answer_form
from rest_adapter.apis.openai.openai_options import (
    read_include_usage,
    read_model,
    refuse_tools,
)
from rest_adapter.apis.openai.verbose import read_verbose
from rest_adapter.errors import InvalidRequest, RpcFailure
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rest_adapter.apis.common.settings_now import Asked

#: The default of the OpenAI API.
DEFAULT_MAX_TOKENS = 16
#: As many as the core can report.
MAX_LOGPROBS = 100
MAX_PROMPT_LOGPROBS = 20


@dataclass(frozen=True, slots=True)
class TextCompletionCall:
    """A body of POST /v1/completions.

    Attributes:
        requests: one per prompt.
        prompts: the prompts, in the same order.
        n_choices: number of answers to each prompt.
        model: the name in the body, which answers repeat whatever is served; "" for the name in the core.
        is_stream: the answer is a stream of chunks.
        includes_usage: the stream ends with a chunk that counts tokens.
        wants_logprobs: tokens come with their log-probabilities, those of an echoed prompt, too.
        wants_prompt_logprobs: each answer comes with the log-probabilities of its prompt.
        wants_echo: the text of the prompt comes before each answer.
        timeout_s: seconds that the whole generation may take, or None.
        constraint_field: the field that a grammar or a choice came from.
        extras: what else it asks for.
        form: of answers.
        verbose: what ``__verbose`` in answers shows that the core does not report; None if they do not have it.
    """

    requests: tuple[GenerateRequest, ...]
    prompts: tuple[Prompt, ...]
    n_choices: int
    model: str
    is_stream: bool
    includes_usage: bool
    wants_logprobs: bool
    wants_prompt_logprobs: bool
    wants_echo: bool
    timeout_s: float | None
    constraint_field: str
    extras: Extras
    form: AnswerForm
    verbose: Asked | None = None

    @property
    def scores_echo(self) -> bool:
        """Whether the log-probabilities of an answer begin with those of its prompt."""
        return self.wants_echo and self.wants_logprobs

    def echoes(self) -> Iterator[tuple[Part, ...]]:
        """What precedes the answers to each prompt: texts, and token ids that have to become texts."""
        for prompt in self.prompts:
            yield prompt.parts if self.wants_echo else ()

    def echoed_ids(self) -> list[tuple[Prompt, tuple[int, ...]]]:
        """The runs of token ids in the echoes, in their order, each with its prompt."""
        return [
            (prompt, part)
            for prompt, parts in zip(self.prompts, self.echoes(), strict=True)
            for part in parts
            if isinstance(part, tuple)
        ]


def read_text_completion(
    body: Mapping[str, object],
    *,
    truncates: bool = False,
    shape: ApiShape = ApiShape.OF_2024,
    is_server_verbose: bool = False,
) -> TextCompletionCall:
    """Read a body. Every option of /completion works here, too.

    Args:
        body: the JSON body.
        truncates: shorten prompts that do not fit, unless the body says otherwise.
        shape: whose defaults and ways to write options count.
        is_server_verbose: the server was started with ``--verbose``.

    Raises:
        InvalidRequest: a field has a value that is not allowed, or asks for what is not supported.
    """
    refuse_tools(body)
    refuse_unsupported(body, TEXT)
    _refuse_chat(body)
    prompts = read_prompts(body.get("prompt"))
    template = GenerateRequest()
    set_api_defaults(template, shape)
    # ``logprobs`` is a number here, and goes where chat has ``top_logprobs``.
    apply_options(template, body)
    apply_synonyms(template, body)
    apply_shape(template, body, shape)
    # Today, requests that say nothing get what the server was started with.
    read_max_tokens(template, body, DEFAULT_MAX_TOKENS if shape is ApiShape.OF_2024 else None)
    read_overflow(template, body, truncates=truncates)
    n_choices = read_n(template, body)
    _check_best_of(body.get("best_of"), n_choices)
    constraint_field = read_constraints(template, body)
    wants_logprobs = _read_logprobs(template, body.get("logprobs"))
    wants_echo = read_flag(body, "echo")
    is_stream = read_flag(body, "stream")
    suffix = "" if body.get("suffix") is None else read_str("suffix", body["suffix"])
    if wants_echo and wants_logprobs:
        if suffix:
            raise InvalidRequest("echo", "true is not allowed together with logprobs and suffix; leave one of them out")
        _score_prompt(template, "logprobs", body["logprobs"])
    wants_prompt_logprobs = _read_prompt_logprobs(template, body, is_stream=is_stream)
    bound_candidates(template, len(prompts.items), logprobs="logprobs")
    extras = read_extras(template, body, is_stream=is_stream)
    verbose = read_verbose(
        template, body, shape, extras, is_server_verbose=is_server_verbose, is_stream=is_stream, parts=NO_CHAT
    )
    requests = requests_for(template, prompts)
    if suffix:
        _put_suffix(requests, prompts.items, suffix)
    form = answer_form(shape, tells_times=extras.tells_times)
    return TextCompletionCall(
        requests=requests,
        prompts=prompts.items,
        n_choices=n_choices,
        model=form.told_model(read_model(body)),
        is_stream=is_stream,
        includes_usage=read_include_usage(body),
        wants_logprobs=wants_logprobs,
        wants_prompt_logprobs=wants_prompt_logprobs,
        wants_echo=wants_echo,
        timeout_s=read_timeout_s(body),
        constraint_field=constraint_field,
        extras=extras,
        form=form,
        verbose=verbose,
    )


def rename_fields(failure: RpcFailure, call: TextCompletionCall) -> RpcFailure:
    """A failure of Generate with the names of the fields in the body, and the number of the prompt among several."""
    prompt = call.prompts[failure.call]
    about_prompt = "prompt_logprobs" if call.wants_prompt_logprobs else "logprobs"

    def renamed(path: str) -> str:
        return prompt.path_of(_json_path(path_of_constraint(path, call.constraint_field), about_prompt))

    return of_refused_field(failure).renamed(renamed)


def _put_suffix(requests: Sequence[GenerateRequest], prompts: Sequence[Prompt], suffix: str) -> None:
    """Turn requests that continue prompts into those that fill the gap between each prompt and the suffix."""
    check_repeated(len(prompts), len(suffix.encode()))
    for request, prompt in zip(requests, prompts, strict=True):
        put_parts(request.infill.prefix, prompt.parts)
        put_parts(request.infill.suffix, (suffix,))


def _refuse_chat(body: Mapping[str, object]) -> None:
    if body.get("messages"):
        raise InvalidRequest("messages", "is not a field of this route; send prompt, or use /v1/chat/completions")
    if body.get("top_logprobs"):
        raise InvalidRequest("top_logprobs", "is not a field of this route; set logprobs to the number")


def _check_best_of(value: object, n_choices: int) -> None:
    if value is not None and read_int("best_of", value) != n_choices:
        raise refusal("best_of", value, f"equal to n, {n_choices}; all answers that are made are given")


def _read_logprobs(request: GenerateRequest, value: object) -> bool:
    # Clients of chats send false for none. True would count as 1 only because Python says so.
    if value is None or value is False:
        return False
    if value is True:
        raise refusal("logprobs", value, f"an integer from 0 to {MAX_LOGPROBS}")
    request.output.top_logprobs = read_int("logprobs", value, (0, MAX_LOGPROBS))
    return True


def _read_prompt_logprobs(request: GenerateRequest, body: Mapping[str, object], *, is_stream: bool) -> bool:
    value, logprobs = body.get("prompt_logprobs"), body.get("logprobs")
    if value is None or value is False:
        return False
    if is_stream:
        raise InvalidRequest("prompt_logprobs", "is not allowed in a stream; send echo and logprobs there")
    _score_prompt(request, "prompt_logprobs", value)
    if logprobs is not None and logprobs is not False and logprobs != value:
        raise refusal("prompt_logprobs", value, f"{logprobs}, as many as logprobs")
    return True


def _score_prompt(request: GenerateRequest, name: str, value: object) -> None:
    """Ask for the log-probabilities of the prompt, with ``value`` candidates each."""
    if value is True:
        raise refusal(name, value, f"an integer from 0 to {MAX_PROMPT_LOGPROBS}")
    number = read_int(name, value)
    if not 0 <= number <= MAX_PROMPT_LOGPROBS:
        raise refusal(name, value, f"0 to {MAX_PROMPT_LOGPROBS}, for a prompt")
    request.output.prompt_logprobs = True
    request.output.top_logprobs = number


def _json_path(path: str, about_prompt: str) -> str:
    if path.startswith("infill.suffix"):
        return "suffix"
    # Parts were joined from the array, so their positions are not positions in it.
    if path.startswith("infill"):
        return "prompt"
    if path == "output.prompt_logprobs":
        return about_prompt
    return "logprobs" if path == "output.top_logprobs" else json_name(path)
