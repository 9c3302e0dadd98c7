"""What a streamed generation looks like in each API that the REST server speaks."""

from __future__ import annotations

import base64
import dataclasses
import json
from enum import Enum
from typing import TYPE_CHECKING, Any

from bench.harness.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.load import Job


class RestForm(Enum):
    """An API, by what tables call it."""

    NATIVE = "native"
    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"


_PATHS = {
    RestForm.NATIVE: "/completion",
    RestForm.CHAT: "/v1/chat/completions",
    RestForm.RESPONSES: "/v1/responses",
    RestForm.MESSAGES: "/v1/messages",
}
#: What each calls the most tokens of an answer.
_LIMITS = {
    RestForm.NATIVE: "n_predict",
    RestForm.CHAT: "n_predict",
    RestForm.RESPONSES: "max_output_tokens",
    RestForm.MESSAGES: "max_tokens",
}


def request_of(job: Job, form: RestForm) -> tuple[str, dict[str, object]]:
    """Path and body for a job; one with a picture is a chat."""
    form = form if job.picture is None else RestForm.CHAT
    body: dict[str, object] = {
        _LIMITS[form]: job.n_tokens,
        "stream": True,
        "seed": job.seed,
        "cache_prompt": job.cache_prompt,
        "ignore_eos": True,
        **dataclasses.asdict(job.sampling),
    }
    if job.grammar:
        body["grammar"] = job.grammar
    if job.json_schema is not None:
        body["json_schema"] = job.json_schema
    if job.slot_id is not None:
        # The option's name in the documented API, and in llama-server today.
        body |= {"slot_id": job.slot_id, "id_slot": job.slot_id}
    return _PATHS[form], body | _prompt(job, form)


def _prompt(job: Job, form: RestForm) -> dict[str, object]:
    match form:
        case RestForm.NATIVE:
            return {"prompt": job.prompt}
        case RestForm.CHAT:
            return {"messages": _messages(job), "stream_options": {"include_usage": True}}
        case RestForm.RESPONSES:
            return {"model": "any", "input": job.prompt}
        case RestForm.MESSAGES:
            return {"model": "any", "messages": _messages(job)}


def _messages(job: Job) -> list[object]:
    content: str | list[object] = job.prompt
    if job.picture is not None:
        url = "data:image/png;base64," + base64.b64encode(job.picture).decode()
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": job.prompt}]
    return [{"role": "user", "content": content}]


def generated(events: Sequence[bytes], job: Job) -> int:
    """Tokens generated according to the last events of a stream.

    Raises:
        BenchError: they do not say, or not as many as were asked for.
    """
    n_tokens = None
    for event in events[-2:]:
        n_tokens = _count(json.loads(event)) or n_tokens
    if n_tokens is None:
        raise BenchError(f"the stream ended without a final event; the last one was {b''.join(events[-1:])[:500]!r}")
    if n_tokens != job.n_tokens:
        raise BenchError(f"n_predict {job.n_tokens} gave {n_tokens} tokens")
    return n_tokens


def _count(event: dict[str, Any]) -> int | None:
    """Tokens generated according to an event; None if it does not say."""
    if event.get("stop") is True:
        return int(event["tokens_predicted"])
    usage = event.get("usage") or event.get("response", {}).get("usage") or {}
    tokens = usage.get("completion_tokens", usage.get("output_tokens"))
    return None if tokens is None else int(tokens)
