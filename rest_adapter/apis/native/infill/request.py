"""POST /infill: one request for the gap between two texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.fields import read_list, read_object, read_str, refusal
from rest_adapter.apis.common.prompt import Part, Prompt, put_parts, read_mixed
from rest_adapter.apis.common.unsupported import INFILL, refuse_unsupported
from rest_adapter.apis.native.completion.request import CompletionCall, read_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slotline.v1.prompt_pb2 import InfillPrompt


def read_infill(
    body: Mapping[str, object], *, shape: ApiShape = ApiShape.OF_2024, truncates: bool | None = None
) -> CompletionCall:
    """Read a body. In the shape of 2024 its ``prompt`` is not used, only repeated in the answer.

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
    prefix, suffix = _side("input_prefix", body), _side("input_suffix", body)
    if shape is ApiShape.NOW:
        prefix += _side("prompt", body)
        # Names of control tokens in code are code, unless the body says so.
        if body.get("parse_special") is None:
            request.parse_special = False
    put_parts(request.infill.prefix, prefix)
    put_parts(request.infill.suffix, suffix)
    _put_files(request.infill, body.get("input_extra"), is_always=shape is ApiShape.NOW)
    return call


def _put_files(infill: InfillPrompt, value: object, *, is_always: bool) -> None:
    """The other files: an array of objects, each with a text and perhaps a name."""
    if value is None and not is_always:
        return
    # Present although empty: the file with the gap is one of a repository all the same.
    infill.repository.SetInParent()
    for number, file in enumerate([] if value is None else read_list("input_extra", value, "objects with text")):
        field = f"input_extra[{number}]"
        fields = read_object(field, file)
        added = infill.repository.files.add(text=read_str(f"{field}.text", fields.get("text")))
        if fields.get("filename") is not None:
            added.name = read_str(f"{field}.filename", fields["filename"])


def _side(name: str, body: Mapping[str, object]) -> list[Part]:
    """One side of the gap: a string, or an array of strings and token ids; empty if it is missing."""
    value = body.get(name)
    parts: Sequence[Part]
    if value is None or isinstance(value, str):
        parts = (value or "",)
    elif isinstance(value, list):
        parts = read_mixed(name, value)
    else:
        raise refusal(name, value, "a string or an array of strings and token ids")
    return [part for part in parts if part]


def _infill_echo(value: object) -> object:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        # Only as a check: it is repeated, so it must be a prompt.
        read_mixed("prompt", value)
        return value
    raise refusal("prompt", value, "a string or an array of strings and token ids")
