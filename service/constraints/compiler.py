"""Compiles constraints for one model: off the engine's thread, each once, and not for ever."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from service.constraints.compiled import N_THREADS, CompiledGrammars
from service.constraints.grammar import LarkGuide
from service.constraints.lark import explain, whole_grammar
from service.constraints.spec import ConstraintSpec, UnusableConstraint
from service.errors import Draining, InvalidArgument, NotSupported, QueueFull
from service.prompts.work import Work

if TYPE_CHECKING:
    from service.constraints.compiled import Compilation
    from service.constraints.tokenizer import TokenTable

#: Seconds after which callers give up. Nothing ends the compilation itself before its fuel is used up (docs/adr/0045).
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ConstraintCompiler:
    """Compiles constraints for the vocabulary of a model; any thread.

    Attributes:
        grammars: what was compiled for it.
        timeout_s: how long callers wait at most.
        work: the preparation of the caller.
    """

    grammars: CompiledGrammars
    timeout_s: float = TIMEOUT_S
    work: Work = field(default_factory=Work)

    @classmethod
    def of(cls, vocabulary: TokenTable) -> ConstraintCompiler:
        """The compiler of a model."""
        return cls(CompiledGrammars(vocabulary))

    def prepare(self) -> None:
        """Begin to read the vocabulary, without waiting for it; otherwise the first constraint does."""
        if self.grammars.can_end:
            self.grammars.read_vocabulary()

    def paced(self, work: Work) -> ConstraintCompiler:
        """The same for one preparation, which stops waiting when its caller has gone."""
        return replace(self, work=work)

    def compile(self, spec: ConstraintSpec, *, field: str) -> LarkGuide:
        """A guide for the outputs of a request. Waits, without holding a turn of the preparation.

        Args:
            spec: the constraint.
            field: path of the field that it comes from, for errors.

        Raises:
            InvalidArgument: it cannot be used, or takes too long to compile.
            NotSupported: the model cannot do it.
            QueueFull: too many others are waiting to be compiled.
            Draining: the compiler is closed.
            Abandoned: the caller has gone.
        """
        if not self.grammars.can_end:
            raise NotSupported("this model has no end-of-generation token, so nothing could end a constrained text")
        try:
            text = whole_grammar(spec)
        except UnusableConstraint as error:
            raise InvalidArgument(field, str(error)) from None
        compilation = self.grammars.compilation(text, partial(explain, spec))
        self._wait(compilation, field)
        grammar = compilation.result()
        if isinstance(grammar, UnusableConstraint):
            raise InvalidArgument(field, str(grammar))
        return LarkGuide(grammar, field)

    def close(self) -> None:
        """Compile no more; what is being compiled is not waited for. May be called again."""
        self.grammars.close()

    def _wait(self, compilation: Compilation, field: str) -> None:
        if not compilation.done():
            is_over = threading.Event()
            compilation.add_done_callback(lambda _: is_over.set())
            with self.work.waiting(is_over.set):
                is_over.wait(self.timeout_s)
        if compilation.cancelled():
            raise Draining
        if not compilation.done():
            if not compilation.running():
                raise QueueFull(N_THREADS, retry_after_s=1.0)
            raise InvalidArgument(
                field, f"takes more than {self.timeout_s:g} s to compile; allowed is what takes less, so simplify it"
            )
