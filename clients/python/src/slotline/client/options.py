"""The options of a generation as keyword arguments, and how they get into a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from slotline.client import adapters, chat, checks, constraints
from slotline.options import BY_PATH, OptionFacts
from slotline.options.plain_options import PlainOptions
from slotline.v1 import generation_pb2, lora_pb2, prompt_pb2, sampling_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from slotline.client.chat import ToolChoice
    from slotline.client.constraints import JsonStyle
    from slotline.client.tools import Tools
    from slotline.v1.generation_pb2 import GenerateRequest

#: Where reasoning goes; see ``GenerateOptions``.
ReasoningFormat = Literal["separate", "inline", "both"]
_REASONING_FORMATS = {
    "separate": generation_pb2.REASONING_FORMAT_SEPARATE,
    "inline": generation_pb2.REASONING_FORMAT_INLINE,
    "both": generation_pb2.REASONING_FORMAT_BOTH,
}
_SAMPLERS = {
    name.removeprefix("SAMPLER_TYPE_").lower(): number
    for name, number in sampling_pb2.SamplerType.items()
    if number != sampling_pb2.SAMPLER_TYPE_UNSPECIFIED
}


class GenerateOptions(PlainOptions, total=False):
    """Options of a generation; one that is absent takes the server's default.

    Those of one number, switch or text are in ``PlainOptions``, with their defaults. The server checks ranges, and
    refuses what is out of them with a ``SlotlineError``. There may be one of ``grammar``, ``json_schema``,
    ``json_object``, ``choice``, ``regex`` and ``lark``. Those from ``tools`` on are for conversations.
    """

    #: One text or several that end the answer, and are left out of it.
    stop: str | Sequence[str]
    #: Tokens that end the answer, besides the model's own.
    stop_token_ids: Sequence[int]
    #: From tokens, as ids or texts, to what is added to their logits; minus infinity bans a token.
    logit_bias: Mapping[int | str, float]
    #: Names of samplers in their order; none at all samples from the plain softmax.
    samplers: Sequence[str]
    #: Texts across which DRY sees no repetition.
    dry_sequence_breakers: Sequence[str]
    #: A text or token ids that the penalties look at instead of the prompt.
    penalty_prompt: str | Sequence[int]
    #: GBNF, of which the rule named root is the whole answer.
    grammar: str
    #: A JSON Schema that the answer obeys, as an object or as text.
    json_schema: str | Mapping[str, object]
    #: Whether the answer is any JSON object.
    json_object: bool
    #: How JSON under ``json_schema`` or ``json_object`` is written.
    json_style: JsonStyle
    #: Texts of which the answer is one.
    choice: Sequence[str]
    #: A regular expression that the whole answer matches.
    regex: str
    #: A grammar in the Lark dialect of llguidance, with a rule named start.
    lark: str
    #: Text in front of every prompt of the server; an empty one removes it.
    system_prompt: str
    #: From numbers of LoRA adapters to their scales for this request; all others get 0, with an empty mapping all do.
    lora: Mapping[int, float]
    #: Whether a prompt that does not fit is shortened instead of refused.
    truncate: bool
    #: Name or alias of the model.
    model: str
    #: The caller's id of the request, which is echoed.
    request_id: str
    #: Best-effort extras, never needed for correctness.
    extra: Mapping[str, object]
    #: What the model may call: functions, or declarations in the shape of the OpenAI API.
    tools: Tools | Sequence[Callable[..., object] | Mapping[str, object]]
    #: Whether it calls them: not at all, if it wants to, or in any case. Default ``auto``.
    tool_choice: ToolChoice
    #: Names of the tools that it may call; it sees the others, too. Default all.
    allowed_tools: Sequence[str]
    #: Whether an answer may make several calls. Default True.
    parallel_tool_calls: bool
    #: Whether it thinks before it answers, where the chat template has a switch for that.
    enable_thinking: bool
    #: How hard it thinks, in a word of the chat template: ``low``, ``medium``, ``high``.
    reasoning_effort: str
    #: Tokens of reasoning after which it is closed and the answer begins. Default no limit.
    reasoning_budget_tokens: int
    #: Text that ends reasoning whose budget is used up.
    reasoning_budget_message: str
    #: Leave out what the chat template has no switch or word for, instead of an error. Default False.
    reasoning_lenient: bool
    #: Further variables for the chat template.
    template_kwargs: Mapping[str, object]
    #: Whether the answer goes on with the last message, which is the assistant's. Default False.
    continue_final_message: bool
    #: Whether the opening of an assistant's turn is put behind the messages. Default True.
    add_generation_prompt: bool
    #: Whether reasoning, content and tool calls are told apart. Default True with ``tools``, the three options behind
    #: them, a budget or a format of reasoning, else False: then the text is what the model wrote, markers included.
    parse_output: bool
    #: Where reasoning goes if they are: apart from the text, into it with its markers, or both. Default ``separate``.
    reasoning_format: ReasoningFormat


def set_options(request: GenerateRequest, options: GenerateOptions) -> None:
    """Set the fields of a request whose prompt is set.

    Raises:
        TypeError: an option is unknown, or its value is of a wrong kind.
        ValueError: a value does not fit into its field, is not known, or two constraints exclude each other; or an
            option is for conversations and the prompt is none.
    """
    for name, value in options.items():
        if name in _PLAIN:
            _set_plain(request, _PLAIN[name], value)
        elif name in _SETTERS:
            _SETTERS[name](request, name, value)
        else:
            raise TypeError(f"unknown option {name!r}; known are {', '.join(GenerateOptions.__annotations__)}")
    if "parse_output" not in options and not options.keys().isdisjoint(_PARSED):
        request.output.parse_output = True


#: Options that mean nothing unless the parts of an answer are told apart.
_PARSED = (*chat.PARSED, "reasoning_format")
_PLAIN = {facts.field: facts for facts in BY_PATH.values() if facts.field in PlainOptions.__annotations__}


def _set_plain(request: Any, facts: OptionFacts, value: object) -> None:
    *parents, field = facts.path.split(".")
    message = request
    for parent in parents:
        message = getattr(message, parent)
    setattr(message, field, _checked(field, facts, value))


def _checked(name: str, facts: OptionFacts, value: object) -> float | str:
    match facts.kind:
        case "number":
            return checks.number(name, value)
        case "integer":
            return checks.integer(name, value, checks.UINT32 if facts.allowed.min == 0 else checks.INT32)
        case "boolean":
            return checks.boolean(name, value)
        case _:
            return checks.text(name, value)


def _set_stop(request: GenerateRequest, name: str, value: object) -> None:
    request.stop.texts.extend([value] if isinstance(value, str) else checks.texts(name, value))


def _set_stop_token_ids(request: GenerateRequest, name: str, value: object) -> None:
    request.stop.token_ids.extend(checks.token_ids(name, value))


def _set_logit_bias(request: GenerateRequest, name: str, value: object) -> None:
    for token, amount in checks.mapping(name, value, "a mapping from tokens, as ids or texts, to numbers").items():
        bias = sampling_pb2.LogitBias(bias=checks.number(f"{name}[{token!r}]", amount))
        if isinstance(token, str):
            bias.text = token
        else:
            bias.token_id = checks.integer(f"{name}, token", token, checks.UINT32)
        request.sampling.logit_bias.append(bias)


def _set_samplers(request: GenerateRequest, name: str, value: object) -> None:
    # Present although empty: an empty chain is a choice.
    request.sampling.samplers.SetInParent()
    for i, sampler in enumerate(checks.texts(name, value)):
        if sampler not in _SAMPLERS:
            checks.refuse(f"{name}[{i}]", sampler, f"a sampler; known are {', '.join(_SAMPLERS)}")
        request.sampling.samplers.samplers.append(_SAMPLERS[sampler])


def _set_breakers(request: GenerateRequest, name: str, value: object) -> None:
    # Present although empty: then nothing breaks a repetition.
    request.sampling.dry_sequence_breakers.SetInParent()
    request.sampling.dry_sequence_breakers.texts.extend(checks.texts(name, value))


def _set_penalty_prompt(request: GenerateRequest, name: str, value: object) -> None:
    if isinstance(value, str):
        request.sampling.penalty_prompt.text = value
    else:
        request.sampling.penalty_prompt.token_ids.CopyFrom(tokens_pb2.TokenIds(ids=checks.token_ids(name, value)))


def _set_system_prompt(request: GenerateRequest, name: str, value: object) -> None:
    request.system_prompt.CopyFrom(prompt_pb2.SystemPrompt(prompt=checks.text(name, value)))


def _set_lora(request: GenerateRequest, name: str, value: object) -> None:
    # Present although empty: then no adapter is applied.
    request.lora.CopyFrom(lora_pb2.LoraScales(scales=adapters.lora_scales(name, value)))


def _set_truncate(request: GenerateRequest, name: str, value: object) -> None:
    truncates = checks.boolean(name, value)
    request.overflow = generation_pb2.OVERFLOW_TRUNCATE if truncates else generation_pb2.OVERFLOW_REFUSE


def _set_name(request: GenerateRequest, name: str, value: object) -> None:
    setattr(request, name, checks.text(name, value))


def _set_extra(request: GenerateRequest, name: str, value: object) -> None:
    extra: Any = checks.mapping(name, value, "a mapping from texts to values that JSON knows")
    try:
        request.extra.update(extra)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {value!r:.80} has a value that JSON does not know: {error}") from error


def _set_parse_output(request: GenerateRequest, name: str, value: object) -> None:
    request.output.parse_output = checks.boolean(name, value)


def _set_reasoning_format(request: GenerateRequest, name: str, value: object) -> None:
    request.output.reasoning_format = checks.word(name, value, _REASONING_FORMATS)


_SETTERS: Mapping[str, Callable[[GenerateRequest, str, object], None]] = {
    "stop": _set_stop,
    "stop_token_ids": _set_stop_token_ids,
    "logit_bias": _set_logit_bias,
    "samplers": _set_samplers,
    "dry_sequence_breakers": _set_breakers,
    "penalty_prompt": _set_penalty_prompt,
    "system_prompt": _set_system_prompt,
    "lora": _set_lora,
    "truncate": _set_truncate,
    "model": _set_name,
    "request_id": _set_name,
    "extra": _set_extra,
    "parse_output": _set_parse_output,
    "reasoning_format": _set_reasoning_format,
    **constraints.SETTERS,
    **chat.SETTERS,
}
