"""The forms of a prompt: a text, token ids, a mix of both, or several prompts at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.base64_text import read_base64
from rest_adapter.apis.common.fields import read_list, read_str, read_token_id, refusal
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from slotline.v1.embedding_pb2 import EmbedInput
    from slotline.v1.prompt_pb2 import PromptParts

MAX_PROMPTS = 4096
#: Bytes that the prompts of a body may repeat in all, because its options go to the core with each of them.
MAX_REPEATED_BYTES = 32 << 20
_FIELD = "prompt"
_TEXT, _FILES = "prompt_string", "multimodal_data"
_FORMS = f"a string, an array of strings and token ids, an object with {_TEXT}, or an array of prompts"
#: Where a picture stands in a ``prompt_string`` that comes with pictures.
MEDIA_MARKER = "<__media__>"
_PART = re.compile(r"parts\.parts\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in a prompt.

    Attributes:
        path: of it in the body.
        data: its file.
    """

    path: str
    data: bytes


Part = str | tuple[int, ...] | Picture


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt.

    Attributes:
        parts: its texts, runs of token ids and pictures in order.
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

    def picture_at(self, path: str) -> str | None:
        """The path in the body of the picture at a path in one request, or None if it is no picture of this prompt."""
        found = _PART.match(path)
        part = self.parts[int(found[1])] if found and int(found[1]) < len(self.parts) else None
        return part.path if isinstance(part, Picture) else None

    def path_of_echo(self, path: str) -> str:
        """The path in the body for a path in a ``DetokenizeRequest`` with ids of this prompt."""
        # Positions among the parts say nothing about positions in the array that they were made of.
        return self.name + path.removeprefix("ids") if len(self.parts) == 1 else self.name


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of one body. If ``is_multiple``, the answer is a list of results, even of one."""

    items: tuple[Prompt, ...]
    is_multiple: bool = False


def read_prompts(
    value: object, name: str = _FIELD, limit: int = MAX_PROMPTS, *, takes_pictures: bool = False
) -> Prompts:
    """The prompts in a field.

    An array of several elements is one prompt if one of them is a number, and several prompts otherwise. A missing or
    empty prompt acts as one blank.

    Args:
        value: what the field has.
        name: of the field.
        limit: how many prompts there may be.
        takes_pictures: whether prompts may have pictures.

    Raises:
        InvalidRequest: the value has another form, or there are more than ``limit``.
    """
    if isinstance(value, list) and len(value) > 1 and not any(is_number(element) for element in value):
        if len(value) > limit:
            raise InvalidRequest(name, f"{len(value)} prompts are more than the {limit} allowed")
        items = (read_prompt(f"{name}[{i}]", element, takes_pictures) for i, element in enumerate(value))
        return Prompts(tuple(items), is_multiple=True)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        return Prompts((Prompt(_read_parts(f"{name}[0]", value[0]), value, f"{name}[0]"),))
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return Prompts((read_prompt(f"{name}[0]", value[0], takes_pictures),))
    return Prompts((read_prompt(name, "" if value is None else value, takes_pictures),))


def read_prompt(name: str, value: object, takes_pictures: bool = False) -> Prompt:
    """One prompt: a string, an array of strings and token ids, or an object with either, and maybe pictures.

    An empty one acts as one blank.
    """
    if value == "" or value == []:
        return Prompt((" ",), " ", name)
    if isinstance(value, str):
        return Prompt((value,), value, name)
    if isinstance(value, list):
        return Prompt(_read_parts(name, value), value, name)
    if isinstance(value, dict):
        return _read_object(name, value, takes_pictures)
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
    """Append texts, runs of token ids and pictures."""
    for part in parts:
        if isinstance(part, str):
            target.parts.add(text=part)
        elif isinstance(part, Picture):
            target.parts.add().image.data = part.data
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


def _read_object(name: str, value: Mapping[str, object], takes_pictures: bool) -> Prompt:
    """A prompt in an object. What is repeated of one with pictures is nothing, as with ``image_data``."""
    text, files = value.get(_TEXT), value.get(_FILES)
    if text is None:
        raise refusal(name, value, _FORMS)
    if isinstance(text, dict):
        raise refusal(f"{name}.{_TEXT}", text, "a string, or an array of strings and token ids")
    if files is None:
        return read_prompt(f"{name}.{_TEXT}", text)
    if not takes_pictures:
        raise InvalidRequest(f"{name}.{_FILES}", "pictures are not taken here; use /completion or a chat", UNSUPPORTED)
    pieces = read_str(f"{name}.{_TEXT}", text).split(MEDIA_MARKER)
    entries = read_list(f"{name}.{_FILES}", files, "files in base64")
    if len(entries) != len(pieces) - 1:
        raise InvalidRequest(
            f"{name}.{_FILES}",
            f"has {len(entries)} files for {len(pieces) - 1} markers; write {MEDIA_MARKER} into {_TEXT} once for each",
        )
    return Prompt(tuple(_with_pictures(f"{name}.{_FILES}", pieces, entries)), "" if entries else text or " ", name)


def _with_pictures(name: str, pieces: Sequence[str], entries: Sequence[object]) -> Iterator[Part]:
    """Texts with a picture behind each but the last. The first stays if it is empty: BOS is put in front of it."""
    yield pieces[0] if entries else pieces[0] or " "
    for i, (entry, piece) in enumerate(zip(entries, pieces[1:], strict=True)):
        path = f"{name}[{i}]"
        yield Picture(path, read_base64(path, read_str(path, entry)))
        if piece:
            yield piece


def is_number(value: object) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
