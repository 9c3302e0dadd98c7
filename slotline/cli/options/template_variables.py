"""``--chat-template-kwargs``: variables for the chat template, as a JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from service.prompts.templates import RESERVED
from slotline.cli.options.values import InvalidValue
from slotline.protocol.excerpt import quoted
from slotline.protocol.thinking import ENABLE_THINKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALLOWED = """allowed is a JSON object, for example {"enable_thinking": false}"""
_SHOWN_CHARACTERS = 60


def template_variables(name: str, value: str) -> Mapping[str, Any]:
    """The variables by their names.

    Raises:
        InvalidValue: no JSON object, or one that sets what the server sets, or no bool where one is needed.
    """
    shown = quoted(value, _SHOWN_CHARACTERS)
    try:
        variables = json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidValue(f"{name} {shown} is not JSON; {_ALLOWED}") from None
    if not isinstance(variables, dict):
        raise InvalidValue(f"{name} {shown} is not an object; {_ALLOWED}")
    if reserved := sorted(RESERVED & variables.keys()):
        raise InvalidValue(f"{name} {shown} sets {reserved[0]!r}, which the server sets itself; leave it out")
    switch = variables.get(ENABLE_THINKING, False)
    if not isinstance(switch, bool):
        raise InvalidValue(
            f"{name} {shown} sets {ENABLE_THINKING!r} to {json.dumps(switch)[:_SHOWN_CHARACTERS]}; allowed are true "
            "and false"
        )
    return variables


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
