"""How the answer to a request is parsed, and what it obeys."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from service.api.convert.constraint import constraint_field, constraint_guide, constraint_spec, is_gbnf
from service.api.convert.tool_grammars import GRAMMAR, grammar_spec
from service.api.convert.tools import TOOLS, CallPolicy, call_policy
from service.constraints.lark import lark_rule
from service.constraints.spec import ConstraintKind, ConstraintSpec, JsonStyle
from service.dialogue.chat_format import CallStyle
from service.dialogue.grammar.allowed import Answer
from service.dialogue.grammar.answer import answer_grammar
from service.dialogue.grammar.unenforced import unenforced
from service.dialogue.output import ReasoningFormat
from service.dialogue.parsing.factory import make_parser, opens_reasoning, reasoning_close
from service.engine.request.requests import OutputParsing, ReasoningBudget
from service.errors import InvalidArgument
from slotline.v1 import generation_pb2, prompt_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.api.served_model import ServedModel
    from service.dialogue.chat_format import ChatFormat
    from service.dialogue.tools import Tool
    from service.sampling.grammar import Guide

_PARSE = "output.parse_output"
_FORMAT = "output.reasoning_format"
_BUDGET, _MESSAGE = "chat.reasoning.budget_tokens", "chat.reasoning.budget_message"
MAX_MESSAGE_BYTES = 4096
#: Tools that are tried one by one if they cannot be used together; each may take seconds.
MAX_TRIED_TOOLS = 16

_FORMATS = {
    generation_pb2.REASONING_FORMAT_UNSPECIFIED: ReasoningFormat.SEPARATE,
    generation_pb2.REASONING_FORMAT_SEPARATE: ReasoningFormat.SEPARATE,
    generation_pb2.REASONING_FORMAT_INLINE: ReasoningFormat.INLINE,
    generation_pb2.REASONING_FORMAT_BOTH: ReasoningFormat.BOTH,
}


def answer_policy(request: generation_pb2.GenerateRequest, model: ServedModel) -> CallPolicy:
    """What the answer may call; checks all that a request says about its answer, before its prompt is made.

    Raises:
        InvalidArgument: a field has a value that is not allowed, or is of use only with others.
    """
    output, chat = request.output, request.chat
    if not output.parse_output:
        for field, problem in _unparsed(request):
            raise InvalidArgument(field, f"{problem}, which only {_PARSE} can do; set that, too")
        if chat.tools_json or chat.HasField("tool_policy"):
            call_policy(chat, model)
        return CallPolicy()
    if request.WhichOneof("prompt") != "chat":
        raise InvalidArgument(_PARSE, "true is for conversations only; use chat, or leave it out")
    if output.reasoning_format not in _FORMATS:
        names = ", ".join(generation_pb2.ReasoningFormat.keys())
        raise InvalidArgument(_FORMAT, f"is {output.reasoning_format}; allowed are {names}")
    policy = call_policy(chat, model)
    if policy.is_required and model.chat_format.calls.style is CallStyle.NONE:
        raise InvalidArgument(
            "chat.tool_policy.mode", "is TOOL_MODE_REQUIRED, but this server was started without a format of calls"
        )
    if policy.tools and is_gbnf(request.constraint):
        raise InvalidArgument(
            "constraint.gbnf",
            f"cannot be combined with {TOOLS}: calls need a grammar of their own; leave one of them out, use another "
            "kind of constraint, or set chat.tool_policy.mode to TOOL_MODE_NONE",
        )
    for tool in policy.tools:
        if tool.is_strict and (path := unenforced(tool, model.chat_format.calls)):
            raise InvalidArgument(
                f"{TOOLS}[{tool.index}].function.parameters",
                f"{path} cannot be enforced, because this model does not write arguments as JSON; leave it out, or "
                "do not set strict",
            )
    _check_budget(chat.reasoning, model.chat_format)
    return policy


def answer_parsing(
    request: generation_pb2.GenerateRequest, model: ServedModel, policy: CallPolicy, tail: str
) -> OutputParsing | None:
    """How the parts of the answer are told apart, None if they are not.

    Args:
        request: the message, checked.
        model: that answers.
        policy: what the answer may call.
        tail: the end of the prompt, from which the answer goes on.
    """
    if not request.output.parse_output:
        return None
    form = model.chat_format
    return OutputParsing(
        make_parser=partial(
            make_parser, form, policy.tools, tail=tail, reasoning=_FORMATS[request.output.reasoning_format]
        ),
        names={token: name.encode() for name, token in _token_ids(model).items()},
        budget=_budget(request.chat.reasoning, model, policy),
        defers_grammar=is_gbnf(request.constraint) and opens_reasoning(form, tail),
    )


def answer_guide(
    request: generation_pb2.GenerateRequest, model: ServedModel, policy: CallPolicy, tail: str
) -> Guide | None:
    """What the answer obeys, None for nothing; arguments are those of ``answer_parsing``.

    With reasoning in front of it, a constraint holds for what follows.

    Raises:
        InvalidArgument: it cannot be used.
    """
    if not request.HasField("constraint") and not policy.tools:
        return None
    form, constraint = model.chat_format, request.constraint
    is_marked = reasoning_close(form) is not None or form.content is not None
    tools = policy.tools if form.calls.style is not CallStyle.NONE else ()
    spec = constraint_spec(constraint) if request.output.parse_output and not is_gbnf(constraint) else None
    if not tools and (spec is None or not is_marked):
        return constraint_guide(constraint, model)
    content = ""
    if spec is not None:
        # By itself first, so that an error names it.
        model.constraints.compile(spec, field=constraint_field(constraint))
        content = lark_rule(spec)
    text = answer_grammar(
        form,
        Answer(tools, policy.is_required, policy.is_parallel, content),
        tail=tail,
        token_ids=_token_ids(model),
    )
    field = TOOLS if tools else constraint_field(constraint)
    try:
        return model.constraints.compile(ConstraintSpec(ConstraintKind.LARK, text), field=field)
    except InvalidArgument:
        _find_culprit(tools, model)
        raise


def _find_culprit(tools: tuple[Tool, ...], model: ServedModel) -> None:
    """Compile the schemas of a few tools one by one, so that an error names the one that cannot be used."""
    for tool in tools[:MAX_TRIED_TOOLS]:
        path = f"{TOOLS}[{tool.index}].function.parameters"
        for name, grammar in tool.grammars.items():
            model.constraints.compile(grammar_spec(grammar), field=f"{path}.properties.{name}.{GRAMMAR}")
        text = json.dumps(tool.parameters)
        spec = ConstraintSpec(ConstraintKind.JSON_SCHEMA, text, JsonStyle(lenient=not tool.is_strict))
        model.constraints.compile(spec, field=path)


def _unparsed(request: generation_pb2.GenerateRequest) -> Iterator[tuple[str, str]]:
    """What a request asks for of a parsed answer: fields, and what they mean."""
    policy, reasoning = request.chat.tool_policy, request.chat.reasoning
    if request.output.reasoning_format != generation_pb2.REASONING_FORMAT_UNSPECIFIED:
        yield _FORMAT, "says where reasoning goes"
    if policy.mode == prompt_pb2.TOOL_MODE_REQUIRED:
        yield "chat.tool_policy.mode", "TOOL_MODE_REQUIRED wants a call"
    if policy.allowed_names:
        yield "chat.tool_policy.allowed_names", "limits calls"
    if policy.HasField("parallel") and not policy.parallel:
        yield "chat.tool_policy.parallel", "false limits calls"
    if reasoning.HasField("budget_tokens"):
        yield _BUDGET, "limits reasoning"
    if reasoning.budget_message:
        yield _MESSAGE, "ends reasoning"


def _check_budget(options: prompt_pb2.ReasoningOptions, form: ChatFormat) -> None:
    if not options.budget_message:
        return
    if not options.HasField("budget_tokens"):
        raise InvalidArgument(_MESSAGE, f"is of use only with {_BUDGET}; set that, too")
    n_bytes = len(options.budget_message.encode())
    if n_bytes > MAX_MESSAGE_BYTES:
        raise InvalidArgument(_MESSAGE, f"has {n_bytes} bytes; allowed are at most {MAX_MESSAGE_BYTES}")
    close = reasoning_close(form)
    if close is not None and close.strip() in options.budget_message:
        raise InvalidArgument(_MESSAGE, f"has {close.strip()!r} in it, which ends reasoning; allowed are other texts")


def _budget(options: prompt_pb2.ReasoningOptions, model: ServedModel, policy: CallPolicy) -> ReasoningBudget | None:
    """The budget for reasoning; None without one, or if the model does not reason."""
    close = reasoning_close(model.chat_format, may_call=bool(policy.tools))
    if not options.HasField("budget_tokens") or close is None:
        return None
    tokens = [
        *model.vocabulary.tokenize(options.budget_message, parse_special=False),
        *model.vocabulary.tokenize(close, parse_special=True),
    ]
    return ReasoningBudget(options.budget_tokens, tuple(tokens))


def _token_ids(model: ServedModel) -> dict[str, int]:
    """The control tokens among the markers, by their names."""
    ids = {}
    for name in model.chat_format.control_tokens:
        found = model.vocabulary.tokenize(name, parse_special=True)
        if len(found) == 1:
            ids[name] = found[0]
    return ids
