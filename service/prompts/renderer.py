"""Renders chat templates in processes of their own.

Context. A template is a program. It comes with a model file from anywhere, or from the command line, and its input
comes from callers. Jinja's sandbox keeps it from reaching Python objects that are none of its business, but not from
running for ever or from eating all memory: two nested loops over ``range(100000)``, ``'a' * 10**10`` or
``10 ** 10 ** 10`` suffice, and while the last two run no Python code does, so no trace hook, deadline check or limit on
``range`` stops them; in this process they would also hold the GIL against the engine. Jinja evaluates constant
expressions while it compiles, so even compiling is not safe.

Decision. Templates are compiled and rendered in a worker process, in the sandbox, under limits that the kernel
enforces: CPU time by a timer whose signal ends the worker, memory by RLIMIT_AS, and output by counting it. A worker
that died is replaced by the next request, which is tried once more if that happened to it. A rendering whose caller has
gone is ended together with its worker.

Consequences. No template can stop the service; a request whose rendering ends the worker is refused with a reason.
Rendering costs a round trip over a pipe (about 0.2 ms) and a worker about 20 MB; a second one starts only if two
requests render at once. The limit is CPU time and not wall time, so that a busy machine refuses nobody.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from service.errors import InvalidArgument, TemplateWorkerLost
from service.prompts.template_process import ProcessLost, TemplateFailure, TemplateWorker
from service.prompts.templates import FALLBACK, Conversation
from service.prompts.work import Abandoned, Work

logger = logging.getLogger(__name__)

CPU_LIMIT_S = 2.0
MEMORY_LIMIT_BYTES = 512 << 20
N_WORKERS = 2


class TemplateRenderer:
    """A compiled chat template. ``render`` may be called from several threads.

    Args:
        source: Jinja text.
        bos: the model's BOS as text, for the template's ``bos_token``.
        eos: the model's EOS as text, for the template's ``eos_token``.
        max_output_bytes: most UTF-8 bytes a rendered conversation may have.
        cpu_limit_s: CPU time of one rendering.
        memory_limit_bytes: address space of one worker.

    Raises:
        TemplateFailure: the source does not compile.
    """

    def __init__(
        self,
        source: str,
        *,
        bos: str,
        eos: str,
        max_output_bytes: int,
        cpu_limit_s: float = CPU_LIMIT_S,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    ) -> None:
        self._source = source
        program = [str(cpu_limit_s), str(memory_limit_bytes)]
        setup = {
            "source": source,
            "specials": {"bos_token": bos, "eos_token": eos},
            "max_output_bytes": max_output_bytes,
        }
        self._workers = [TemplateWorker(program, setup, cpu_limit_s) for _ in range(N_WORKERS)]
        # Last in, first out: the second worker is started only if the first is busy.
        self._idle = list(self._workers)
        self._changed = threading.Condition()
        try:
            self._workers[-1].start()
        except (TemplateFailure, ProcessLost) as error:
            self.close()
            raise TemplateFailure(str(error)) from error

    @property
    def source(self) -> str:
        """The template as Jinja."""
        return self._source

    @property
    def n_idle(self) -> int:
        """Processes that render nothing, those included that are not running yet."""
        return len(self._idle)

    @property
    def next_pid(self) -> int | None:
        """The process that renders next; None if all are busy, or it is not running yet."""
        idle = self._idle
        return idle[-1].pid if idle else None

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        """Render a conversation; blocks.

        Args:
            conversation: what to render.
            work: the preparation that it belongs to, with which it ends; None for one of its own.

        Raises:
            InvalidArgument: the template refuses the conversation, fails on it, or takes too much for it.
            TemplateWorkerLost: the process was lost, and so was the one that replaced it.
            Draining: the renderer was closed.
            Abandoned: nobody waits for it any more.
        """
        work = work or Work()
        variables = {
            **conversation.variables,
            "messages": list(conversation.messages),
            "tools": conversation.tools,
            "documents": None,
            "add_generation_prompt": conversation.add_generation_prompt,
        }
        taken: list[TemplateWorker] = []

        def stop() -> None:
            with self._changed:
                for worker in taken:
                    worker.interrupt()
                self._changed.notify_all()

        try:
            with work.waiting(stop):
                with self._changed:
                    self._changed.wait_for(lambda: self._idle or work.is_abandoned)
                    if work.is_abandoned:
                        raise Abandoned
                    taken.append(self._idle.pop())
                return _render(taken[0], variables, work)
        except TemplateFailure as error:
            raise InvalidArgument("chat.messages", str(error)) from error
        finally:
            with self._changed:
                self._idle += taken
                taken.clear()
                self._changed.notify_all()

    def close(self) -> None:
        """End the workers, also in the middle of a rendering. May be called more than once."""
        for worker in self._workers:
            worker.close()


def make_renderer(
    override: str | None, of_model: str | None, *, bos: str, eos: str, max_output_bytes: int
) -> TemplateRenderer:
    """The template in force: the override, else the model's own, else chatml.

    A model's template that does not compile is replaced by chatml with an error in the log, so that the model can
    still be used.

    Args:
        override: Jinja text that replaces the model's, None for none.
        of_model: the model's own, None if it brings none.
        bos, eos, max_output_bytes: as for ``TemplateRenderer``.

    Raises:
        TemplateFailure: the override does not compile.
    """
    if override is not None:
        return TemplateRenderer(override, bos=bos, eos=eos, max_output_bytes=max_output_bytes)
    if of_model:
        try:
            return TemplateRenderer(of_model, bos=bos, eos=eos, max_output_bytes=max_output_bytes)
        except TemplateFailure as error:
            logger.error("the model's chat template cannot be used; using chatml", extra={"reason": str(error)})
    else:
        logger.warning("the model has no chat template; using chatml")
    return TemplateRenderer(FALLBACK, bos=bos, eos=eos, max_output_bytes=max_output_bytes)


def _render(worker: TemplateWorker, variables: dict[str, Any], work: Work) -> str:
    """Render; once more if the worker was lost for a reason that lies outside the request."""
    try:
        return worker.render(variables, work)
    except ProcessLost as error:
        if work.is_abandoned:
            raise Abandoned from None
        logger.warning("a chat is rendered once more", extra={"reason": str(error)})
    try:
        return worker.render(variables, work)
    except ProcessLost as error:
        raise TemplateWorkerLost(str(error)) from error
