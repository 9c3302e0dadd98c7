"""A served model without an engine, for tests of conversion."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from service.api.served_model import Limits, PictureSupport, ServedModel
from service.config import EngineConfig
from service.constraints.compiler import ConstraintCompiler
from service.dialogue.template.analysis import UNKNOWN
from service.prompts.breakers import BreakerFinder
from service.testing.scripted_model import ScriptedModel
from tests.support.scripted_core import FACTS, ByteVocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.dialogue.chat_format import ChatFormat
    from service.prompts.templates import Conversation
    from service.prompts.work import Work


@dataclass
class RecordingTemplate:
    """A chat template in this process that keeps what it was asked to render."""

    source: str = "recording"
    text: str = "rendered"
    conversations: list[Conversation] = field(default_factory=list)
    fail: Callable[[], None] = lambda: None

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        """The text."""
        self.conversations.append(conversation)
        self.fail()
        return self.text


def served_model(
    *,
    vocabulary: ByteVocabulary | None = None,
    template: RecordingTemplate | None = None,
    limits: Limits | None = None,
    engine: EngineConfig | None = None,
    cache_prompt: bool = True,
    chat_format: ChatFormat = UNKNOWN,
    pictures: PictureSupport | None = None,
    **info: Any,
) -> ServedModel:
    """The scripted model as it is served: two slots of 64 tokens.

    Args:
        vocabulary, template, limits, engine, cache_prompt, chat_format, pictures: see ``ServedModel``.
        info: what ``ModelInfo`` says otherwise than the scripted model's.
    """
    return ServedModel(
        name="scripted",
        aliases=("scripted.gguf",),
        path="/models/scripted.gguf",
        facts=FACTS,
        info=replace(ScriptedModel().info, **info),
        vocabulary=vocabulary or ByteVocabulary(),
        template=template or RecordingTemplate(),
        limits=limits or Limits(),
        engine=engine or EngineConfig(n_slots=2, n_ctx_slot=64),
        cache_prompt=cache_prompt,
        chat_format=chat_format,
        pictures=pictures,
        constraints=ConstraintCompiler.of(vocabulary or ByteVocabulary()),
        breakers=BreakerFinder(vocabulary or ByteVocabulary()),
    )
