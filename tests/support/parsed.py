"""Answers to parse, one of each format at least, and what a parser makes of a text."""

# ruff: noqa: RUF001 (names of tokens are spelt as their models spell them)

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.output import CallPart, Channel, Part, ReasoningFormat, TextPart
from service.dialogue.parsing.factory import make_parser
from service.dialogue.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.dialogue.chat_format import ChatFormat

TOOLS = (
    Tool(
        "get",
        {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "n": {"type": "integer"},
                "o": {"type": "object"},
            },
        },
    ),
    Tool("get_more"),
)


@dataclass
class Call:
    """A tool call."""

    id: str
    name: str
    arguments: str = ""


@dataclass
class Parsed:
    """All of an answer."""

    content: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)
    n_complete: int = 0

    def add(self, parts: Iterable[Part]) -> None:
        """Take more of it."""
        for part in parts:
            if isinstance(part, TextPart) and part.channel is Channel.CONTENT:
                self.content += part.text
            elif isinstance(part, TextPart):
                self.reasoning += part.text
            elif isinstance(part, CallPart):
                if part.name:
                    assert part.call == len(self.calls)
                    self.calls.append(Call(part.id, part.name))
                assert part.call == len(self.calls) - 1
                self.calls[-1].arguments += part.arguments


def parse(
    form: str | ChatFormat,
    pieces: Iterable[str],
    *,
    tools: Sequence[Tool] = TOOLS,
    tail: str = "",
    reasoning: ReasoningFormat = ReasoningFormat.SEPARATE,
) -> Parsed:
    """What a parser makes of an answer that comes in pieces; ids of calls are numbers."""
    numbers = itertools.count()
    parser = make_parser(
        KNOWN_FORMATS[form] if isinstance(form, str) else form,
        tools,
        tail=tail,
        reasoning=reasoning,
        make_id=lambda: f"id{next(numbers)}",
    )
    parsed = Parsed()
    for piece in pieces:
        parsed.add(parser.push(piece))
    parsed.add(parser.finish())
    parsed.n_complete = parser.n_calls
    return parsed


_TWO = [("get", '{"city": "x"}'), ("get_more", "{}")]
_STRING = '{"city": "a}\\"b", "o": {"x": [1]}}'
_TYPED = '{"city": "12", "n": 3}'

#: Format, text, and what it consists of: content, reasoning, calls.
Answer = tuple[str, str, str, str, list[tuple[str, str]]]

