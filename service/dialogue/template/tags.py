"""Common beginnings and ends of texts, cut where no tag is cut in two.

Tags are what stands between ``<`` and ``>``, or ``[`` and ``]``: models' markers nearly all look like that, and those
of one family often differ in their last letters only.
"""

from __future__ import annotations

_CLOSING = {"<": ">", "[": "]"}
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}


def same_beginning(*texts: str) -> str:
    """The longest common beginning."""
    shortest = min(texts, key=len)
    same, most = 0, len(shortest)
    while same < most:  # whole conversations are compared, too: not letter by letter
        middle = (same + most + 1) // 2
        if all(text.startswith(shortest[:middle]) for text in texts):
            same = middle
        else:
            most = middle - 1
    return shortest[:same]


def common_beginning(first: str, *others: str) -> str:
    """The longest common beginning that does not end inside a tag."""
    return _without_open_tag(same_beginning(first, *others))


def common_end(first: str, *others: str) -> str:
    """The longest common end that does not begin inside a tag."""
    return from_first_tag(_raw_common_end(first, *others), only_if_cut=True)


def _raw_common_end(*texts: str) -> str:
    return same_beginning(*(text[::-1] for text in texts))[::-1]


def from_first_tag(text: str, *, only_if_cut: bool = False) -> str:
    """A text without what stands before its first tag.

    Args:
        text: the text.
        only_if_cut: leave out only what belongs to a tag whose beginning is missing.
    """
    while True:
        ends = [
            index for index, letter in enumerate(text) if letter in _OPENING and _OPENING[letter] not in text[:index]
        ]
        if not ends:
            break
        text = text[ends[0] + 1 :]
    if only_if_cut:
        return text
    starts = [index for opening in _CLOSING if (index := text.find(opening)) >= 0]
    return text[min(starts) :] if starts else ""


def _without_open_tag(text: str) -> str:
    for opening, closing in _CLOSING.items():
        start = text.rfind(opening)
        if start >= 0 and closing not in text[start:]:
            text = text[:start]
    return text
