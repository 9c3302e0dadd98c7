"""Answers of POST /completion and POST /infill in the shape of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.answer_now import answer_now
from rest_adapter.apis.common.settings_now import NO_CHAT, Asked, settings_now
from rest_adapter.apis.common.timings import progress_timings, prompt_progress, with_times
from rest_adapter.apis.common.tokens import token_probabilities_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rest_adapter.apis.native.completion.outcome import Outcome
    from rest_adapter.apis.native.completion.request import CompletionCall
    from rest_adapter.json.encoding import Encoded, JsonObject
    from slotline.v1.generation_pb2 import Piece, PromptProgress
    from slotline.v1.tokens_pb2 import Token


class ShapeNow:
    """The shape of today.

    Args:
        call: the body.
    """

    def __init__(self, call: CompletionCall) -> None:
        output = call.requests[0].output
        self._call = call
        #: Candidates of each token; before the samplers they are log-probabilities.
        self._n_probs = output.n_probs if call.wants_post_sampling else output.top_logprobs

    def progress(self, outcome: Outcome, progress: PromptProgress) -> JsonObject:
        """As of ``CompletionShape``."""
        event = self._event(outcome, "", ()) | {"prompt_progress": prompt_progress(progress)}
        return event | {"timings": progress_timings(progress)} if self._call.extras.tells_times else event

    def piece(self, outcome: Outcome, piece: Piece) -> JsonObject:
        """As of ``CompletionShape``."""
        event = with_times(self._event(outcome, piece.text, piece.tokens), piece)
        if self._n_probs:
            event["completion_probabilities"] = self._probabilities(piece.tokens)
        return event

    def keep(self, outcome: Outcome, piece: Piece) -> None:
        """As of ``CompletionShape``."""
        outcome.keep(piece)
        if self._n_probs:
            outcome.probabilities += self._probabilities(piece.tokens)

    def final(self, outcome: Outcome) -> JsonObject:
        """As of ``CompletionShape``. In a stream, text, tokens and probabilities have been in the events before."""
        end, call = outcome.end, self._call
        asked = Asked(
            is_stream=call.is_stream,
            timings_per_token=call.extras.tells_times,
            post_sampling_probs=call.wants_post_sampling,
            n_probs=self._n_probs,
            parts=NO_CHAT,
        )
        answer = answer_now(
            outcome.accepted,
            end,
            index=outcome.index,
            settings=settings_now(end.settings, asked),
            content="".join(outcome.texts),
            token_ids=outcome.token_ids if call.wants_token_ids else (),
        )
        if self._n_probs and not call.is_stream:
            answer["completion_probabilities"] = outcome.probabilities
        return answer

    def several(self, answers: Sequence[JsonObject]) -> object:
        """As of ``CompletionShape``."""
        return answers

    def _event(self, outcome: Outcome, text: str, tokens: Iterable[Token]) -> JsonObject:
        return {
            "content": text,
            "id_slot": outcome.accepted.slot_id,
            "index": outcome.index,
            "stop": False,
            "tokens": [token.id for token in tokens],
            "tokens_evaluated": outcome.accepted.prompt_tokens,
            "tokens_predicted": outcome.n_tokens,
        }

    def _probabilities(self, tokens: Iterable[Token]) -> list[Encoded]:
        is_after = self._call.wants_post_sampling
        return [token_probabilities_now(token, is_after_samplers=is_after) for token in tokens]
