"""The format of a model's answers, found out with the template worker and the vocabulary."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from service.dialogue.chat_format import CallStyle
from service.dialogue.description import describe
from service.dialogue.parsing.harmony import CONTROL_TOKENS
from service.dialogue.template.analysis import analyse
from service.dialogue.template.probes import GaveUp
from service.errors import InvalidArgument, TemplateWorkerLost
from service.prompts.template_process import TemplateKilled
from service.prompts.templates import Conversation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.dialogue.chat_format import ChatFormat
    from service.dialogue.template.probes import Probe
    from service.prompts.templates import ChatTemplate

logger = logging.getLogger(__name__)

#: Seconds after which a template is not looked into any further; each rendering takes less than a millisecond.
LIMIT_S = 10.0


class NamedTokens(Protocol):
    """What is asked of a vocabulary; see ``service.prompts.vocabulary``."""

    @property
    def eog_tokens(self) -> frozenset[int]:
        """Tokens at which generation ends."""

    def split_control(self, text: str) -> list[int | str]:
        """A text as control tokens that it names, and what lies between them."""

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """Bytes of a token, with ``special`` the name of a control token."""


def chat_format(template: ChatTemplate, vocabulary: NamedTokens, chosen: ChatFormat | None = None) -> ChatFormat:
    """How a model writes its answers; blocks. Never fails: what a template does not show has defaults.

    Args:
        template: the chat template in force.
        vocabulary: the model's.
        chosen: the format of ``--tool-format``, None without one.
    """
    began = time.monotonic()

    def render(probe: Probe) -> str | None:
        if time.monotonic() - began > LIMIT_S:
            logger.warning("the chat template takes too long to be looked into")
            raise GaveUp
        try:
            return template.render(
                Conversation(probe.messages, probe.add_generation_prompt, probe.tools, probe.variables)
            )
        except InvalidArgument as error:
            if isinstance(error.__cause__, TemplateKilled):
                logger.warning("the chat template cannot be looked into", extra={"reason": error.problem})
                raise GaveUp from error
            return None
        except TemplateWorkerLost as error:
            raise GaveUp from error

    end_names = [
        vocabulary.token_bytes(token, special=True).decode(errors="replace") for token in vocabulary.eog_tokens
    ]
    found = analyse(template.source, render, end_names=end_names, chosen=chosen)
    found = replace(found, control_tokens=_control_tokens(found, vocabulary))
    logger.debug("format of answers", extra={"format": json.dumps(describe(found), ensure_ascii=False)})
    return found


def _control_tokens(found: ChatFormat, vocabulary: NamedTokens) -> tuple[str, ...]:
    """Names of the control tokens in the marks of a format."""
    channels = CONTROL_TOKENS if found.calls.style is CallStyle.HARMONY else ()
    named = {
        vocabulary.token_bytes(part, special=True).decode(errors="replace")
        for text in _texts_in((found.calls, found.reasoning, found.content, channels))
        for part in vocabulary.split_control(text)
        if isinstance(part, int)
    }
    return tuple(sorted(named))


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts_in(one)
    elif is_dataclass(value):
        for one in fields(value):
            yield from _texts_in(getattr(value, one.name))
