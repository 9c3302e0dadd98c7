"""Small chat templates, one for each way in which families of models write tool calls, and a renderer of them.

They write what the families' own templates write, and nothing else of these.
"""

# ruff: noqa: RUF001 (names of tokens are spelt as their models spell them)

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from service.prompts.template_worker import make_environment

if TYPE_CHECKING:
    from service.dialogue.template.probes import Probe, Render


@dataclass(frozen=True)
class SmallTemplate:
    """A template of this file, in parts.

    Attributes:
        calls: writes ``message.tool_calls``.
        text: writes the content of an assistant's turn without calls.
        beside: writes the content of one with calls.
        turn: of what the turns of ``role`` with ``body`` consist.
        opening: of an assistant's turn.
        tools: shows ``tools``.
        head: what comes before all else.
        results: writes ``message`` if it is a tool's.
    """

    calls: str
    text: str = "{{ message.content }}"
    beside: str = "{{ message.content }}"
    end: str = "<|im_end|>\n"
    opening: str = "<|im_start|>assistant\n"
    tools: str = "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    head: str = ""
    results: str = "<|im_start|>user\n<tool_response>{{ message.content }}</tool_response><|im_end|>\n"

    @property
    def source(self) -> str:
        """The whole template."""
        return (
            f"{self.head}{self.tools}"
            "{% for message in messages %}"
            f"{{% if message.role == 'assistant' %}}{{{{ {self.opening!r} }}}}"
            f"{{% if message.tool_calls %}}{self.beside}{self.calls}"
            f"{{% else %}}{self.text}{{% endif %}}{{{{ {self.end!r} }}}}"
            f"{{% elif message.role == 'tool' %}}{self.results}"
            "{% else %}{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}{% endif %}"
            "{% endfor %}"
            f"{{% if add_generation_prompt %}}{{{{ {self.opening!r} }}}}{{% endif %}}"
        )


def each_call(body: str, before: str = "", between: str = "", behind: str = "") -> str:
    """A loop over calls: ``f`` is the function of each, ``body`` writes it."""
    return (
        f"{{{{ {before!r} }}}}{{% for call in message.tool_calls %}}{{% set f = call.function %}}"
        f"{{% if not loop.first %}}{{{{ {between!r} }}}}{{% endif %}}{body}{{% endfor %}}{{{{ {behind!r} }}}}"
    )


def each_argument(body: str, between: str = "") -> str:
    """A loop over the arguments of ``f``: ``name`` and ``value``."""
    return (
        "{% for name, value in f.arguments.items() %}"
        f"{{% if not loop.first %}}{{{{ {between!r} }}}}{{% endif %}}{body}{{% endfor %}}"
    )


_RAW = "{{ value if value is string else value | tojson }}"
_OBJECT = '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}'
_THOUGHT = "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"

