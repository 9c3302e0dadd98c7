"""What is asked of the server: lengths of prompts and answers, what prompts share, and who goes away."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lengths:
    """A log-normal distribution of token counts, cut off at both ends.

    Attributes:
        median: half of the lengths are below.
        sigma: standard deviation of the logarithm; 0 makes all lengths the median.
        low, high: the bounds.
    """

    median: float
    sigma: float
    low: int
    high: int

    def draw(self, rng: random.Random) -> int:
        """One length."""
        return min(max(round(self.median * math.exp(rng.gauss(0, self.sigma))), self.low), self.high)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of conversation; one turn makes it a single request.

    Attributes:
        name: shown in figures.
        prompt, answer: new tokens of a turn.
        weight: how often it comes, relative to the other kinds of its mix.
        prefix_share: part of the conversations that begin with one of ``n_prefixes`` texts of ``prefix_tokens``.
        turns: fewest and most turns; each prompt holds all turns before it.
        think_s: mean pause between an answer and the next turn.
        leave_share: part of the requests whose client goes away, after a time whose mean is ``leave_s``.
        priority: of the requests.
    """

    name: str
    prompt: Lengths
    answer: Lengths
    weight: float = 1.0
    prefix_share: float = 0.0
    n_prefixes: int = 4
    prefix_tokens: int = 400
    turns: tuple[int, int] = (1, 1)
    think_s: float = 0.0
    leave_share: float = 0.0
    leave_s: float = 1.0
    priority: int = 0


_CHAT = Kind("chat", Lengths(40, 0.8, 4, 400), Lengths(32, 0.7, 2, 200))
_DOCUMENT = Kind("document", Lengths(900, 0.4, 400, 1800), Lengths(32, 0.5, 4, 120))

#: Mixes of kinds by their names on the command line.
MIXES: dict[str, tuple[Kind, ...]] = {
    "chat": (_CHAT,),
    "documents": (_DOCUMENT,),
    "mixed": (
        Kind("chat", _CHAT.prompt, _CHAT.answer, weight=0.85),
        Kind("document", _DOCUMENT.prompt, _DOCUMENT.answer, weight=0.15),
    ),
    "prefixes": (Kind("chat", _CHAT.prompt, _CHAT.answer, prefix_share=0.7),),
    "conversations": (
        Kind("chat", _CHAT.prompt, _CHAT.answer, prefix_share=0.5, prefix_tokens=150, turns=(2, 6), think_s=5.0),
    ),
    "leaving": (
        Kind("chat", _CHAT.prompt, _CHAT.answer, weight=0.85, leave_share=0.2),
        Kind("document", _DOCUMENT.prompt, _DOCUMENT.answer, weight=0.15, leave_share=0.5, leave_s=3.0),
    ),
    "priorities": (
        Kind("chat", _CHAT.prompt, _CHAT.answer, weight=0.8),
        Kind("document", _DOCUMENT.prompt, _DOCUMENT.answer, weight=0.1),
        Kind("urgent", _CHAT.prompt, _CHAT.answer, weight=0.1, priority=1),
    ),
}


@dataclass(slots=True, eq=False)
class Conversation:
    """One client's turns, and what was said so far."""

    client: int
    kind: Kind
    turns_left: int
    history: tuple[int, ...]
    rng: random.Random


@dataclass(frozen=True, slots=True)
class Turn:
    """A request of a conversation.

    Attributes:
        prompt: its tokens, history included.
        n_answer: tokens of the answer.
        patience_s: after how long the client goes away, None if it stays.
        think_s: the pause before the next turn.
    """

    prompt: tuple[int, ...]
    n_answer: int
    patience_s: float | None
    think_s: float


class Workload:
    """Draws conversations of a mix. The same seed gives the same ones, in this order, however the server behaves.

    Args:
        mix: its kinds.
        seed: of everything that is drawn.
        n_ctx: prompt and answer are kept shorter than this together, so that nothing is refused for its length.
    """

    def __init__(self, mix: tuple[Kind, ...], seed: int, n_ctx: int) -> None:
        self._mix = mix
        self._weights = [kind.weight for kind in mix]
        self._seed = seed
        self._n_begun = 0
        self._n_ctx = n_ctx
        rng = random.Random(seed)
        self._prefixes = {
            kind: [_text(rng, kind.prefix_tokens) for _ in range(kind.n_prefixes)] for kind in mix if kind.prefix_share
        }

    def begin(self, client: int) -> Conversation:
        """A new conversation of a client."""
        self._n_begun += 1
        rng = random.Random(f"{self._seed} {self._n_begun}")
        kind = rng.choices(self._mix, self._weights)[0]
        turns = rng.randint(*kind.turns)
        has_prefix = rng.random() < kind.prefix_share
        prefix = rng.choice(self._prefixes[kind]) if has_prefix else ()
        return Conversation(client, kind, turns, prefix, rng)

    def turn(self, conversation: Conversation) -> Turn:
        """The next turn of a conversation, which must have one left."""
        conversation.turns_left -= 1
        kind, rng = conversation.kind, conversation.rng
        n_answer = min(kind.answer.draw(rng), self._n_ctx // 2)
        room = self._n_ctx - n_answer - 1
        message = _text(rng, min(kind.prompt.draw(rng), room))
        # A history that is too long loses its beginning, as chat programs do it.
        kept = conversation.history[max(0, len(conversation.history) + len(message) - room) :]
        leaves = rng.random() < kind.leave_share
        return Turn(
            (*kept, *message),
            n_answer,
            patience_s=rng.expovariate(1 / kind.leave_s) if leaves else None,
            think_s=rng.expovariate(1 / kind.think_s) if kind.think_s else 0.0,
        )


def _text(rng: random.Random, n_tokens: int) -> tuple[int, ...]:
    return tuple(rng.randbytes(n_tokens))
