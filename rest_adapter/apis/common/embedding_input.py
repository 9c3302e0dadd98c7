"""The forms of one input to embed: those of a prompt, and objects as llama.cpp's server takes them."""

from __future__ import annotations

from rest_adapter.apis.common.fields import read_list, read_object, read_str, refusal
from rest_adapter.apis.common.prompt import Prompt, Prompts, read_prompt, read_prompts
from rest_adapter.errors import MISSING, InvalidRequest

_FORMS = 'a string, an array of strings and token ids, {"prompt_string": ...} or {"content": [...]}'


def read_input(name: str, value: object) -> Prompt:
    """One input: a text, an array of texts and token ids, or an object with either, or with parts of a text.

    Args:
        name: its path in the body.
        value: what is there.

    Raises:
        InvalidRequest: it has another form.
    """
    if not isinstance(value, dict):
        return read_prompt(name, value)
    if value.get("prompt_string") is not None:
        return read_prompt(name, value, takes_pictures=True)
    if value.get("content") is not None:
        return _read_content(f"{name}.content", value["content"])
    raise refusal(name, value, _FORMS)


def read_inputs(value: object, name: str, limit: int) -> Prompts:
    """One or several inputs, as ``read_prompts`` divides them; an array with an object in it has several.

    Raises:
        InvalidRequest: the value has another form, or there are more than ``limit``.
    """
    if isinstance(value, dict):
        return Prompts((read_input(name, value),))
    if not isinstance(value, list) or not any(isinstance(entry, dict) for entry in value):
        return read_prompts(value, name, limit)
    if len(value) > limit:
        raise InvalidRequest(name, f"{len(value)} inputs are more than the {limit} allowed")
    return Prompts(tuple(read_input(f"{name}[{i}]", entry) for i, entry in enumerate(value)), is_multiple=True)


def _read_content(name: str, value: object) -> Prompt:
    """Parts of a text, which are joined."""
    texts = []
    for i, entry in enumerate(read_list(name, value, "objects with type and text")):
        part = read_object(f"{name}[{i}]", entry)
        if part.get("type") != "text":
            problem = '"text"; pictures are sent as image_data'
            raise refusal(f"{name}[{i}].type", part.get("type"), problem)
        if part.get("text") is None:
            raise InvalidRequest(f"{name}[{i}].text", "is missing; send a text", MISSING)
        texts.append(read_str(f"{name}[{i}].text", part["text"]))
    prompt = read_prompt(name, "".join(texts))
    return Prompt(prompt.parts, value, name)
