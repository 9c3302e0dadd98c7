"""The forms of a prompt: a text, token ids, a mix of both, or several prompts at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_token_id, refusal
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slotline.v1.embedding_pb2 import EmbedInput
    from slotline.v1.prompt_pb2 import PromptParts

MAX_PROMPTS = 4096
#: Bytes that the prompts of a body may repeat in all, because its options go to the core with each of them.
MAX_REPEATED_BYTES = 32 << 20
_FIELD = "prompt"
_FORMS = "a string, an array of strings and token ids, or an array of prompts"

Part = str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt.

    Attributes:
        parts: its texts and runs of token ids in order.
        echo: the JSON value that answers repeat.
        name: its path in the body, for errors.
    """

    parts: tuple[Part, ...]
    echo: object
    name: str

    def path_of(self, path: str) -> str:
        """The path in the body for a path in one request: ``prompt[1][5]`` for ``prompt[5]`` of the second prompt."""
        rest = path.removeprefix(_FIELD)
        is_inside = rest != path and (not rest or rest[0] in "[. ")
        return self.name + rest if is_inside else path

    def path_of_echo(self, path: str) -> str:
        """The path in the body for a path in a ``DetokenizeRequest`` with ids of this prompt."""
        # Positions among the parts say nothing about positions in the array that they were made of.
        return self.name + path.removeprefix("ids") if len(self.parts) == 1 else self.name


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of one body. If ``is_multiple``, the answer is a list of results, even of one."""

    items: tuple[Prompt, ...]
    is_multiple: bool = False


def read_prompts(value: object, name: str = _FIELD, limit: int = MAX_PROMPTS) -> Prompts:
    """The prompts in a field.

    An array of several elements is one prompt if one of them is a number, and several prompts otherwise. A missing or
    empty prompt acts as one blank.

    Raises:
        InvalidRequest: the value has another form, or there are more than ``limit``.
    """
    if isinstance(value, list) and len(value) > 1 and not any(is_number(element) for element in value):
        if len(value) > limit:
            raise InvalidRequest(name, f"{len(value)} prompts are more than the {limit} allowed")
        items = tuple(read_prompt(f"{name}[{i}]", element) for i, element in enumerate(value))
        return Prompts(items, is_multiple=True)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        return Prompts((Prompt(_read_parts(f"{name}[0]", value[0]), value, f"{name}[0]"),))
    return Prompts((read_prompt(name, "" if value is None else value),))


def read_prompt(name: str, value: object) -> Prompt:
    """One prompt: a string, or an array of strings and token ids. An empty one acts as one blank."""
    if value == "" or value == []:
        return Prompt((" ",), " ", name)
    if isinstance(value, str):
        return Prompt((value,), value, name)
    if isinstance(value, list):
        return Prompt(_read_parts(name, value), value, name)
    raise refusal(name, value, _FORMS)


def requests_for(template: GenerateRequest, prompts: Prompts) -> tuple[GenerateRequest, ...]:
    """A copy of the template for each prompt, with that prompt.

    Raises:
        InvalidRequest: the template sets the system prompt although there are several prompts, or it is too large to
            be sent with each of them.
    """
    if prompts.is_multiple and template.HasField("system_prompt"):
        # The prompts run at the same time, but a system prompt can change only while nothing runs.
        raise InvalidRequest("system_prompt", "cannot be set together with several prompts; set it with one prompt")
    check_repeated(len(prompts.items), template.ByteSize())
    requests = tuple(GenerateRequest() for _ in prompts.items)
    for request, prompt in zip(requests, prompts.items, strict=True):
        request.CopyFrom(template)
        put_prompt(request, prompt)
    return requests


def check_repeated(n_prompts: int, n_bytes: int) -> None:
    """Check how much several prompts repeat.

    Args:
        n_prompts: how many prompts there are.
        n_bytes: what is sent with each of them besides the prompt.

    Raises:
        InvalidRequest: it is too much in all.
    """
    if n_prompts > 1 and n_prompts * n_bytes > MAX_REPEATED_BYTES:
        raise InvalidRequest(
            _FIELD,
            f"{n_prompts} prompts repeat the {n_bytes} bytes of the other fields; allowed is a product of at most "
            f"{MAX_REPEATED_BYTES}: send fewer prompts at once",
        )


def put_prompt(request: GenerateRequest | EmbedInput, prompt: Prompt) -> None:
    """Set the prompt of a request, or the input to embed, which has the same forms."""
    match prompt.parts:
        case (str(text),):
            request.text = text
        case (tuple(ids),):
            request.token_ids.ids.extend(ids)
        case parts:
            put_parts(request.parts, parts)


def put_parts(target: PromptParts, parts: Sequence[Part]) -> None:
    """Append texts and runs of token ids."""
    for part in parts:
        if isinstance(part, str):
            target.parts.add(text=part)
        else:
            target.parts.add().token_ids.ids.extend(part)


def read_mixed(name: str, values: Sequence[object]) -> tuple[Part, ...]:
    """Strings and token ids in order; neighbouring ids form one part."""
    parts: list[Part] = []
    ids: list[int] = []
    for i, value in enumerate(values):
        if isinstance(value, str):
            if ids:
                parts.append(tuple(ids))
                ids = []
            parts.append(value)
        elif is_number(value):
            ids.append(read_token_id(f"{name}[{i}]", value))
        else:
            raise refusal(f"{name}[{i}]", value, "a string or a token id")
    if ids:
        parts.append(tuple(ids))
    return tuple(parts)


def _read_parts(name: str, value: list[object]) -> tuple[Part, ...]:
    parts = read_mixed(name, value)
    if len(parts) > 1 and all(isinstance(part, str) for part in parts):
        raise refusal(name, value, "one prompt: several strings would be several prompts inside another list")
    if parts in ((), ("",)):
        return (" ",)
    return parts


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
