"""Answers of POST /completion and POST /infill in the shape of 2024."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import Ending
from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.apis.common.timings import prompt_progress, timings_2024, timings_now
from rest_adapter.apis.common.tokens import token_probabilities, token_probabilities_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rest_adapter.apis.native.completion.outcome import Outcome
    from rest_adapter.apis.native.completion.request import CompletionCall
    from rest_adapter.json.encoding import Encoded, JsonObject
    from slotline.v1.generation_pb2 import Piece, PromptProgress
    from slotline.v1.tokens_pb2 import Token


class Shape2024:
    """The shape of 2024. What the body asks for that is newer has its own form of today.

    Args:
        call: the body.
        model: what the answers call the model; None for its name in the core.
    """

    def __init__(self, call: CompletionCall, model: str | None = None) -> None:
        self._call = call
        self._model = model
        self._wants_probabilities = call.requests[0].output.n_probs > 0
        # Whoever asks for times with each event is of today.
        self._timings = timings_now if call.extras.tells_times else timings_2024

    def progress(self, outcome: Outcome, progress: PromptProgress) -> JsonObject:
        """As of ``CompletionShape``."""
        return self._event(outcome, "") | {"prompt_progress": prompt_progress(progress)}

    def piece(self, outcome: Outcome, piece: Piece) -> JsonObject:
        """As of ``CompletionShape``."""
        event = self._event(outcome, piece.text)
        if self._wants_probabilities:
            event["completion_probabilities"] = self._keep_probabilities(outcome, piece.tokens)
        if self._call.wants_token_ids:
            event["tokens"] = [token.id for token in piece.tokens]
        if piece.HasField("timings"):
            event["timings"] = self._timings(piece.timings)
        return event

    def keep(self, outcome: Outcome, piece: Piece) -> None:
        """As of ``CompletionShape``."""
        outcome.keep(piece)
        if self._wants_probabilities:
            self._keep_probabilities(outcome, piece.tokens)

    def final(self, outcome: Outcome) -> JsonObject:
        """As of ``CompletionShape``."""
        end, call = outcome.end, self._call
        ending = Ending.of(end)
        model = outcome.accepted.model if self._model is None else self._model
        answer: JsonObject = {
            "content": "".join(outcome.texts),
            "generation_settings": generation_settings(end.settings, model=model, is_stream=call.is_stream),
            "model": model,
            "prompt": outcome.echo,
            "slot_id": end.slot_id,
            "stop": True,
            "stopped_eos": ending.is_eos,
            "stopped_limit": ending.is_limit,
            "stopped_word": ending.is_word,
            "stopping_word": ending.stop_text,
            "timings": self._timings(end.timings),
            "tokens_cached": end.tokens_cached,
            "tokens_evaluated": end.tokens_evaluated,
            "tokens_predicted": end.tokens_predicted,
            "truncated": end.truncated,
        }
        if self._wants_probabilities:
            answer["completion_probabilities"] = outcome.probabilities
        if call.wants_token_ids:
            answer["tokens"] = outcome.token_ids
        return self._numbered(outcome, answer) if call.is_stream else answer

    def several(self, answers: Sequence[JsonObject]) -> object:
        """As of ``CompletionShape``."""
        return {"results": answers}

    def _event(self, outcome: Outcome, text: str) -> JsonObject:
        event: JsonObject = {
            "content": text,
            "multimodal": outcome.accepted.takes_images,
            "slot_id": outcome.accepted.slot_id,
            "stop": False,
        }
        return self._numbered(outcome, event)

    def _numbered(self, outcome: Outcome, event: JsonObject) -> JsonObject:
        if self._call.is_multiple:
            event["index"] = outcome.index
        return event

    def _keep_probabilities(self, outcome: Outcome, tokens: Iterable[Token]) -> list[Encoded]:
        """The entries for tokens. The last event has those of all tokens once more."""
        new = [
            token_probabilities_now(token, is_after_samplers=True)
            if self._call.wants_post_sampling
            else token_probabilities(token)
            for token in tokens
        ]
        outcome.probabilities += new
        return new
