"""What was compiled for a model, each grammar once."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING

from service.constraints.grammar import CompiledGrammar
from service.constraints.spec import UnusableConstraint
from service.constraints.threads import CompileThreads
from service.constraints.tokenizer import build_tokenizer
from service.errors import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from llguidance import LLTokenizer

    from service.constraints.tokenizer import TokenTable

#: Grammars that are kept, and the processor time that they may have taken together, as a measure of their memory.
MAX_KEPT = 64
MAX_KEPT_S = 2.0
#: Grammars that are compiled at once, and that may wait for it.
N_THREADS = 2
MAX_WAITING = 64

#: Gives a grammar, or why there is none: an error that is raised again and again would keep all who asked alive.
Compilation = Future[CompiledGrammar | UnusableConstraint]


class CompiledGrammars:
    """Grammars for one vocabulary that were compiled or are being compiled; any thread.

    Args:
        vocabulary: the model's.

    Attributes:
        can_end: whether the model has tokens that end a text.
    """

    def __init__(self, vocabulary: TokenTable) -> None:
        self.can_end = bool(vocabulary.eog_tokens)
        self._threads = CompileThreads(N_THREADS)
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._tokenizer: Future[LLTokenizer] | None = None
        #: By the digest of the grammar: what was compiled, cannot be, or is being compiled, the last used one last.
        self._known: OrderedDict[bytes, Compilation] = OrderedDict()

    def read_vocabulary(self) -> Future[LLTokenizer]:
        """The vocabulary, which is read once."""
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = self._threads.submit(lambda: build_tokenizer(self._vocabulary))
            return self._tokenizer

    def compilation(self, text: str, explain: Callable[[], str] = str) -> Compilation:
        """A grammar that is being compiled, or was.

        Args:
            text: Lark.
            explain: says more than the library if it refuses the grammar, or nothing; called in a thread that compiles.

        Raises:
            QueueFull: too many others are waiting.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        tokenizer = self.read_vocabulary()
        with self._lock:
            known = self._known.get(digest)
            if known is not None and not known.cancelled():
                self._known.move_to_end(digest)
                return known
            if self.n_unfinished >= MAX_WAITING:
                raise QueueFull(MAX_WAITING, retry_after_s=1.0)
            # Tokenizers are submitted before, so that one is there or being made when a thread comes to this.
            compilation = self._threads.submit(lambda: self._compile(tokenizer.result(), text, explain))
            self._known[digest] = compilation
            self._forget_oldest()
            return compilation

    @property
    def n_unfinished(self) -> int:
        """Grammars that are being compiled, or wait for it."""
        return sum(not one.done() for one in list(self._known.values()))

    def close(self) -> None:
        """Compile no more; what is being compiled is not waited for. May be called again."""
        self._threads.close()

    def _compile(
        self, tokenizer: LLTokenizer, text: str, explain: Callable[[], str]
    ) -> CompiledGrammar | UnusableConstraint:
        try:
            return CompiledGrammar(tokenizer, frozenset(self._vocabulary.eog_tokens), text)
        except UnusableConstraint as error:
            return UnusableConstraint(explain() or str(error))

    def _forget_oldest(self) -> None:
        """Let go of what was used least recently, but of nothing that is being compiled."""
        costs = {digest: _cost_s(one) for digest, one in self._known.items() if one.done()}
        total_s = sum(costs.values())
        for digest, cost_s in costs.items():
            if len(self._known) <= MAX_KEPT and total_s <= MAX_KEPT_S:
                return
            total_s -= cost_s
            del self._known[digest]


def _cost_s(compilation: Compilation) -> float:
    """Of one that is over; of a constraint that cannot be used only the reason is kept."""
    if compilation.cancelled() or compilation.exception() is not None:
        return 0.0
    result = compilation.result()
    return 0.0 if isinstance(result, UnusableConstraint) else result.cost_s
