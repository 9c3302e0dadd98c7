"""The facts about every option of a generation: default, ranges, when it is off, words.

They are declared once, on the fields of ``protos/slotline/v1`` as ``(slotline.v1.option)``, and written from there into
``table`` and ``plain_options`` by ``make generate``. Nothing here imports protobuf, so that a terminal program starts
at once. Imports nothing from elsewhere.
"""

from slotline.options.facts import ANY, SEEDS, Kind, OptionFacts, Range, Value
from slotline.options.table import OPTIONS

#: By the name in the REST API.
BY_NAME = {option.name: option for option in OPTIONS}
#: By the path of the field in a ``GenerateRequest``.
BY_PATH = {option.path: option for option in OPTIONS if option.path}
_SWITCHES = {option.sampler: option for option in OPTIONS if option.sampler}


def sampler_names() -> tuple[str, ...]:
    """All samplers by their names, in their usual order."""
    names = BY_NAME["samplers"].default
    assert isinstance(names, tuple)
    return names


def usual_samplers() -> tuple[str, ...]:
    """The chain of a request that names no samplers; those that joined later are left out: they act if they are on."""
    return tuple(name for name in sampler_names() if not _is_later(switch_of(name)))


def switch_of(sampler: str) -> OptionFacts:
    """The option that turns a sampler on."""
    return _SWITCHES.get(sampler) or BY_NAME[sampler]


def _is_later(option: OptionFacts) -> bool:
    return bool(option.sampler) or option.reported_if_on


def max_items(name: str) -> int:
    """Most entries of the list that is the option ``name``.

    Raises:
        KeyError: there is no such option, or no such limit on it.
    """
    return _limit(name, BY_NAME[name].max_items)


def max_bytes(name: str) -> int:
    """Most bytes of the text, or of all texts, that are the option ``name``.

    Raises:
        KeyError: there is no such option, or no such limit on it.
    """
    return _limit(name, BY_NAME[name].max_bytes)


def maximum(name: str) -> int:
    """Largest whole number that the server takes for the option ``name``.

    Raises:
        KeyError: there is no such option, or no such limit on it.
    """
    return _limit(name, BY_NAME[name].allowed.max)


def _limit(name: str, limit: float | None) -> int:
    if limit is None:
        raise KeyError(f"the option {name} has no limit of that kind")
    return int(limit)


__all__ = [
    "ANY",
    "BY_NAME",
    "BY_PATH",
    "OPTIONS",
    "SEEDS",
    "Kind",
    "OptionFacts",
    "Range",
    "Value",
    "max_bytes",
    "max_items",
    "maximum",
    "sampler_names",
    "switch_of",
    "usual_samplers",
]
