"""Longer steps for a prompt that is alone, as long as nobody comes."""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.engine.language_model import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.engine.language_model import Interruption

#: A step may take one part in so many of the time in which nobody has come: that bounds what is evaluated in vain.
PATIENCE = 2.0


class LongSteps:
    """Says how long a step may take in which one prompt is evaluated and nothing else, and ends it if somebody comes.

    A token costs less in a large batch, above all behind a long context, but whoever comes would have to wait. So a
    call that takes longer than others is one that can be ended: then nothing of it counts, and the prompt goes on in
    steps of the usual length until nobody has come for a while.

    Args:
        interruption: of the model; None if its calls cannot be ended, so that no step is longer than usual.
        clock: seconds, monotonic.
        usual_s: what such a step may take anyway; longer is worth the end of a call.
        longest_s: most seconds of a step.
    """

    def __init__(
        self, interruption: Interruption | None, clock: Callable[[], float], *, usual_s: float, longest_s: float
    ) -> None:
        self._interruption = interruption
        self._clock = clock
        self._usual_s = usual_s
        self._longest_s = longest_s
        self._disturbed_s = -math.inf
        self._lock = threading.Lock()
        # From then on the call that runs takes no longer than others; so nobody needs to end it.
        self._worth_until_s = math.inf

    def come(self) -> None:
        """Tell that somebody came while others were served."""
        self._disturbed_s = self._clock()

    def allowed_s(self) -> float | None:
        """Seconds that the next step may take, None if it may not take longer than usual."""
        if self._interruption is None:
            return None
        allowed_s = min(self._longest_s, (self._clock() - self._disturbed_s) / PATIENCE)
        return allowed_s if allowed_s > self._usual_s else None

    @contextmanager
    def step(self, expected_s: float) -> Iterator[None]:
        """A call of the model that is expected to take so many seconds, and may be ended.

        Whoever ended it disturbed, also one who only left: what is evaluated in vain is bounded for all of them.
        """
        assert self._interruption is not None
        with self._lock:
            self._worth_until_s = self._clock() + expected_s - self._usual_s
        try:
            with self._interruption.allowed():
                yield
        except Interrupted:
            self._disturbed_s = self._clock()
            raise
        finally:
            with self._lock:
                self._worth_until_s = math.inf

    def interrupt(self) -> None:
        """End a long call that runs, or the next one right at its beginning, until ``resume``; any thread."""
        if self._interruption is not None:
            with self._lock:
                if self._clock() < self._worth_until_s:
                    self._interruption.request()

    def resume(self) -> None:
        """Let calls run to their end again, now that it is known who has come; any thread."""
        if self._interruption is not None:
            self._interruption.clear()
