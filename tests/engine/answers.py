"""What requests of a transcript have answered, each checked against what the model says behind its prompt.

So no transcript can be rewritten to expect a text that another request or a moved cache has disturbed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.engine.request.events import Accepted, Event, Failed, Finished, FinishReason, Piece, is_last
from service.engine.request.requests import EmbeddingRequest, GenerationRequest, Request
from service.testing.scripted_media import numbers
from service.testing.scripted_model import EOS, Script, moved_token, states
from tests.support.engine import RecordingSink, assert_scored

#: Begins the message of requests that failed by a fault which nobody foresaw.
UNFORESEEN = "internal error"


@dataclass(eq=False)
class Asked:
    """A request.

    Attributes:
        name: of the transcript.
        system: the tokens of the system prompt behind which it is answered, once it was accepted.
        n_shown: events that were described already.
    """

    name: str
    task_id: int
    request: Request
    sink: RecordingSink
    system: tuple[int, ...] = ()
    n_shown: int = 0
    was_cancelled: bool = False

    @property
    def n_sequences(self) -> int:
        """Texts that it asks for."""
        return self.request.n_sequences if isinstance(self.request, GenerationRequest) else 1

    @property
    def texts(self) -> dict[int, str]:
        """What was said so far, by number of the sequence."""
        texts: dict[int, str] = {}
        for event in self.sink.events:
            if isinstance(event, Piece):
                texts[event.index] = texts.get(event.index, "") + event.text
        return texts

    @property
    def is_evaluated(self) -> bool:
        """Whether its prompt was evaluated to the end, which is known when it has said something or finished so."""
        return any(
            isinstance(event, Piece) or (isinstance(event, Finished) and event.reason is not FinishReason.CANCELLED)
            for event in self.sink.events
        )

    def take_new_events(self) -> list[Event]:
        """Events since the last call."""
        new = self.sink.events[self.n_shown :]
        self.n_shown += len(new)
        assert not (new and self.was_cancelled), f"{self.name} was cancelled and gets events"
        assert not any(map(is_last, self.sink.events[:-1])), f"{self.name} goes on after its end"
        return new


def check_answer(asked: Asked, script: Script) -> None:
    """Check a request that is over.

    Args:
        asked: the request.
        script: of the model.
    """
    events = asked.sink.events
    if isinstance(events[-1], Failed):
        assert not events[-1].error.message.startswith(UNFORESEEN), f"{asked.name} failed by a fault of the engine"
    match asked.request:
        case EmbeddingRequest(inputs) if not isinstance(events[-1], Failed):
            # The last state: transcripts use no other pooling.
            assert np.array_equal(asked.sink.embedded.vectors, [states(numbers(items))[-1] for items in inputs])
        case GenerationRequest() as request:
            accepted = [event for event in events if isinstance(event, Accepted)]
            assert len(accepted) <= 1
            assert events[0] in (*accepted, events[-1])
            for event in events:
                if isinstance(event, Finished):
                    _check_counts(event)
                    _check_text(asked, request, event, script)
            _check_scores(asked, request)


def _check_counts(finished: Finished) -> None:
    timings = finished.timings
    assert timings.prompt_tokens == finished.tokens_evaluated - finished.cached_prompt_tokens
    assert timings.decoded_tokens == finished.tokens_predicted


def _check_scores(asked: Asked, request: GenerationRequest) -> None:
    """Scores are those of the prompt's tokens; of all of them, if it was evaluated."""
    records = asked.sink.prompt_tokens
    own = _own_prompt(asked, request)
    assert_scored(records, own, asked.system)
    if request.prompt_logprobs is None:
        assert not records
    elif asked.is_evaluated:
        assert len(records) == len(own)


def _check_text(asked: Asked, request: GenerationRequest, finished: Finished, script: Script) -> None:
    """A text is what an undisturbed model says, unless the request or a shift wanted something else."""
    is_free = request.guide is None and not request.min_tokens and request.sampling.temperature == 0
    if not is_free or _is_cut(asked, finished):
        return
    memory = [*asked.system, *_own_prompt(asked, request)]
    n_prompt = len(memory)
    while len(memory) < n_prompt + finished.tokens_predicted and EOS not in memory[n_prompt:]:
        memory.append(moved_token(script(memory), request.adapter_scales or ()))
    expected = bytes(token for token in memory[n_prompt:] if token != EOS).decode(errors="replace")
    text = asked.texts.get(finished.index, "")
    is_whole = not request.stop_texts and not request.stop_tokens and finished.reason is not FinishReason.CANCELLED
    assert expected == text if is_whole else expected.startswith(text), (asked.name, text, expected)


def _own_prompt(asked: Asked, request: GenerationRequest) -> list[int]:
    own = numbers(request.prompt)
    return own[1:] if asked.system and request.has_bos and len(own) > 1 else own


def _is_cut(asked: Asked, finished: Finished) -> bool:
    """Whether tokens of the prompt were left out, or of the context."""
    goes_on = finished.tokens_evaluated + finished.tokens_predicted > finished.tokens_cached + 1
    return asked.sink.accepted.truncated_prompt_tokens > 0 or (finished.truncated and goes_on)
