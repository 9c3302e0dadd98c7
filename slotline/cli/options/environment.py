"""Environment variables in place of options: ``SLOTLINE_CTX_SIZE=2048`` is ``--ctx-size 2048``.

The variable of an option is named after its first long name. The command line wins: if it has the option, or another
one for the same setting, the variable is not looked up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slotline.cli.options import suggestions
from slotline.cli.options.llama_variables import API_KEY as LLAMA_API_KEY
from slotline.cli.options.llama_variables import PREFIX as LLAMA_PREFIX
from slotline.cli.options.offers import Offer, put_behind
from slotline.cli.options.table import Group, Option, Parsed, long_name, parse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

PREFIX = "SLOTLINE_"
#: Read by compose.yaml, and by nothing else.
_OTHER_USES = frozenset({"SLOTLINE_MODELS"})
_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}

#: Kubernetes tells every container where the services of its namespace are. A service named slotline, or with a name
#: that begins so, makes SLOTLINE_PORT=tcp://10.0.0.1:8080 and others, as Docker's links once did: no settings of ours.
_LINK = re.compile(r"(tcp|udp|sctp)://\S*")
_LINK_NAME = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")


def variables(groups: Sequence[Group]) -> dict[str, Option]:
    """The options of these groups by the names of their variables."""
    named = {variable_of(option): option for group in groups for option in group.options}
    # Asking for help is no setting.
    named.pop(f"{PREFIX}HELP", None)
    return named


def variable_of(option: Option) -> str:
    """The name of the variable that stands for an option."""
    return PREFIX + long_name(option).removeprefix("--").replace("-", "_").upper()


def parse_with_environment(
    groups: Sequence[Group], arguments: Sequence[str], environment: Mapping[str, str], known: Collection[str]
) -> Parsed:
    """Read arguments, and variables for what they leave out.

    Args:
        groups: the options of the command.
        arguments: the command line.
        environment: all variables.
        known: variables of all commands. There is a warning for any other whose name begins like ours.

    Raises:
        HelpRequested: help was asked for before anything wrong was met.
        UsageError: an argument or a variable is wrong; the text names it.
    """
    given = parse(groups, arguments)
    offers, warnings = [], _unknown(environment, known)
    for variable, option in variables(groups).items():
        value = environment.get(variable)
        if value is None:
            continue
        if not _is_link(variable, value):
            offers.append(Offer(variable, option, value))
        elif not given.settles(option):
            warnings.append(
                f"the environment variable {variable} is {value}, a link that Kubernetes makes for a service of this "
                f"name, and has no effect; use {long_name(option)}, or set enableServiceLinks to false"
            )
    return put_behind(given, offers, _SWITCH, warnings)


def without_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a process whose command line says everything."""
    return {
        name: value
        for name, value in environment.items()
        if not suggestions.begins_like(name, PREFIX) and not name.startswith(LLAMA_PREFIX) and name != LLAMA_API_KEY
    }


def _is_link(name: str, value: str) -> bool:
    """Whether a variable is one that Kubernetes makes for a service."""
    if name.endswith("_PORT") and _LINK.fullmatch(value):
        return True
    return _LINK_NAME.fullmatch(name) is not None


def _unknown(environment: Mapping[str, str], known: Collection[str]) -> list[str]:
    warnings = []
    for name in sorted(environment):
        if name in known or name in _OTHER_USES or _is_link(name, environment[name]):
            continue
        near = suggestions.nearest_variable(name, known, PREFIX)
        if near is not None or name.startswith(PREFIX):
            advice = f"nearest is {near}" if near is not None else "`slotline help COMMAND` lists the options"
            warnings.append(f"the environment variable {name} is no option and has no effect; {advice}")
    return warnings
