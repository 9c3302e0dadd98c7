"""The choices of an answer in the OpenAI form, while they grow, and the tokens that they took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rest_adapter.translate.jsontext import JsonObject
from rest_adapter.translate.outcome import Outcome, unfinished
from slotline.v1.generation_pb2 import Finished
from slotline.v1.tokens_pb2 import Token


class Choice:
    """What has come for one of the answers.

    Args:
        index: number of the choice in the answer.

    Attributes:
        texts: the pieces of text of an answer that is not streamed.
        tokens: the records that have not been sent yet.
        finished: how it ended, None until it has.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.texts: list[str] = []
        self.tokens: list[Token] = []
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
        """The word for how it ended."""
        return "length" if Outcome.of(self.end()).is_limit else "stop"


def usage_json(calls: Iterable[Sequence[Choice]], *, tells_cached: bool = True) -> JsonObject:
    """The token counts of an answer.

    Args:
        calls: the finished choices of each call to the core.
        tells_cached: whether to count the prompt tokens that a cache stood for, if there are any.
    """
    prompt = completion = cached = 0
    for choices in calls:
        ends = [choice.end() for choice in choices]
        # The last Finished counts for all sequences of a call; they end in any order.
        totals = next((end.usage for end in ends if end.HasField("usage")), None)
        prompt += totals.prompt_tokens if totals else ends[0].tokens_evaluated
        completion += totals.completion_tokens if totals else sum(end.tokens_predicted for end in ends)
        cached += totals.cached_prompt_tokens if totals else 0
    usage: JsonObject = {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
    }
    if cached and tells_cached:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return usage
