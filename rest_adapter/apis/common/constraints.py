"""Constraints on the generated text, under the names that OpenAI, vLLM and llama.cpp's server have for them.

The option ``grammar`` is read by ``options``. Constraints by JSON Schema or regular expression are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_bool, read_list, read_object, read_str, refusal
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import encode, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest

GRAMMARS = ("guided_grammar", "ebnf")
CHOICES = ("guided_choice", "choice")
OUTPUTS = "structured_outputs"
OUTPUTS_NOT_THERE = ("json", "regex", "structural_tag", "whitespace_pattern")
OUTPUT_SWITCHES = ("disable_any_whitespace", "disable_additional_properties", "disable_fallback")


def read_constraints(request: GenerateRequest, body: Mapping[str, object]) -> str:
    """Set the constraint that a body asks for, of which there may be one.

    Args:
        request: has the option ``grammar`` already.
        body: the JSON body, of any route that generates.

    Returns:
        The field that asked for it, for errors of the core.

    Raises:
        InvalidRequest: a field has a value that is not allowed or not supported, or there are several.
    """
    reader = _Reader(request)
    for name in GRAMMARS:
        if body.get(name) is not None:
            reader.grammar(name, body[name])
    for name in CHOICES:
        if body.get(name) is not None:
            reader.choice(name, body[name])
    if body.get(OUTPUTS) is not None:
        reader.outputs(read_object(OUTPUTS, body[OUTPUTS]))
    return reader.field


def read_response_format(request: GenerateRequest, value: object) -> None:
    """Set what the field ``response_format`` of the OpenAI API asks for, after the other constraints.

    Raises:
        InvalidRequest: as ``read_constraints``.
    """
    if value is None:
        return
    fields = read_object("response_format", value)
    kind = fields.get("type")
    match kind:
        case "text":
            pass
        case "json_object":
            _refuse_second(request, "response_format")
            # An empty schema allows every object.
            if fields.get("schema") not in (None, {}):
                raise _not_there("response_format.schema", fields["schema"])
            request.constraint.json_object.SetInParent()
        case "json_schema":
            _refuse_second(request, "response_format")
            wrapper = read_object("response_format.json_schema", fields.get("json_schema"))
            schema = read_object("response_format.json_schema.schema", wrapper.get("schema"))
            request.constraint.json_schema = encode(schema).decode()
        case _:
            raise refusal("response_format.type", kind, '"text", "json_object" or "json_schema"')


def path_of_constraint(path: str, field: str) -> str:
    """The path in the body for a path in the message, which differs if it is in a grammar or choice from ``field``."""
    for own in ("constraint.gbnf", "constraint.choice.texts"):
        if path.startswith(own):
            return field + path.removeprefix(own)
    return path


class _Reader:
    """Sets one constraint, and remembers the field that asked for it."""

    def __init__(self, request: GenerateRequest) -> None:
        self._request = request
        self.field = "grammar"

    def grammar(self, name: str, value: object) -> None:
        # An empty one is none, as in the option of /completion.
        if grammar := read_str(name, value):
            self._take(name)
            self._request.constraint.gbnf = grammar

    def choice(self, name: str, value: object) -> None:
        texts = read_list(name, value, "strings")
        if not texts:
            raise InvalidRequest(name, "[] is empty; at least one text is needed")
        self._take(name)
        self._request.constraint.choice.texts.extend(read_str(f"{name}[{i}]", text) for i, text in enumerate(texts))

    def outputs(self, fields: Mapping[str, object]) -> None:
        known = {"choice", "grammar", "json_object", *OUTPUTS_NOT_THERE, *OUTPUT_SWITCHES}
        for key, value in fields.items():
            name = f"{OUTPUTS}.{key}"
            if key not in known:
                raise InvalidRequest(name, f"is not known; allowed are {', '.join(sorted(known))}", UNSUPPORTED)
            if value is None:
                continue
            if key == "choice":
                self.choice(name, value)
            elif key == "grammar":
                self.grammar(name, value)
            elif key in OUTPUTS_NOT_THERE:
                raise _not_there(name, value)
            elif read_bool(name, value):
                if key != "json_object":
                    raise _not_there(name, value)
                self._take(name)
                self._request.constraint.json_object.SetInParent()

    def _take(self, name: str) -> None:
        _refuse_second(self._request, name)
        self.field = name


def _refuse_second(request: GenerateRequest, name: str) -> None:
    if request.constraint.WhichOneof("kind") is not None:
        raise InvalidRequest(name, "is not allowed together with grammar or another constraint; send one of them")


def _not_there(name: str, value: object) -> InvalidRequest:
    return InvalidRequest(name, f"{show(value)} is not supported; leave it out, or send a GBNF grammar", UNSUPPORTED)
