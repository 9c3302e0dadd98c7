"""Constraints on the generated text, under the names that OpenAI, vLLM, SGLang and llama.cpp's server have for them.

The option ``grammar`` is read by ``options``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_bool, read_list, read_object, read_str, refusal
from rest_adapter.errors import INVALID_TYPE, UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import encode_in_order, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest

#: Fields of bodies by the kind of their constraint; those of one kind mean the same.
GRAMMARS = ("guided_grammar", "ebnf")
CHOICES = ("guided_choice", "choice")
REGEXES = ("guided_regex", "regex")
SCHEMAS = ("json_schema", "guided_json")
OUTPUTS = "structured_outputs"
#: Keys of ``structured_outputs``: constraints, and how JSON is written.
OUTPUT_KINDS = ("choice", "grammar", "json", "json_object", "regex")
OUTPUT_SWITCHES = ("disable_additional_properties", "disable_any_whitespace", "disable_fallback")
WHITESPACE = "whitespace_pattern"
RESPONSE_FORMAT = "response_format"


def read_constraints(
    request: GenerateRequest, body: Mapping[str, object], form: tuple[str, object] | None = None
) -> str:
    """Set the constraint that a body asks for, of which there may be one.

    Args:
        request: has the option ``grammar`` already.
        body: the JSON body, of any route that generates.
        form: path and value of the field that has the form of the answer, where that is not ``response_format``.

    Returns:
        The field that asked for it, for errors of the core.

    Raises:
        InvalidRequest: a field has a value that is not allowed or not supported, or there are several.
    """
    reader = _Reader(request)
    for names, read in (
        (GRAMMARS, reader.grammar),
        (CHOICES, reader.choice),
        (REGEXES, reader.regex),
        (SCHEMAS, reader.schema),
    ):
        for name in names:
            if body.get(name) is not None:
                read(name, body[name])
    if body.get(OUTPUTS) is not None:
        reader.outputs(read_object(OUTPUTS, body[OUTPUTS]))
    name, value = (RESPONSE_FORMAT, body.get(RESPONSE_FORMAT)) if form is None else form
    if value is not None:
        reader.response_format(name, read_object(name, value))
    return reader.field


def path_of_constraint(path: str, field: str) -> str:
    """The path in the body for a path in the message, which differs if it is in a constraint from ``field``."""
    own = next((own for own in _PATHS if path.startswith(own)), None)
    return path if own is None else field + path.removeprefix(own)


_PATHS = (
    "constraint.choice.texts",
    *(f"constraint.{kind}" for kind in ("gbnf", "json_object", "json_schema", "lark", "regex")),
)


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

    def regex(self, name: str, value: object) -> None:
        regex = read_str(name, value)
        if not regex:
            raise InvalidRequest(name, '"" is empty; send a regular expression, or leave it out')
        self._take(name)
        self._request.constraint.regex = regex

    def schema(self, name: str, value: object) -> None:
        """A schema, or its text; an empty one allows every object."""
        if not isinstance(value, dict | str):
            raise refusal(name, value, "a JSON Schema, an object or its text", INVALID_TYPE)
        self._take(name)
        if value == {}:
            self._request.constraint.json_object.SetInParent()
        else:
            self._request.constraint.json_schema = value if isinstance(value, str) else encode_in_order(value)

    def outputs(self, fields: Mapping[str, object]) -> None:
        known = {*OUTPUT_KINDS, *OUTPUT_SWITCHES, WHITESPACE, "structural_tag"}
        for key, value in fields.items():
            name = f"{OUTPUTS}.{key}"
            if key not in known:
                raise InvalidRequest(name, f"is not known; allowed are {', '.join(sorted(known))}", UNSUPPORTED)
            if value is not None:
                self._output(key, name, value)

    def response_format(self, form: str, fields: Mapping[str, object]) -> None:
        kind = fields.get("type")
        if kind == "text":
            return
        self._refuse_second(form)
        match kind:
            case "json_object" if fields.get("schema") is None:
                self.schema(form, {})
            case "json_object":
                self._response_schema(f"{form}.schema", fields["schema"])
            case "json_schema" if fields.get("json_schema") is None and fields.get("schema") is not None:
                self._response_schema(f"{form}.schema", fields["schema"])
            case "json_schema":
                name = f"{form}.json_schema"
                wrapper = read_object(name, fields.get("json_schema"))
                if wrapper.get("strict") is not None:
                    read_bool(f"{name}.strict", wrapper["strict"])
                self._response_schema(f"{name}.schema", wrapper.get("schema"))
            case _:
                raise refusal(f"{form}.type", kind, '"text", "json_object" or "json_schema"')

    def _response_schema(self, name: str, value: object) -> None:
        self.schema(name, read_object(name, value))

    def _output(self, key: str, name: str, value: object) -> None:
        style = self._request.constraint.json_style
        match key:
            case "choice":
                self.choice(name, value)
            case "grammar":
                self.grammar(name, value)
            case "regex":
                self.regex(name, value)
            case "json":
                self.schema(name, value)
            case "json_object":
                if read_bool(name, value):
                    self.schema(name, {})
            case "whitespace_pattern":
                style.whitespace_pattern = read_str(name, value)
            case "structural_tag":
                raise InvalidRequest(name, f"{show(value)} is not supported; leave it out", UNSUPPORTED)
            case "disable_fallback":
                # There is nothing to fall back to.
                read_bool(name, value)
            case _:
                if read_bool(name, value):
                    setattr(style, key, True)

    def _take(self, name: str) -> None:
        self._refuse_second(name)
        self.field = name

    def _refuse_second(self, name: str) -> None:
        if self._request.constraint.WhichOneof("kind") is not None:
            raise InvalidRequest(name, f"is not allowed together with {self.field}; send one of them")
