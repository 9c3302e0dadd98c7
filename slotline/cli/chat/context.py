"""Notes on how full the context is. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slotline.cli.chat.conversation import Statistics

#: Parts of the context: from the first on, the user hears how full it is, and from the second on, that room is short.
TOLD_PERCENT = 50
SHORT_PERCENT = 80
#: What the user can do about it.
ADVICE = "/drop takes the oldest turn away, /clear begins anew"


def used_tokens(statistics: Statistics) -> int | None:
    """Tokens of a conversation up to the end of an answer; None if the server did not count its prompt."""
    if statistics.n_prompt_tokens is None:
        return None
    return statistics.n_prompt_tokens + statistics.n_tokens


def is_full(statistics: Statistics, n_ctx: int | None) -> bool:
    """Whether an answer ended because there was no room for more."""
    used = used_tokens(statistics)
    return used is not None and n_ctx is not None and used >= n_ctx - 1


def fullness(statistics: Statistics, n_ctx: int | None) -> str:
    """How full the context is after an answer, "" if that is not known."""
    used = used_tokens(statistics)
    if used is None or not n_ctx:
        return ""
    return f"context {_percent(used, n_ctx)} % full: {used} of {n_ctx} tokens"


def note(statistics: Statistics, n_ctx: int | None) -> str:
    """What the user should know after an answer, "" for nothing."""
    used = used_tokens(statistics)
    if used is None or not n_ctx or _percent(used, n_ctx) < TOLD_PERCENT:
        return ""
    is_short = _percent(used, n_ctx) >= SHORT_PERCENT
    return fullness(statistics, n_ctx) + (f"; {ADVICE}" if is_short else "")


def left_out(statistics: Statistics) -> str:
    """What was left out of a conversation that did not fit, "" for nothing."""
    n_tokens = statistics.n_truncated_tokens
    if not n_tokens:
        return ""
    return f"the conversation did not fit into the context: its oldest {n_tokens} tokens were left out"


def _percent(used: int, n_ctx: int) -> int:
    # 100 % means full, and nothing less.
    return min(100, 100 * used // n_ctx)
