"""What all parsers of answers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from service.dialogue.parsing.collector import Collector
from service.dialogue.parsing.scanner import Reading, Scanner

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.dialogue.output import Part, ReasoningFormat


class StreamedParser(ABC):
    """An ``OutputParser`` that reads an answer while it comes.

    Args:
        reasoning: where reasoning goes.
        make_id: makes the id of a call.

    Attributes:
        is_reasoning: whether what comes next is reasoning.
    """

    def __init__(self, reasoning: ReasoningFormat, make_id: Callable[[], str]) -> None:
        self.is_reasoning = False
        self._scanner = Scanner()
        self._collector = Collector(reasoning, make_id)
        # Begins with the first text.
        self._reading = self._answer()

    @property
    def blanks(self) -> str:
        """Blanks at the end of the content so far."""
        return self._collector.blanks

    @property
    def n_calls(self) -> int:
        """Calls that are complete."""
        return self._collector.n_calls

    def push(self, text: str) -> list[Part]:
        """Take more of the answer."""
        if text:
            self._scanner.add(text)
            next(self._reading, None)
        return self._collector.take()

    def finish(self) -> list[Part]:
        """The answer is over."""
        self._scanner.is_over = True
        for _ in self._reading:
            pass
        self._collector.finish()
        return self._collector.take()

    @abstractmethod
    def _answer(self) -> Reading[None]:
        """Read all of an answer."""
