"""What the core says of fields, with the names that they have in a body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slotline.protocol import reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rest_adapter.errors import RpcFailure

#: Paths in the text of an error.
_PATH = re.compile(r"\b(?:chat|output)(?:\.[a-z_]+(?:\[\d+\])?)+")
#: A path, of several fields at least, with which a text begins, and the colon behind it.
_REFUSED = re.compile(r"([a-z_]+(?:\[\d+\])?(?:\.[a-z_]+(?:\[\d+\])?)+): ")
#: Words of the contract that bodies have in another form, and how OpenAI writes them.
OPENAI_WORDS: Mapping[str, str] = {
    "TOOL_MODE_NONE": '"none"',
    "TOOL_MODE_AUTO": '"auto"',
    "TOOL_MODE_REQUIRED": '"required"',
}
_WORD = re.compile("|".join(OPENAI_WORDS))


def name_in_body(path: str, names: Iterable[tuple[str, str]]) -> str | None:
    """The path in a body for a path in a message. What follows the field, for example an index or a condition, stays.

    Args:
        path: in a message.
        names: fields of messages, and the path in the body of each. The first that has the path counts.

    Returns:
        The path, or None if no field has it.
    """
    for field, name in names:
        if path == field or path.startswith((f"{field}.", f"{field}[", f"{field} ")):
            return name + path.removeprefix(field)
    return None


def of_refused_field(failure: RpcFailure) -> RpcFailure:
    """A failure that is a field's, if its text begins with the path of one: trying again is in vain then.

    Such as a picture for a model that takes none.
    """
    found = _REFUSED.match(failure.message) if failure.reason == reasons.NOT_SUPPORTED else None
    return failure if found is None else failure.of_field(found[1], failure.message[found.end() :])


def told_of_body(
    failure: RpcFailure, rename: Callable[[str], str], words: Mapping[str, str] = OPENAI_WORDS
) -> RpcFailure:
    """A failure of the core as it fits a body, with the names that fields have there also in descriptions.

    Args:
        failure: what the core says.
        rename: gives the name for the path of a field.
        words: how the API writes the words of the contract.
    """

    failure = of_refused_field(failure)

    def reworded(text: str) -> str:
        named = _PATH.sub(lambda found: rename(found[0]), text)
        return _WORD.sub(lambda found: words[found[0]], named)

    return failure.renamed(rename, reworded)
