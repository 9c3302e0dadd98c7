"""From a model file to a model that serves: weights, chat template, system prompt."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from service.api.convert.purpose import told_purpose
from service.api.convert.system_prompt import system_prompt
from service.api.served_model import Limits, LoadedModel, ServedModel
from service.constraints.compiler import ConstraintCompiler
from service.dialogue.description import resolve_tool_format
from service.dialogue.template.analysis import UNKNOWN
from service.engine.request.requests import SystemPromptRequest
from service.errors import (
    Draining,
    InvalidArgument,
    ModelFailed,
    NotSupported,
    ProjectorFailed,
    ServiceError,
    TemplateWorkerLost,
)
from service.media.encoder import MediaCounts, WorkerState
from service.prompts.formats import chat_format
from service.prompts.renderer import TemplateRenderer, make_renderer
from service.prompts.template_process import TemplateFailure
from service.prompts.templates import has_jinja, resolve_template
from service.prompts.typed_content import with_fitting_content

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.config import CoreConfig, MediaOptions, ModelConfig
    from service.dialogue.chat_format import ChatFormat
    from service.engine.language_model import LanguageModel, ModelInfo
    from service.media.encoder import PictureEncoder, ProjectorFacts
    from service.prompts.pool import PreparationPool
    from service.prompts.templates import ChatTemplate

logger = logging.getLogger(__name__)


class Load(Protocol):
    """Loads a model; ``service.llama.loader.load`` is one."""

    def __call__(self, config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        """Load, reporting 0 to 1; give up and raise if ``on_progress`` returns False."""


class MakeEncoder(Protocol):
    """Makes what encodes pictures; ``service.media.worker_encoder.WorkerEncoder`` is one."""

    def __call__(
        self, options: MediaOptions, model: ModelConfig, n_whole: int, is_computing: Callable[[], bool]
    ) -> PictureEncoder:
        """Make it; ``start`` comes later.

        Args:
            options: with a projector.
            model: which model the projector belongs to.
            n_whole: of the loaded model; see ``ModelInfo``.
            is_computing: tells whether the model computes; any thread.
        """


class Loading:
    """Loads one model and gets it ready to serve.

    Args:
        config: the whole core.
        load: loads the weights.
        make_encoder: makes what encodes pictures, if there is a projector.
        limits: bounds on one request.
        is_computing: tells whether the model computes; any thread.

    Attributes:
        progress: part of the model that is loaded, 0 to 1.

    Raises:
        InvalidArgument: ``config.chat_template`` is neither Jinja nor a known name, or ``config.tool_format`` is no
            format.
    """

    def __init__(
        self,
        config: CoreConfig,
        load: Load,
        make_encoder: MakeEncoder,
        limits: Limits,
        *,
        is_computing: Callable[[], bool],
    ) -> None:
        self.progress = 0.0
        self._encoder: PictureEncoder | None = None
        self._has_unusable_projector = False
        self._config = config
        self._load = load
        self._make_encoder = make_encoder
        self._is_computing = is_computing
        self._limits = limits
        self._template_choice = None if config.chat_template is None else resolve_template(config.chat_template)
        if self._template_choice is not None and not has_jinja(self._template_choice):
            logger.warning("the chat template has no Jinja: it is the prompt of every conversation, whatever is in it")
        self._tool_format = None if config.tool_format is None else resolve_tool_format(config.tool_format)
        self._is_given_up = False
        self._loaded: LoadedModel | None = None
        self._renderer: TemplateRenderer | None = None
        self._constraints: ConstraintCompiler | None = None

    # In the engine's thread -----------------------------------------------------------------------------------------

    def run(self, report: Callable[[float], None]) -> LanguageModel:
        """Load the weights.

        Args:
            report: takes progress from 0 to 1.
        """

        def on_progress(part: float) -> bool:
            report(part)
            return not self._is_given_up

        self._loaded = self._load(self._config.model, on_progress=on_progress)
        return self._loaded

    def note_progress(self, part: float) -> None:
        """Take note of how much is loaded."""
        self.progress = part

    # Any thread -----------------------------------------------------------------------------------------------------

    @property
    def image_worker(self) -> WorkerState | None:
        """What the process that encodes pictures does; None if there is no projector."""
        if self._config.media.mmproj is None:
            return None
        if self._has_unusable_projector:
            return WorkerState.FAILED
        return WorkerState.STARTING if self._encoder is None else self._encoder.state

    @property
    def media_counts(self) -> MediaCounts | None:
        """What was done of pictures since start; None if there is no projector."""
        if self._config.media.mmproj is None:
            return None
        return MediaCounts() if self._encoder is None else self._encoder.counts()

    # On the event loop ----------------------------------------------------------------------------------------------

    def give_up(self) -> None:
        """Let ``run`` end early, by the exception that ``load`` raises then."""
        self._is_given_up = True

    async def get_ready(
        self, pool: PreparationPool, set_system_prompt: Callable[[SystemPromptRequest], Awaitable[object]]
    ) -> ServedModel:
        """Put together what is served, after ``run``.

        Args:
            pool: compiles the template and tokenises the system prompt.
            set_system_prompt: lets all slots begin with a system prompt; raises ServiceError if the engine does not.

        Raises:
            ModelFailed: the projector, the chat template or the system prompt of the configuration cannot be used.
            Draining: loading was given up.
        """
        loaded = self._loaded
        assert loaded is not None
        if self._config.media.mmproj is not None:
            try:
                await self._start_encoder(loaded.info, pool)
            except ProjectorFailed:
                self._has_unusable_projector = True
                raise
        constraints = self._constraints = ConstraintCompiler.of(loaded.vocabulary)
        if loaded.info.can_generate:
            # That takes the GIL for a while, but the template's process is about to start, and nothing else to do.
            constraints.prepare()
        try:
            renderer = await pool.run(0, lambda _: self._make_renderer(loaded))
        except TemplateFailure as error:
            raise ModelFailed(f"the chat template that the server was started with is unusable: {error}") from error
        self._renderer = renderer
        template = await pool.run(0, lambda _: self._template(loaded, renderer))
        model = ServedModel.create(
            self._config,
            loaded,
            template,
            self._limits,
            constraints,
            await pool.run(0, lambda _: self._chat_format(loaded, template)),
            self._encoder,
        )
        try:
            request = await self._system_prompt_request(model, pool)
            if request is not None:
                await set_system_prompt(request)
        except ServiceError as error:
            raise _unusable_system_prompt(error) from error
        self.progress = 1.0
        return model

    async def close_encoder(self) -> None:
        """End the process that encodes pictures, also while it starts."""
        if self._encoder is not None:
            await asyncio.to_thread(self._encoder.close)

    async def close_preparation(self) -> None:
        """End the processes that render chats or encode pictures, and the threads that compile constraints."""
        await self.close_encoder()
        if self._renderer is not None:
            self._renderer.close()
        if self._constraints is not None:
            self._constraints.close()

    async def close_model(self) -> None:
        """Free the weights; only after the engine's end."""
        if self._loaded is not None:
            await asyncio.to_thread(self._loaded.close)

    async def _start_encoder(self, info: ModelInfo, pool: PreparationPool) -> None:
        """Start what encodes pictures.

        Raises:
            ProjectorFailed: it cannot be used, or not with this model.
            Draining: loading was given up.
        """
        if self._is_given_up:
            raise Draining
        if not info.can_generate:
            raise ProjectorFailed(f"`mmproj` is of no use: this model takes no pictures; {told_purpose(info)}")
        encoder = self._encoder = self._make_encoder(
            self._config.media, self._config.model, info.n_whole, self._is_computing
        )
        await pool.run(0, lambda _: encoder.start())
        check_projector(encoder.facts, info)

    def _make_renderer(self, loaded: LoadedModel) -> TemplateRenderer:
        vocabulary = loaded.vocabulary

        def name_of(token: int | None) -> str:
            return "" if token is None else vocabulary.token_bytes(token, special=True).decode(errors="replace")

        return make_renderer(
            self._template_choice,
            loaded.facts.chat_template,
            bos=name_of(vocabulary.bos_token),
            eos=name_of(vocabulary.eos_token),
            max_output_bytes=self._limits.max_prompt_bytes,
        )

    def _template(self, loaded: LoadedModel, renderer: TemplateRenderer) -> ChatTemplate:
        """The template as conversations are rendered with it."""
        if not loaded.info.can_generate:
            return renderer
        try:
            return with_fitting_content(renderer)
        except TemplateWorkerLost:
            return renderer

    def _chat_format(self, loaded: LoadedModel, template: ChatTemplate) -> ChatFormat:
        """How the model writes answers, unless it only makes embeddings."""
        if not loaded.info.can_generate:
            return UNKNOWN
        return chat_format(template, loaded.vocabulary, self._tool_format)

    async def _system_prompt_request(self, model: ServedModel, pool: PreparationPool) -> SystemPromptRequest | None:
        """The request for the configuration's system prompt, None if it has none."""
        text = self._config.system_prompt
        if text is None:
            return None
        if not model.info.can_generate:
            raise NotSupported("this model cannot generate text and takes no system prompt")
        return SystemPromptRequest(await pool.run(len(text.text), lambda work: system_prompt(text, model.paced(work))))


