"""The facts about every option of a generation: default, ranges, when it is off, words.

They are declared once, on the fields of ``protos/slotline/v1`` as ``(slotline.v1.option)``, and written from there into
``table`` and ``plain_options`` by ``make generate``. Nothing here imports protobuf, so that a terminal program starts
at once. Imports nothing from elsewhere.
"""

from slotline.options.facts import ANY, Kind, OptionFacts, Range, Value
from slotline.options.table import OPTIONS

#: By the name in the REST API.
BY_NAME = {option.name: option for option in OPTIONS}
#: By the path of the field in a ``GenerateRequest``.
BY_PATH = {option.path: option for option in OPTIONS if option.path}

__all__ = ["ANY", "BY_NAME", "BY_PATH", "OPTIONS", "Kind", "OptionFacts", "Range", "Value"]
