"""The choices of an OpenAI answer while they grow, and the counts of their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import Ending, unfinished
from slotline.v1.generation_pb2 import FINISH_REASON_TOOL_CALLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rest_adapter.json.encoding import Encoded, JsonObject
    from slotline.v1.generation_pb2 import Finished


class Choice:
    """One of the answers, as far as it has come.

    Args:
        index: number of the choice in the answer.

    Attributes:
        texts: the pieces of text of an answer that is not streamed.
        probabilities: the entries of ``completion_probabilities`` that have not been sent yet.
        finished: how it ended, None until it has.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.texts: list[str] = []
        self.probabilities: list[Encoded] = []
        self.finished: Finished | None = None

    def end(self) -> Finished:
        """How it ended.

        Raises:
            RpcFailure: it has not.
        """
        if self.finished is None:
            raise unfinished()
        return self.finished

    def finish_reason(self) -> str:
        """What the OpenAI API calls the way it ended."""
        end = self.end()
        if end.reason == FINISH_REASON_TOOL_CALLS:
            return "tool_calls"
        return "length" if Ending.of(end).is_limit else "stop"


def usage_json(calls: Iterable[Sequence[Choice]]) -> JsonObject:
    """The token counts of an answer, with what was left out of prompts that did not fit.

    Args:
        calls: the finished choices of each call to the core.
    """
    prompt = completion = cached = truncated = images = 0
    reasoning: int | None = None
    for choices in calls:
        ends = [choice.end() for choice in choices]
        # Sequences of a call end in any order, and the last ``Finished`` has the counts of all.
        totals = next((end.usage for end in ends if end.HasField("usage")), None)
        prompt += totals.prompt_tokens if totals else ends[0].tokens_evaluated
        completion += totals.completion_tokens if totals else sum(end.tokens_predicted for end in ends)
        cached += totals.cached_prompt_tokens if totals else 0
        truncated += totals.truncated_prompt_tokens if totals else 0
        images += totals.image_tokens if totals else 0
        if totals and totals.HasField("reasoning_tokens"):
            reasoning = (reasoning or 0) + totals.reasoning_tokens
    details = {"cached_tokens": cached}
    if truncated:
        details["truncated_tokens"] = truncated
    if images:
        details["image_tokens"] = images
    usage: JsonObject = {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "prompt_tokens_details": details,
        "total_tokens": prompt + completion,
    }
    if reasoning is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return usage
