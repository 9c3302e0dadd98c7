"""From sampled tokens to pieces of text, and the events of a sequence's start and end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.dialogue.output import Channel
from service.engine.request.events import (
    Accepted,
    Finished,
    FinishReason,
    Piece,
    Timings,
    TokenRecord,
)

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.output.parsed import Output
    from service.engine.request.sequence import RunningSequence
    from service.sampling.sampler import SampledToken


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a sequence is over, and what matched. The fields are those of ``Finished``."""

    reason: FinishReason
    stop_text: bytes | None = None
    stop_token: int | None = None
    eos_token: int | None = None


def append_token(
    sequence: RunningSequence, sampled: SampledToken, token_bytes: bytes, *, is_eos: bool
) -> tuple[Piece | None, Ending | None]:
    """Take the token that was just sampled.

    Args:
        sequence: it has counted the token already.
        sampled: the token.
        token_bytes: its bytes, empty for an end-of-generation token.
        is_eos: whether it is one.

    Returns:
        The output, None while a character is incomplete; and the ending, None if the sequence goes on. The last
        piece holds all text that was held back.
    """
    request = sequence.request
    is_stop_token = sampled.id in request.stop_tokens
    step = sequence.text.push(b"" if is_stop_token else token_bytes)
    if request.want_tokens:
        sequence.held_records.append(_record(sampled, token_bytes))
    is_full = sequence.max_tokens is not None and sequence.sampled >= sequence.max_tokens
    is_over = is_eos or is_stop_token or is_full or step.stop_text is not None
    text = step.text
    if is_over and step.stop_text is None:
        text = (text or "") + sequence.text.flush()
    stop_text = step.stop_text
    if text and ("\n" in text or sequence.lines.needs_all):
        whole = text
        text, ends_line = sequence.lines.push(whole, sequence.generating_s)
        is_full, is_over = is_full or ends_line, is_over or ends_line
        # What was cut off may have been in front of the stop text.
        stop_text = stop_text if len(text) == len(whole) else None
    output = None if text is None else Piece(text, _take_records(sequence), sequence.index)
    if not is_over:
        return output, None
    return output, _ending(sampled, stop_text, is_full=is_full, is_stop_token=is_stop_token, is_eos=is_eos)


def append_parsed(
    sequence: RunningSequence, sampled: SampledToken, token_bytes: bytes, *, is_eos: bool
) -> tuple[list[Output], Ending | None]:
    """As ``append_token``, for a sequence whose output is parsed: any number of pieces and parts of calls."""
    request, parsed = sequence.request, sequence.parsed
    assert parsed is not None
    is_stop_token = sampled.id in request.stop_tokens
    record = _record(sampled, token_bytes) if request.want_tokens else None
    output, stop_text = parsed.push(sampled.id, b"" if is_stop_token or is_eos else token_bytes, record, is_eos=is_eos)
    is_full = sequence.max_tokens is not None and sequence.sampled >= sequence.max_tokens
    ends_line = ends_with_line(sequence, output)
    is_full |= ends_line
    if stop_text is None:
        if not (is_eos or is_stop_token or is_full):
            return output, None
        rest, stop_text = parsed.end()
        if not ends_line:
            ends_with_line(sequence, rest)
            output += rest
    return output, _ending(sampled, stop_text, is_full=is_full, is_stop_token=is_stop_token, is_eos=is_eos)


def ends_with_line(sequence: RunningSequence, output: list[Output]) -> bool:
    """Note the lines of parsed output; whether the sequence ends in it, which then loses what comes behind.

    How lines of code are indented matters in content alone.
    """
    for place, part in enumerate(output):
        if isinstance(part, Piece):
            is_free = part.channel is Channel.REASONING
            text, is_over = sequence.lines.push(part.text, sequence.generating_s, is_free=is_free)
            if len(text) < len(part.text):
                output[place:] = [replace(part, text=text)] if text or part.tokens else []
            if is_over:
                return True
    return False


def _record(sampled: SampledToken, token_bytes: bytes) -> TokenRecord:
    return TokenRecord(
        sampled.id,
        token_bytes,
        sampled.probabilities,
        sampled.logprob,
        sampled.top_logprobs,
        probability=sampled.probability,
    )


def _ending(
    sampled: SampledToken, stop_text: bytes | None, *, is_full: bool, is_stop_token: bool, is_eos: bool
) -> Ending:
    """Why a sequence is over with the token that was just sampled."""
    return Ending(
        FinishReason.LENGTH if is_full and stop_text is None else FinishReason.STOP,
        stop_text=stop_text,
        stop_token=sampled.id if is_stop_token and not is_eos else None,
        eos_token=sampled.id if is_eos else None,
    )


def flush(sequence: RunningSequence) -> Piece | None:
    """The text that is still held back when a sequence ends between two tokens; None without any."""
    text, _ = sequence.lines.push(sequence.text.flush(), sequence.generating_s)
    records = _take_records(sequence)
    return Piece(text, records, sequence.index) if text or records else None


def accepted(slot: Slot, sequence: RunningSequence) -> Accepted:
    """The first event of a request, for its first sequence."""
    return Accepted(
        slot_id=slot.id,
        prompt_tokens=sequence.n_prompt,
        cached_prompt_tokens=sequence.n_cached,
        queued_s=sequence.started_s - sequence.task.arrived_s,
        truncated_prompt_tokens=sequence.n_truncated,
    )


def timings(sequence: RunningSequence, now_s: float) -> Timings:
    """Where the time of a sequence went until now."""
    first_token_s = sequence.first_token_s if sequence.first_token_s is not None else now_s
    return Timings(
        prompt_tokens=sequence.n_prompt - sequence.n_cached,
        prompt_s=first_token_s - sequence.started_s,
        decoded_tokens=sequence.sampled,
        decode_s=now_s - first_token_s,
        cached_tokens=sequence.n_cached,
        draft_tokens=sequence.n_drafted,
        draft_accepted=sequence.n_draft_accepted,
    )


def finished(slot: Slot, sequence: RunningSequence, ending: Ending, now_s: float) -> Finished:
    """The last event of a sequence that ends by itself; its task must count it as open still."""
    return Finished(
        reason=ending.reason,
        stop_text=ending.stop_text,
        stop_token=ending.stop_token,
        eos_token=ending.eos_token,
        truncated=sequence.truncated,
        tokens_evaluated=sequence.n_prompt,
        tokens_predicted=sequence.sampled,
        tokens_cached=max(0, len(slot.items) - sequence.n_system),
        cached_prompt_tokens=sequence.n_cached,
        n_keep=sequence.n_keep,
        seed=sequence.sampler.seed,
        max_tokens=sequence.max_tokens,
        slot_id=slot.id,
        timings=timings(sequence, now_s),
        n_calls=0 if sequence.parsed is None else sequence.parsed.parser.n_calls,
        reasoning_tokens=None if sequence.parsed is None else sequence.parsed.n_reasoning,
        image_tokens=sequence.n_media,
        has_line_break=sequence.lines.has_break,
        index=sequence.index,
        is_last=sequence.task.n_open == 1,
    )


def _take_records(sequence: RunningSequence) -> tuple[TokenRecord, ...]:
    records = tuple(sequence.held_records)
    sequence.held_records.clear()
    return records
