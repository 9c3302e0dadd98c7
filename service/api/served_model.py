"""A model as the rest of the API sees it: name, vocabulary, chat template, bounds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Protocol

from service.config import Lookup, SamplingDefaults
from service.dialogue.template.analysis import UNKNOWN
from service.engine import language_model
from service.errors import ModelNotFound
from service.prompts import vocabulary as prompt_vocabulary
from service.prompts.breakers import BreakerFinder
from service.prompts.paced import BoundedVocabulary, PacedTemplate, PacedVocabulary
from service.prompts.work import Work
from slotline.options import max_items, maximum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import CoreConfig, EngineConfig, MediaOptions
    from service.constraints.compiler import ConstraintCompiler
    from service.dialogue.chat_format import ChatFormat
    from service.media.encoder import EncodedPicture, PictureEncoder
    from service.model_facts import ModelFacts
    from service.prompts.templates import ChatTemplate


class LoadedVocabulary(prompt_vocabulary.Vocabulary, language_model.Vocabulary, Protocol):
    """What both prompts and the engine ask of a vocabulary."""


class _Loaded(Protocol):
    @property
    def vocabulary(self) -> LoadedVocabulary:
        """The model's tokens; any thread."""

    @property
    def facts(self) -> ModelFacts:
        """What the file says; any thread."""

    def close(self) -> None:
        """Free the model; only after the engine's end. Waits for calls of the vocabulary."""


class LoadedCausalModel(_Loaded, language_model.CausalModel, Protocol):
    """A model for the engine, with what prompts and descriptions need."""


class LoadedEncoderModel(_Loaded, language_model.EncoderModel, Protocol):
    """The same for a model that only makes embeddings."""


#: What loading gives.
LoadedModel = LoadedCausalModel | LoadedEncoderModel


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request.

    Attributes:
        max_prompt_bytes: largest prompt, before and after the chat template.
        max_messages: most turns of a conversation.
        max_parts: most parts of a prompt.
        max_stop_texts: most stop texts.
        max_samplers: longest sampler chain.
        max_sequences: most continuations of one prompt.
        max_tools: most tools of one conversation.
    """

    max_prompt_bytes: int = 8 << 20
    max_messages: int = 16_384
    max_parts: int = 65_536
    max_stop_texts: int = max_items("stop")
    max_samplers: int = max_items("samplers")
    max_sequences: int = maximum("n")
    max_tools: int = 512


@dataclass(frozen=True, slots=True)
class PictureSupport:
    """That a model takes pictures.

    Attributes:
        encoder: encodes them.
        limits: bounds on those of one request.
        work: the preparation that they belong to.
        salt: encoded pictures are shared only between requests of equal salt.
    """

    encoder: PictureEncoder
    limits: MediaOptions
    work: Work = field(default_factory=Work)
    salt: str = ""

    def encode(self, files: Sequence[bytes]) -> list[EncodedPicture]:
        """Encode pictures; see ``PictureEncoder``."""
        return self.encoder.encode(files, self.work, self.salt)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that is ready to serve.

    Attributes:
        name: what it is called in answers.
        aliases: other names that requests may use, and that are shown.
        path: of the file; requests may name the model by it, but it is not shown.
        facts, info, vocabulary: from the loaded model.
        template: the chat template in force.
        chat_format: how answers to conversations are written.
        limits: bounds on one request.
        engine: slots, and the server-wide cap on tokens.
        cache_prompt: whether requests reuse cached prefixes unless they say otherwise.
        sampling: options of requests that leave them out, where they are not the defaults of the options.
        constraints: compiles what limits outputs, for this vocabulary.
        breakers: finds the tokens of texts that break repetitions.
        literal_messages: whether messages and roles of all conversations are tokenised literally.
        pictures: None for a model that takes none.
        tags: words that describe the model.
        tries_drafts: whether tokens are tried ahead, if the model can take them back.
    """

    name: str
    aliases: tuple[str, ...]
    path: str
    facts: ModelFacts
    info: language_model.ModelInfo
    vocabulary: prompt_vocabulary.Vocabulary
    template: ChatTemplate
    limits: Limits
    engine: EngineConfig
    cache_prompt: bool
    constraints: ConstraintCompiler
    breakers: BreakerFinder
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    literal_messages: bool = False
    chat_format: ChatFormat = UNKNOWN
    pictures: PictureSupport | None = None
    tags: tuple[str, ...] = ()
    tries_drafts: bool = False

    @classmethod
    def create(
        cls,
        config: CoreConfig,
        loaded: LoadedModel,
        template: ChatTemplate,
        limits: Limits,
        constraints: ConstraintCompiler,
        chat_format: ChatFormat = UNKNOWN,
        encoder: PictureEncoder | None = None,
    ) -> ServedModel:
        """Put together what was configured, what was loaded, and what was found out."""
        path = config.model.path
        names = (*config.aliases, PurePath(path).name)
        return cls(
            name=config.model_name,
            aliases=tuple(name for name in dict.fromkeys(names) if name != config.model_name),
            path=path,
            facts=loaded.facts,
            info=loaded.info,
            vocabulary=loaded.vocabulary,
            template=template,
            limits=limits,
            engine=config.engine,
            cache_prompt=config.cache_prompt,
            sampling=config.sampling,
            constraints=constraints,
            breakers=BreakerFinder(loaded.vocabulary),
            literal_messages=config.literal_messages,
            chat_format=chat_format,
            pictures=None if encoder is None else PictureSupport(encoder, config.media),
            tags=config.tags,
            tries_drafts=config.engine.lookup is not Lookup.OFF or config.model.draft_path is not None,
        )

    def paced(self, work: Work, salt: str = "") -> ServedModel:
        """The same for one preparation: it pauses between chunks of texts, and ends when its caller has gone.

        Args:
            work: the preparation.
            salt: encoded pictures are shared only between requests of equal salt.
        """
        return replace(
            self,
            vocabulary=PacedVocabulary(self.vocabulary, work),
            template=PacedTemplate(self.template, work),
            constraints=self.constraints.paced(work),
            pictures=None if self.pictures is None else replace(self.pictures, work=work, salt=salt),
        )

    def bounded(self, n_useful: int) -> ServedModel:
        """The same for one prompt of which at most ``n_useful`` tokens can be used; raises TooManyTokens beyond."""
        return replace(self, vocabulary=BoundedVocabulary(self.vocabulary, n_useful))

    def check_name(self, name: str) -> None:
        """Accept the empty name, the model's own, its aliases and its path.

        Raises:
            ModelNotFound: for any other.
        """
        if name and name not in (self.name, self.path, *self.aliases):
            raise ModelNotFound(name, self.name)