ANSWERS: list[Answer] = [
    ("none", "Just <tool_call> text.", "Just <tool_call> text.", "", []),
    (
        "hermes",
        f'Hi\n<tool_call>\n{{"name": "get", "arguments": {_STRING}}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_more", "arguments": {}}\n</tool_call>\nBye',
        "HiBye",
        "",
        [("get", _STRING), ("get_more", "{}")],
    ),
    (
        "hermes",
        '<think>\nhm <tool_call> x\n</think>\n\nSo <think> no <tool_call> {"name": "nope"} t',
        'So <think> no <tool_call> {"name": "nope"} t',
        "hm <tool_call> x",
        [],
    ),
    ("hermes", '<tool_call>{"name":"get_more"}</tool_call>', "", "", [("get_more", "{}")]),
    ("hermes", '<tool_call>{"arguments": {"city": 1}, "name": "get"}</tool_call>', "", "", [("get", '{"city": 1}')]),
    ("hermes", '<tool_call>{"name": "get", "arguments": "{\\"n\\": 1}"}</tool_call>', "", "", [("get", '{"n": 1}')]),
    (
        "qwen3-coder",
        'ok\n<tool_call>\n<function=get>\n<parameter=city>\n  a\nb"\n</parameter>\n<parameter=n>\n5\n</parameter>\n'
        '<parameter=o>\n{"a": 1}\n</parameter>\n</function>\n</tool_call>',
        "ok",
        "",
        [("get", '{"city": "  a\\nb\\"", "n": 5, "o": {"a": 1}}')],
    ),
    ("qwen3-coder", "<tool_call>\n<function=get_more>\n</function>\n</tool_call>", "", "", [("get_more", "{}")]),
    (
        "seed-oss",
        "<seed:tool_call>\n<function=get>\n<parameter=city>12</parameter>\n<parameter=n>3</parameter>\n</function>\n"
        "</seed:tool_call>",
        "",
        "",
        [("get", _TYPED)],
    ),
    ("llama3", '{"name": "get", "parameters": {"city": "x"}}', "", "", _TWO[:1]),
    ("llama3", '{"names": "get", "parameters": {}}', '{"names": "get", "parameters": {}}', "", []),
    ("llama3", 'Hello {"name": "get"}', 'Hello {"name": "get"}', "", []),
    (
        "mistral-nemo",
        '[TOOL_CALLS][{"name": "get", "arguments": {"city": "x"}, "id": "123456789"}, '
        '{"name": "get_more", "arguments": {}, "id": "abcdefghi"}]',
        "",
        "",
        _TWO,
    ),
    ("mistral", '[THINK]a[/THINK]Hm[TOOL_CALLS]get[ARGS]{"city": "x"}[TOOL_CALLS]get_more[ARGS]{}', "Hm", "a", _TWO),
    ("mistral-small", '[TOOL_CALLS]get[CALL_ID]abc123def[ARGS]{"city": "x"}', "", "", _TWO[:1]),
    (
        "command-r7b",
        '<|START_THINKING|>a<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get", '
        '"parameters": {"city": "x"}},\n    {"tool_call_id": "1", "tool_name": "get_more", "parameters": {}}\n]'
        "<|END_ACTION|>",
        "",
        "a",
        _TWO,
    ),
    ("command-r7b", "<|START_RESPONSE|>Hi you<|END_RESPONSE|>", "Hi you", "", []),
    (
        "deepseek-v3.1",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{"city": "x"}<｜tool▁call▁end｜>'
        "<｜tool▁call▁begin｜>get_more<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "",
        "",
        _TWO,
    ),
    (
        "deepseek-r1",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n{"city": "x"}\n```'
        "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_more\n```json\n{}\n```"
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "",
        "",
        _TWO,
    ),
    (
        "deepseek-v3.2",
        'x\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="get">\n<｜DSML｜parameter name="city" string="true">12'
        '</｜DSML｜parameter>\n<｜DSML｜parameter name="n" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
        "</｜DSML｜function_calls>",
        "x",
        "",
        [("get", _TYPED)],
    ),
    (
        "minimax-m2",
        '<minimax:tool_call>\n<invoke name="get">\n<parameter name="city">12</parameter>\n<parameter name="n">3'
        '</parameter>\n</invoke>\n<invoke name="get_more">\n</invoke>\n</minimax:tool_call>',
        "",
        "",
        [("get", _TYPED), ("get_more", "{}")],
    ),
    (
        "minimax-m3",
        ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="get">]<]minimax[>[<city>12]<]minimax[>[</city>'
        ']<]minimax[>[<n>3]<]minimax[>[</n>]<]minimax[>[</invoke>\n]<]minimax[>[<invoke name="get_more">'
        "]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>",
        "",
        "",
        [("get", _TYPED), ("get_more", "{}")],
    ),
    ("functionary-3.1", '<function=get>{"city": "x"}</function><function=get_more></function>', "", "", _TWO),
    ("functionary-3.2", '>>>all\nHello\n>>>get\n{"city": "x"}>>>get_more\n{}', "Hello", "", _TWO),
    (
        "glm-4.6",
        "<tool_call>get\n<arg_key>city</arg_key>\n<arg_value>12</arg_value>\n<arg_key>n</arg_key>\n<arg_value>3"
        "</arg_value>\n</tool_call>\n<tool_call>get_more\n</tool_call>",
        "",
        "",
        [("get", _TYPED), ("get_more", "{}")],
    ),
    (
        "glm-4.7",
        "<tool_call>get<arg_key>city</arg_key><arg_value>12</arg_value><arg_key>n</arg_key><arg_value>3</arg_value>"
        "</tool_call><tool_call>get_more</tool_call>",
        "",
        "",
        [("get", _TYPED), ("get_more", "{}")],
    ),
    (
        "gemma4",
        '<|channel>thought\nabc<channel|><|tool_call>call:get{city:<|"|>a"b<|"|>,n:3,o:{x:[1,<|"|>z<|"|>],y:null}}'
        "<tool_call|><|tool_call>call:get_more{}<tool_call|>",
        "",
        "abc",
        [("get", '{"city": "a\\"b", "n": 3, "o": {"x": [1, "z"], "y": null}}'), ("get_more", "{}")],
    ),
    (
        "functiongemma",
        "<start_function_call>call:get{city:<escape>x<escape>}<end_function_call>",
        "",
        "",
        _TWO[:1],
    ),
    (
        "lfm2",
        "<|tool_call_start|>[get(city='a\\'b\\n\"', n=3, o={\"x\": [True, None, (1,)]}), get_more()]"
        "<|tool_call_end|>ok",
        "ok",
        "",
        [("get", '{"city": "a\'b\\n\\"", "n": 3, "o": {"x": [true, null, [1]]}}'), ("get_more", "{}")],
    ),
    (
        "kimi-k2",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>"
        '{"city": "x"}<|tool_call_end|><|tool_call_begin|>functions.get_more:12<|tool_call_argument_begin|>{}'
        "<|tool_call_end|><|tool_calls_section_end|>",
        "",
        "",
        _TWO,
    ),
    (
        "granite3",
        '<|tool_call|>[{"name": "get", "arguments": {"city": "x"}}, {"name": "get_more", "arguments": {}}]',
        "",
        "",
        _TWO,
    ),
    ("phi4-mini", '<|tool_call|>[{"name": "get", "arguments": {"city": "x"}}]<|/tool_call|>', "", "", _TWO[:1]),
    ("functools", 'functools[{"name": "get", "arguments": {"city": "x"}}]', "", "", _TWO[:1]),
    ("nemotron-v2", '<TOOLCALL>[{"name": "get", "arguments": {"city": "x"}}]</TOOLCALL>', "", "", _TWO[:1]),
    (
        "minimax-m1",
        '<tool_calls>\n{"name": "get", "arguments": {"city": "x"}}\n{"name": "get_more", "arguments": {}}\n'
        "</tool_calls>",
        "",
        "",
        _TWO,
    ),
    (
        "apertus",
        '<|inner_prefix|>hm<|inner_suffix|><|tools_prefix|>[{"get": {"city": "x"}}, {"get_more": {}}]<|tools_suffix|>',
        "",
        "hm",
        _TWO,
    ),
    (
        "solar",
        '<|tool_calls|><|tool_call:begin|>abc1<|tool_call:name|>get<|tool_call:args|>{"city": "x"}'
        "<|tool_call:end|><|calls|>",
        "",
        "",
        _TWO[:1],
    ),
    (
        "gpt-oss",
        "<|channel|>analysis<|message|>thinking<|end|><|start|>assistant<|channel|>commentary to=functions.get "
        '<|constrain|>json<|message|>{"city": "x"}',
        "",
        "thinking",
        _TWO[:1],
    ),
    (
        "gpt-oss",
        ' to=functions.get<|channel|>commentary json<|message|>{"city": "x"}<|call|>',
        "",
        "",
        _TWO[:1],
    ),
    (
        "gpt-oss",
        "<|channel|>analysis<|message|>thinking<|end|><|start|>assistant<|channel|>final<|message|>Hello!",
        "Hello!",
        "thinking",
        [],
    ),
    ("gpt-oss", "Hello to all", "Hello to all", "", []),
]
