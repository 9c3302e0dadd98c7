"""POST /infill: one request for the gap between two texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.fields import refusal
from rest_adapter.apis.common.prompt import Part, Prompt, put_parts, read_mixed
from rest_adapter.apis.common.unsupported import INFILL, refuse_unsupported
from rest_adapter.apis.native.completion.request import CompletionCall, read_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slotline.v1.prompt_pb2 import PromptParts


def read_infill(
    body: Mapping[str, object], *, shape: ApiShape = ApiShape.OF_2024, truncates: bool | None = None
) -> CompletionCall:
    """Read a body. Its ``prompt`` is not used, only repeated in the answer.

    Args:
        body: the JSON body.
        shape: whose defaults and ways to write options count.
        truncates: shorten prompts that do not fit, unless the body says otherwise; None for in the shape of 2024 alone.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, INFILL)
    call = read_call(body, (Prompt((), _infill_echo(body.get("prompt")), "prompt"),), shape, truncates=truncates)
    (request,) = call.requests
    request.infill.SetInParent()
    _put_side(request.infill.prefix, "input_prefix", body)
    _put_side(request.infill.suffix, "input_suffix", body)
    return call


def _put_side(target: PromptParts, name: str, body: Mapping[str, object]) -> None:
    """One side of the gap: a string, or an array of strings and token ids; empty if it is missing."""
    value = body.get(name)
    parts: Sequence[Part]
    if value is None or isinstance(value, str):
        parts = (value or "",)
    elif isinstance(value, list):
        parts = read_mixed(name, value)
    else:
        raise refusal(name, value, "a string or an array of strings and token ids")
    put_parts(target, [part for part in parts if part])


def _infill_echo(value: object) -> object:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        # Only as a check: it is repeated, so it must be a prompt.
        read_mixed("prompt", value)
        return value
    raise refusal("prompt", value, "a string or an array of strings and token ids")
