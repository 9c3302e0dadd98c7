"""What answers of chats and text completions have in each shape beside what the OpenAI API asks for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.timings import with_times
from rest_adapter.apis.common.tokens import token_logprobs, token_probabilities_now
from rest_adapter.version import slotline_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rest_adapter.json.encoding import Encoded, JsonObject
    from slotline.v1.generation_pb2 import Finished
    from slotline.v1.tokens_pb2 import Token


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form of answers in one shape.

    Attributes:
        repeats_model: answers call the model what the request calls it; otherwise by its name in the core.
        envelope: fields that all answers and chunks have.
        tells_times: whole answers, and the chunks that end one, have the times.
        first_delta: what the first chunk of a chat has.
        token: the log-probabilities of a token of a chat.
    """

    repeats_model: bool = True
    envelope: Mapping[str, str] = field(default_factory=dict)
    tells_times: bool = False
    first_delta: Mapping[str, Any] = field(default_factory=lambda: {"role": "assistant"})
    token: Callable[[Token], Encoded] = token_logprobs

    def timed(self, answer: JsonObject, end: Finished) -> JsonObject:
        """What ends an answer, with its times if they are told."""
        return with_times(answer, end) if self.tells_times else answer

    def told_model(self, asked: str) -> str:
        """The model's name for answers, from what the request calls it; empty for its name in the core."""
        return asked if self.repeats_model else ""


def _token_now(token: Token) -> Encoded:
    return token_probabilities_now(token, is_after_samplers=False)


_FORMS: Mapping[ApiShape, AnswerForm] = {
    ApiShape.OF_2024: AnswerForm(),
    ApiShape.NOW: AnswerForm(
        repeats_model=False,
        # Clients look for the "b" of a build.
        envelope={"system_fingerprint": f"build-slotline-{slotline_version()}"},
        tells_times=True,
        first_delta={"content": None, "role": "assistant"},
        token=_token_now,
    ),
}


def answer_form(shape: ApiShape, *, tells_times: bool) -> AnswerForm:
    """The form of answers in a shape; with ``tells_times``, which a body asks for, they have the times in any case."""
    form = _FORMS[shape]
    return replace(form, tells_times=True) if tells_times and not form.tells_times else form
