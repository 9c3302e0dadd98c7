"""What the routes for scores have in common in OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.pairs import MAX_TEXTS
from rest_adapter.apis.common.structs import schema_of
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.openapi.schema_types import COUNT, Schema, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Struct

    from rest_adapter.apis.common.unsupported import Unsupported

USAGE = record({"prompt_tokens": COUNT, "total_tokens": COUNT})


def body_with_texts(kind: type[Struct], names: tuple[str, str], refused: Sequence[Unsupported]) -> Schema:
    """A body, and how many texts the fields with these names may have in an array."""
    schema = schema_of(kind)
    for name in names:
        for form in schema["properties"][name]["anyOf"]:
            if form.get("type") == "array":
                form |= {"minItems": 1, "maxItems": MAX_TEXTS}
    return schema | {"properties": schema["properties"] | unsupported(refused)}
