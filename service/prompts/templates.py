"""Chat templates: the protocol, the few that can be chosen by name, and which one is in force."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from service.errors import InvalidArgument
from slotline.protocol.excerpt import quoted

if TYPE_CHECKING:
    from service.prompts.work import Work

#: A turn as templates see it: ``role``, ``content`` (text), and ``name``, ``tool_calls``, ``tool_call_id`` if given.
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a chat template renders.

    Attributes:
        messages: the turns in order; at least one.
        add_generation_prompt: append the opening of an assistant turn.
        tools: tool definitions in the OpenAI shape, None for none.
        variables: extra variables for the template; none has a name of ``RESERVED``.
    """

    messages: Sequence[Message]
    add_generation_prompt: bool = True
    tools: Sequence[Any] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


class ChatTemplate(Protocol):
    """A chat template that can be rendered."""

    @property
    def source(self) -> str:
        """The template in force, as Jinja."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        """Render a conversation; blocks, any thread.

        Args:
            conversation: what to render.
            work: the preparation that it belongs to, with which it ends; None for one of its own.

        Raises:
            InvalidArgument: the template refuses the conversation, or fails on it.
            TemplateWorkerLost: the process that renders was lost, twice.
            Abandoned: nobody waits for it any more.
        """


#: Variables that every template gets; a request may not replace them.
RESERVED = frozenset({"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token"})

_CHATML = (
    "{%- for message in messages -%}"
    r"{{- '<|im_start|>' ~ message['role'] ~ '\n' ~ message['content'] ~ '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    r"{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)

#: The form of Meta's chat models: a system turn inside the first instruction, blanks around answers. The BOS in front
#: of everything comes from tokenisation.
_LLAMA2 = (
    "{{- '[INST] ' -}}"
    "{%- for message in messages -%}"
    "{%- if loop.previtem is defined and loop.previtem['role'] == 'assistant' -%}{{- '<s>[INST] ' -}}{%- endif -%}"
    "{%- if message['role'] == 'system' -%}"
    r"{{- '<<SYS>>\n' ~ message['content'] | trim ~ '\n<</SYS>>\n\n' -}}"
    "{%- elif message['role'] == 'user' -%}"
    "{{- message['content'] | trim ~ ' [/INST]' -}}"
    "{%- else -%}"
    "{{- ' ' ~ message['content'] ~ ' </s>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
)

_ZEPHYR = (
    "{%- for message in messages -%}"
    r"{{- '<|' ~ message['role'] ~ '|>\n' ~ message['content'] ~ '<|endoftext|>\n' -}}"
    "{%- endfor -%}"
    r"{%- if add_generation_prompt -%}{{- '<|assistant|>\n' -}}{%- endif -%}"
)

#: Gemma knows no system turns: one is held back and put in front of the next turn that is not the model's.
_GEMMA = (
    "{%- set waiting = namespace(system='') -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'system' -%}"
    "{%- set waiting.system = message['content'] | trim -%}"
    "{%- else -%}"
    "{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
    r"{{- '<start_of_turn>' ~ role ~ '\n' -}}"
    "{%- if waiting.system and role != 'model' -%}"
    r"{{- waiting.system ~ '\n\n' -}}"
    "{%- set waiting.system = '' -%}"
    "{%- endif -%}"
    r"{{- message['content'] | trim ~ '<end_of_turn>\n' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    r"{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}"
)

_MONARCH = (
    "{%- for message in messages -%}"
    r"{{- ('' if loop.first else '<s>') ~ message['role'] ~ '\n' ~ message['content'] ~ '</s>\n' -}}"
    "{%- endfor -%}"
    r"{%- if add_generation_prompt -%}{{- '<s>assistant\n' -}}{%- endif -%}"
)

_LLAMA3 = (
    "{%- for message in messages -%}"
    r"{{- '<|start_header_id|>' ~ message['role'] ~ '<|end_header_id|>\n\n' -}}"
    "{{- message['content'] | trim ~ '<|eot_id|>' -}}"
    "{%- endfor -%}"
    r"{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%}"
)

_PHI3 = (
    "{%- for message in messages -%}"
    r"{{- '<|' ~ message['role'] ~ '|>\n' ~ message['content'] ~ '<|end|>\n' -}}"
    "{%- endfor -%}"
    r"{%- if add_generation_prompt -%}{{- '<|assistant|>\n' -}}{%- endif -%}"
)

_COMMAND_R = (
    "{%- set names = {'system': 'SYSTEM', 'assistant': 'CHATBOT'} -%}"
    "{%- for message in messages -%}"
    "{{- '<|START_OF_TURN_TOKEN|><|' ~ names.get(message['role'], 'USER') ~ '_TOKEN|>' -}}"
    "{{- message['content'] | trim ~ '<|END_OF_TURN_TOKEN|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' -}}{%- endif -%}"
)

#: Templates by short name.
NAMED = {
    "chatml": _CHATML,
    "command-r": _COMMAND_R,
    "gemma": _GEMMA,
    "llama2": _LLAMA2,
    "llama3": _LLAMA3,
    "monarch": _MONARCH,
    "phi3": _PHI3,
    "zephyr": _ZEPHYR,
}

#: The template of a model that brings none.
FALLBACK = NAMED["chatml"]


def secret_digits(n_digits: int = 32) -> str:
    """A mark for a text. Digits, because no filter of a template changes them, and random, so that no text has them."""
    return str(secrets.randbelow(10**n_digits)).zfill(n_digits)


def has_jinja(template: str) -> bool:
    """Whether a template has anything that is not plain text."""
    return "{{" in template or "{%" in template


def resolve_template(choice: str) -> str:
    """The Jinja text that ``chat_template`` of the configuration stands for: a short name, or the text itself.

    A text without any Jinja is a template, too, if it is no single word: it is the prompt of every conversation.

    Raises:
        InvalidArgument: neither a known name nor a template.
    """
    if choice in NAMED:
        return NAMED[choice]
    if not has_jinja(choice) and len(choice.split()) < 2:
        names = ", ".join(sorted(NAMED))
        raise InvalidArgument("chat_template", f"{quoted(choice, 60)} is neither Jinja text nor one of {names}")
    return choice
