"""The parts of assistants' turns in which calls are, cut out of what a template rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.dialogue.template.probes import FIRST, LEFT, NUMBER, OTHER_VALUE, RIGHT, SECOND, TEXT, USER, VALUE
from service.dialogue.template.tags import common_beginning, common_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.template.probes import Prober


@dataclass(frozen=True, slots=True)
class SeenCalls:
    """Calls as a template writes them, without what stands around them in every turn.

    Attributes:
        one: one with a text.
        texts: one with two texts.
        mixed: one with a text and a number.
        pair: two with a text each; None if it does not write more than one.
    """

    one: str
    texts: str
    mixed: str
    pair: str | None


def see_calls(prober: Prober, end_names: Sequence[str]) -> SeenCalls | None:
    """What a template writes for calls; None if that is nothing, or not all of it.

    Args:
        prober: renders as the template wants calls.
        end_names: names of the tokens at which generation ends.
    """
    one = prober.calls((FIRST, {LEFT: VALUE}))
    texts = prober.calls((FIRST, {LEFT: VALUE, RIGHT: OTHER_VALUE}))
    mixed = prober.calls((FIRST, {LEFT: VALUE, RIGHT: NUMBER}))
    if one is None or texts is None or mixed is None:
        return None
    pair = prober.calls((FIRST, {LEFT: VALUE}), (SECOND, {LEFT: OTHER_VALUE}))
    if pair is not None and not (SECOND in _behind_user(pair) and OTHER_VALUE in _behind_user(pair)):
        pair = None
    whole = [_behind_user(text) for text in (one, texts, mixed, pair) if text is not None]
    plain = _behind_user(prober.text() or "")
    before, found, behind = plain.partition(TEXT)
    start = len(common_beginning(*whole, before)) if found else len(common_beginning(*whole))
    end = len(common_end(*whole, behind)) if found else 0

    def cut(text: str) -> str:
        inner = _behind_user(text)
        inner = inner[start : len(inner) - end]
        name = inner.find(FIRST)
        ends = [index for ending in end_names if ending and (index := inner.find(ending, max(name, 0))) >= 0]
        return inner[: min(ends)] if ends else inner

    pair = None if pair is None else cut(pair)
    return SeenCalls(
        one=cut(one),
        texts=cut(texts),
        mixed=cut(mixed),
        pair=pair if pair is not None and OTHER_VALUE in pair else None,
    )


def _behind_user(text: str) -> str:
    return text.rpartition(USER)[2]
