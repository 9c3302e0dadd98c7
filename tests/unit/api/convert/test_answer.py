"""How the answer to a request is parsed, and what it obeys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.api.convert.request import generation_request
from service.api.convert.tools import call_policy
from service.api.served_model import Limits, ServedModel
from service.constraints.grammar import LarkGuide
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.output import Channel, TextPart
from service.errors import InvalidArgument
from service.sampling.gbnf import GbnfGuide
from slotline.v1 import generation_pb2, prompt_pb2
from tests.support.served import RecordingTemplate, served_model

if TYPE_CHECKING:
    from service.engine.request.requests import GenerationRequest

TOOL = {"type": "function", "function": {"name": "f"}}
NONE, AUTO, REQUIRED = prompt_pb2.TOOL_MODE_NONE, prompt_pb2.TOOL_MODE_AUTO, prompt_pb2.TOOL_MODE_REQUIRED


def model_of(form: str = "hermes", text: str = "Hi<|im_start|>assistant\n", **options: Any) -> ServedModel:
    """A model whose answers are written so, behind prompts that end like that."""
    return served_model(chat_format=KNOWN_FORMATS[form], template=RecordingTemplate(text=text), **options)


def chat(*tools: Any, **options: Any) -> prompt_pb2.ChatPrompt:
    """A conversation with tools."""
    message = prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text="Hi")])
    return prompt_pb2.ChatPrompt(messages=[message], tools_json=json.dumps(tools) if tools else None, **options)


def made(model: ServedModel, prompt: prompt_pb2.ChatPrompt, **options: Any) -> GenerationRequest:
    """What the engine is asked for."""
    output = generation_pb2.OutputOptions(parse_output=True)
    return generation_request(generation_pb2.GenerateRequest(chat=prompt, **({"output": output} | options)), model)


def refused(model: ServedModel, prompt: prompt_pb2.ChatPrompt, **options: Any) -> str:
    """The field that a refusal names."""
    with pytest.raises(InvalidArgument) as error:
        made(model, prompt, **options)
    return str(error.value.field)


def test_output_is_parsed_only_if_that_is_asked_for() -> None:
    raw = made(model_of(), chat(TOOL), output=generation_pb2.OutputOptions())
    assert (raw.parsing, raw.guide) == (None, None)
    parsed = made(model_of(), chat(TOOL))
    assert parsed.parsing is not None
    assert isinstance(parsed.guide, LarkGuide)


@pytest.mark.parametrize(
    ("tools", "mode", "is_guided"),
    [([TOOL], AUTO, True), ([TOOL], REQUIRED, True), ([TOOL], NONE, False), ([], AUTO, False), ([], NONE, False)],
)
def test_only_calls_and_constraints_need_a_grammar(
    tools: list[Any], mode: prompt_pb2.ToolMode.ValueType, is_guided: bool
) -> None:
    policy = prompt_pb2.ToolPolicy(mode=mode)
    assert (made(model_of(), chat(*tools, tool_policy=policy)).guide is not None) == is_guided


def test_the_parser_goes_on_where_the_prompt_ends() -> None:
    parsing = made(model_of(text="Hi<|im_start|>assistant\n<think>\n"), chat()).parsing
    assert parsing is not None
    parser = parsing.make_parser()
    assert parser.is_reasoning
    assert TextPart(Channel.REASONING, "hm") in parser.push("hm</think>Yes")
    assert parsing.make_parser() is not parser


def test_gbnf_waits_for_the_end_of_reasoning_that_the_prompt_has_opened() -> None:
    constraint = generation_pb2.Constraint(gbnf='root ::= "yes" | "no"')
    for text, is_deferred in (("<think>\n", True), ("<think>\n</think>\n", False), ("", False)):
        request = made(model_of(text=f"Hi{text}"), chat(), constraint=constraint)
        assert isinstance(request.guide, GbnfGuide)
        assert request.parsing is not None
        assert request.parsing.defers_grammar == is_deferred


def test_a_budget_is_tokens_that_close_reasoning() -> None:
    options = prompt_pb2.ReasoningOptions(budget_tokens=3, budget_message=" ok ")
    parsing = made(model_of(), chat(reasoning=options)).parsing
    assert parsing is not None
    assert parsing.budget is not None
    assert parsing.budget.n_tokens == 3
    assert bytes(parsing.budget.closing) == b" ok </think>"


def test_a_model_that_never_thinks_keeps_within_every_budget() -> None:
    parsing = made(model_of("llama3"), chat(reasoning=prompt_pb2.ReasoningOptions(budget_tokens=3))).parsing
    assert parsing is not None
    assert parsing.budget is None


def test_calls_are_only_required_where_there_is_a_way_to_write_them() -> None:
    policy = prompt_pb2.ToolPolicy(mode=REQUIRED)
    assert refused(model_of("none"), chat(TOOL, tool_policy=policy)) == "chat.tool_policy.mode"
    assert made(model_of("none"), chat(TOOL)).guide is None


def test_a_constraint_that_cannot_be_used_is_named_beside_tools() -> None:
    constraint = generation_pb2.Constraint(json_schema='{"not": {}}')
    assert refused(model_of(), chat(TOOL), constraint=constraint) == "constraint.json_schema"


def test_a_schema_that_nothing_obeys_is_named() -> None:
    """No keyword is wrong: that is found out only by compiling."""
    parameters = {
        "type": "object",
        "properties": {"a": {"type": "string", "minLength": 5, "maxLength": 2}},
        "required": ["a"],
    }
    wrong = {"type": "function", "function": {"name": "g", "parameters": parameters}}
    assert refused(model_of(), chat(TOOL, wrong)) == "chat.tools_json[1].function.parameters"


def test_a_strict_tool_is_enforced_or_refused() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^a+$"}}}
    for strict, form, field in ((True, "qwen3-coder", "chat.tools_json[0].function.parameters"), (False, "", "")):
        tool = {"type": "function", "function": {"name": "g", "parameters": parameters, "strict": strict}}
        if field:
            assert refused(model_of(form), chat(tool)) == field
        assert made(model_of("hermes"), chat(tool)).guide is not None
        assert strict or made(model_of("qwen3-coder"), chat(tool)).guide is not None


def test_a_grammar_of_a_text_that_cannot_be_compiled_is_named() -> None:
    def tool(definition: str) -> dict[str, Any]:
        grammar = {"syntax": "lark", "definition": definition}
        text = {"type": "string", "x-grammar": grammar}
        parameters = {"type": "object", "properties": {"input": text}, "required": ["input"]}
        return {"type": "function", "function": {"name": "f", "parameters": parameters}}

    assert made(model_of("qwen3-coder"), chat(tool('start: "a"'))).guide is not None
    field = "chat.tools_json[0].function.parameters.properties.input.x-grammar"
    assert refused(model_of("qwen3-coder"), chat(tool("start: unknown"))) == field


def test_tools_are_bounded() -> None:
    tools = [{"type": "function", "function": {"name": f"f{index}"}} for index in range(3)]
    assert refused(model_of(limits=Limits(max_tools=2)), chat(*tools)) == "chat.tools_json"


def test_a_policy_takes_the_tools_that_it_names() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in "abc"]
    policy = prompt_pb2.ToolPolicy(allowed_names=["c", "a"], parallel=False)
    taken = call_policy(chat(*tools, tool_policy=policy), model_of())
    assert [tool.name for tool in taken.tools] == ["a", "c"]
    assert [tool.index for tool in taken.tools] == [0, 2]
    assert (taken.is_required, taken.is_parallel) == (False, False)
