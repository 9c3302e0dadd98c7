"""The file of ``--system-prompt-file``: a JSON object with the system prompt of all slots."""

from __future__ import annotations

import json

from service.config import SystemPromptText
from slotline.cli.options.files import read_bytes
from slotline.cli.options.values import InvalidValue

#: Far more than any context holds.
MAX_BYTES = 4 * 1024 * 1024
_FORM = "allowed is a JSON object with the strings prompt, anti_prompt and assistant_name, each optional"
_FIELDS = {"prompt": "text", "anti_prompt": "anti_prompt", "assistant_name": "assistant_name"}


def system_prompt_file(name: str, value: str) -> SystemPromptText:
    """The system prompt in a file.

    Raises:
        InvalidValue: the file cannot be read, or does not hold what it should.
    """
    content = _parsed(name, value, read_bytes(name, value, MAX_BYTES))
    if not isinstance(content, dict):
        raise InvalidValue(f"{name} {value}: is not an object; {_FORM}")
    return SystemPromptText(**{"text": "", **_texts(name, value, content)})


def as_file_content(prompt: SystemPromptText) -> str:
    """What a file must hold for ``system_prompt_file`` to give this system prompt."""
    return json.dumps({key: getattr(prompt, field) for key, field in _FIELDS.items()})


def _parsed(name: str, path: str, raw: bytes) -> object:
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{name} {path}: is not UTF-8: {error.reason} at byte {error.start}; {_FORM}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidValue(f"{name} {path}: is not JSON: {error.msg} at {where}; {_FORM}") from None
    except ValueError as error:
        raise InvalidValue(f"{name} {path}: is not JSON: {error}; {_FORM}") from None
    except RecursionError:
        raise InvalidValue(f"{name} {path}: is nested too deeply; {_FORM}") from None


def _texts(name: str, path: str, content: dict[str, object]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, field in _FIELDS.items():
        text = content.get(key)
        if text is None:
            continue
        if not isinstance(text, str):
            raise InvalidValue(f"{name} {path}: {key} is not a string; {_FORM}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidValue(f"{name} {path}: {key} holds half of a surrogate pair; {_FORM}") from None
        texts[field] = text
    return texts