def _unusable_system_prompt(error: ServiceError) -> ModelFailed:
    problem = error.message
    if isinstance(error, InvalidArgument):
        problem = f"its {error.field.removeprefix('system_prompt.')} {error.problem}"
    return ModelFailed(f"the system prompt of `system_prompt` is unusable: {problem}")


def check_projector(facts: ProjectorFacts, info: ModelInfo) -> None:
    """Check that a model can evaluate what a projector makes.

    Raises:
        ProjectorFailed: it cannot.
    """
    if facts.n_embd != info.n_embd_input:
        raise ProjectorFailed(
            f"the projector of `mmproj` makes rows of {facts.n_embd} numbers, but this model takes rows of "
            f"{info.n_embd_input}; use the projector that was published with the model"
        )
    if facts.has_grid != info.has_grid:
        which = "places its rows in a grid, which this model does not know"
        if info.has_grid:
            which = "does not place its rows in a grid, as this model wants them"
        raise ProjectorFailed(f"the projector of `mmproj` {which}; use the projector that was published with the model")
    if facts.max_whole > info.n_whole:
        raise ProjectorFailed(
            f"the projector of `mmproj` makes {facts.max_whole} rows of a picture that must be evaluated at once, but "
            f"at most {info.n_whole} are; set `n_batch` to at least {facts.max_whole}, and do not turn "
            "`flash_attention` off"
        )