#: Templates by name; each of them is named like the format in ``KNOWN_FORMATS`` that it has.
TEMPLATES = {
    "hermes": SmallTemplate(
        each_call("<tool_call>\n" + _OBJECT + "\n</tool_call>", between="\n"),
        text=_THOUGHT + "{{ message.content }}",
    ),
    "qwen3-coder": SmallTemplate(
        each_call(
            "<tool_call>\n<function={{ f.name }}>\n"
            + each_argument("<parameter={{ name }}>\n" + _RAW + "\n{{ '</parameter>\\n' }}")
            + "</function>\n</tool_call>",
            between="\n",
        ),
        text=_THOUGHT + "{{ message.content }}",
    ),
    "seed-oss": SmallTemplate(
        each_call(
            "<seed:tool_call>\n<function={{ f.name }}>\n"
            + each_argument("<parameter={{ name }}>" + _RAW + "{{ '</parameter>\\n' }}")
            + "</function>\n</seed:tool_call>",
            between="\n",
        ),
        text="<seed:think>{{ message.reasoning_content }}</seed:think>{{ message.content }}",
    ),
    "llama3": SmallTemplate(
        "{% if message.tool_calls | length > 1 %}{{ raise_exception('one call at a time') }}{% endif %}"
        + each_call('{"name": "{{ f.name }}", "parameters": {{ f.arguments | tojson }}}'),
        beside="",
    ),
    "mistral-nemo": SmallTemplate(
        each_call(
            "{% if call.id | length != 9 %}{{ raise_exception('nine characters') }}{% endif %}"
            '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}, "id": "{{ call.id }}"}',
            before="[TOOL_CALLS][",
            between=", ",
            behind="]",
        )
    ),
    "mistral": SmallTemplate(
        each_call("[TOOL_CALLS]{{ f.name }}[ARGS]{{ f.arguments | tojson }}"),
        text="{% if message.reasoning_content %}[THINK]{{ message.reasoning_content }}[/THINK]{% endif %}"
        "{{ message.content }}",
    ),
    "mistral-small": SmallTemplate(
        each_call("[TOOL_CALLS]{{ f.name }}[CALL_ID]{{ call.id }}[ARGS]{{ f.arguments | tojson }}")
    ),
    "command-r7b": SmallTemplate(
        each_call(
            '{"tool_call_id": "{{ loop.index0 }}", "tool_name": "{{ f.name }}", '
            '"parameters": {{ f.arguments | tojson }}}',
            before="<|START_ACTION|>[\n    ",
            between=",\n    ",
            behind="\n]<|END_ACTION|>",
        ),
        text="{% if message.reasoning_content %}<|START_THINKING|>{{ message.reasoning_content }}<|END_THINKING|>"
        "{% endif %}<|START_RESPONSE|>{{ message.content }}<|END_RESPONSE|>",
    ),
    "deepseek-v3.1": SmallTemplate(
        each_call(
            "<｜tool▁call▁begin｜>{{ f.name }}<｜tool▁sep｜>{{ f.arguments | tojson }}<｜tool▁call▁end｜>",
            before="<｜tool▁calls▁begin｜>",
            behind="<｜tool▁calls▁end｜>",
        ),
        text="<think></think>{{ message.content }}",
        tools="",
    ),
    "deepseek-r1": SmallTemplate(
        each_call(
            "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ f.name }}\n```json\n{{ f.arguments + '\n' }}```"
            "<｜tool▁call▁end｜>",
            before="<｜tool▁calls▁begin｜>",
            between="\n",
            behind="<｜tool▁calls▁end｜>",
        ),
        text="{{ message.content.split('</think>') | last }}{% set opening = '<think>' %}",
        tools="",
    ),
    "deepseek-v3.2": SmallTemplate(
        each_call(
            '<｜DSML｜invoke name="{{ f.name }}">\n'
            + each_argument(
                "<｜DSML｜parameter name=\"{{ name }}\" string=\"{{ 'true' if value is string else 'false' }}\">"
                + _RAW
                + "{{ '</｜DSML｜parameter>\\n' }}"
            )
            + "</｜DSML｜invoke>",
            before="\n\n<｜DSML｜function_calls>\n",
            between="\n",
            behind="\n</｜DSML｜function_calls>",
        ),
        text="<think></think>{{ message.content }}",
    ),
    "minimax-m2": SmallTemplate(
        each_call(
            '<invoke name="{{ f.name }}">\n'
            + each_argument('<parameter name="{{ name }}">' + _RAW + "{{ '</parameter>\\n' }}")
            + "</invoke>",
            before="<minimax:tool_call>\n",
            between="\n",
            behind="\n</minimax:tool_call>",
        ),
        text=_THOUGHT + "{{ message.content }}",
    ),
    "gpt-oss": SmallTemplate(
        "{% set f = message.tool_calls[0].function %}"
        " to=functions.{{ f.name }}<|channel|>commentary json<|message|>{{ f.arguments | tojson }}<|call|>",
        text="<|channel|>final<|message|>{{ message.content }}",
        beside="{% if message.content %}<|channel|>analysis<|message|>{{ message.content }}<|end|><|start|>assistant"
        "{% endif %}",
        opening="<|start|>assistant",
        head="{% if messages[0].role == 'developer' %}# Instructions\n{% endif %}",
        end="",
    ),
    "functionary-3.1": SmallTemplate(each_call("<function={{ f.name }}>{{ f.arguments | tojson }}</function>")),
    "functionary-3.2": SmallTemplate(
        each_call(">>>{{ f.name }}\n{{ '' + f.arguments }}"),
        text=">>>all\n{{ message.content }}",
        beside="{% if message.content %}{{ '>>>all\n' ~ message.content }}{% endif %}",
    ),
    "glm-4.6": SmallTemplate(
        each_call(
            "<tool_call>{{ f.name }}\n"
            + each_argument("<arg_key>{{ name }}</arg_key>\n<arg_value>" + _RAW + "{{ '</arg_value>\\n' }}")
            + "</tool_call>",
            between="\n",
        ),
        text=_THOUGHT + "{{ message.content }}",
    ),
    "glm-4.7": SmallTemplate(
        each_call(
            "<tool_call>{{ f.name }}"
            + each_argument("<arg_key>{{ name }}</arg_key><arg_value>" + _RAW + "</arg_value>")
            + "</tool_call>"
        ),
        text=_THOUGHT + "{{ message.content }}",
    ),
    "gemma4": SmallTemplate(
        each_call(
            "<|tool_call>call:{{ f.name }}{{ '{' }}"
            + each_argument(
                '{{ name }}:{% if value is string %}<|"|>{{ value }}<|"|>{% else %}{{ value | tojson }}{% endif %}', ","
            )
            + "{{ '}' }}<tool_call|>"
        ),
        text="{% if message.reasoning_content %}<|channel>thought\n{{ message.reasoning_content }}\n<channel|>"
        "{% endif %}{{ message.content }}",
    ),
    "lfm2": SmallTemplate("", tools="List of tools: {{ tools | tojson }}\n"),
    "kimi-k2": SmallTemplate(
        each_call(
            "<|tool_call_begin|>{{ call.id }}<|tool_call_argument_begin|>{{ f.arguments | tojson }}<|tool_call_end|>",
            before="<|tool_calls_section_begin|>",
            behind="<|tool_calls_section_end|>",
        ),
        text="<think></think>{{ message.content }}",
    ),
    "granite3": SmallTemplate(
        "", tools="<|start_of_role|>system{% if tools %}Write <|tool_call|> first.{{ tools | tojson }}{% endif %}\n"
    ),
    "phi4-mini": SmallTemplate("", tools="<|tool|>{{ tools | tojson }}<|/tool|>"),
    "nemotron-v2": SmallTemplate(
        each_call(_OBJECT, before="<TOOLCALL>[", between=", ", behind="]</TOOLCALL>"),
        text="<think></think>{{ message.content }}",
    ),
    "minimax-m1": SmallTemplate(
        each_call(_OBJECT, before="<tool_calls>\n", between="\n", behind="\n</tool_calls>"),
        text="<think></think>{{ message.content }}",
    ),
    "apertus": SmallTemplate(
        each_call(
            '{"{{ f.name }}": {{ f.arguments | tojson }}}',
            before="<|tools_prefix|>[",
            between=", ",
            behind="]<|tools_suffix|>",
        ),
        text="{% if message.reasoning_content %}<|inner_prefix|>{{ message.reasoning_content }}<|inner_suffix|>"
        "{% endif %}{{ message.content }}",
    ),
    "solar": SmallTemplate(
        each_call(
            "<|tool_call:begin|>{{ call.id }}<|tool_call:name|>{{ f.name }}<|tool_call:args|>{{ f.arguments | tojson }}"
            "<|tool_call:end|>",
            before="<|tool_calls|>",
            behind="<|calls|>",
        ),
    ),
}

#: Concatenates what it is given, and knows nothing of tools, as the default model's template does.
PLAIN = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def renderer_of(source: str) -> Render:
    """Renders probes with a template in this process."""
    template = make_environment().from_string(source)

    def render(probe: Probe) -> str | None:
        variables: dict[str, Any] = {"messages": probe.messages, "tools": probe.tools, **probe.variables}
        try:
            return template.render(add_generation_prompt=probe.add_generation_prompt, **variables)
        except (TemplateError, TypeError):
            return None

    return render
