"""Messages of the core for the tests of this folder."""

from __future__ import annotations

import json
from typing import Any

from grpc import StatusCode

from rest_adapter.errors import RpcFailure
from rest_adapter.json.encoding import encode
from slotline.protocol import reasons
from slotline.v1.generation_pb2 import (
    CHANNEL_CONTENT,
    CHANNEL_REASONING,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    Accepted,
    Delta,
    Finished,
    FinishReason,
    GenerateResponse,
    GenerationSettings,
    Piece,
    PromptProgress,
    PromptTokens,
    Timings,
    ToolDelta,
)
from slotline.v1.sampling_pb2 import SamplerList, SamplerType, SamplingParams
from slotline.v1.tokens_pb2 import Token, TokenProbability, Usage

MODEL = "m.gguf"


def settings(**changes: object) -> GenerationSettings:
    """The default settings as the core reports them, with changes of the sampling parameters."""
    result = GenerationSettings(
        sampling=SamplingParams(
            temperature=0.8,
            dynatemp_range=0,
            dynatemp_exponent=1,
            top_k=40,
            top_p=0.95,
            min_p=0.05,
            tfs_z=1,
            typical_p=1,
            min_keep=0,
            repeat_penalty=1.1,
            repeat_last_n=64,
            frequency_penalty=0,
            presence_penalty=0,
            penalize_nl=True,
            mirostat=0,
            mirostat_tau=5,
            mirostat_eta=0.1,
            seed=1,
            ignore_eos=False,
            samplers=SamplerList(
                samplers=[
                    SamplerType.SAMPLER_TYPE_TOP_K,
                    SamplerType.SAMPLER_TYPE_TFS_Z,
                    SamplerType.SAMPLER_TYPE_TYPICAL_P,
                    SamplerType.SAMPLER_TYPE_TOP_P,
                    SamplerType.SAMPLER_TYPE_MIN_P,
                    SamplerType.SAMPLER_TYPE_TEMPERATURE,
                ]
            ),
        ),
        n_ctx=512,
    )
    for name, value in changes.items():
        setattr(result.sampling, name, value)
    return result


def accepted(slot_id: int = 0, prompt_tokens: int = 2) -> GenerateResponse:
    return GenerateResponse(accepted=Accepted(model=MODEL, slot_id=slot_id, prompt_tokens=prompt_tokens))


def prompt_tokens(*tokens: Token) -> GenerateResponse:
    return GenerateResponse(prompt=PromptTokens(tokens=tokens))


def piece(text: str, *tokens: Token) -> Piece:
    return Piece(text=text, tokens=tokens)


def thought(text: str, *tokens: Token) -> Piece:
    return Piece(text=text, tokens=tokens, channel=CHANNEL_REASONING)


def content(text: str, *tokens: Token) -> Piece:
    return Piece(text=text, tokens=tokens, channel=CHANNEL_CONTENT)


def begun(call: int = 0, name: str = "f", arguments: str = "") -> ToolDelta:
    """The first part of a call."""
    return ToolDelta(call=call, id=f"call_{call}", name=name, arguments=arguments)


def more(arguments: str, call: int = 0) -> ToolDelta:
    """A later part of a call."""
    return ToolDelta(call=call, arguments=arguments)


def delta(*parts: str | Piece | ToolDelta, index: int = 0) -> GenerateResponse:
    """One message with pieces, and with parts of calls behind them."""
    pieces = [piece(part) if isinstance(part, str) else part for part in parts if not isinstance(part, ToolDelta)]
    calls = [part for part in parts if isinstance(part, ToolDelta)]
    return GenerateResponse(delta=Delta(index=index, pieces=pieces, tool_deltas=calls))


def progress(processed: int, total: int = 9, cached: int = 2) -> GenerateResponse:
    """How far a prompt is, after 12.9 ms."""
    message = PromptProgress(total=total, cached=cached, processed=processed)
    message.elapsed.FromMicroseconds(12_900)
    return GenerateResponse(progress=message)


def timings(decoded: int = 2) -> Timings:
    """Times so far: two tokens of the prompt in 20.5 ms, of which three were cached, and 10 ms of generating."""
    message = Timings(prompt_tokens=2, cached_prompt_tokens=3, decoded_tokens=decoded)
    message.prompt_eval.FromMicroseconds(20_500)
    message.decode.FromMicroseconds(10_000)
    return message


def token(content: bytes, *candidates: tuple[bytes, float], logprob: float | None = None) -> Token:
    return Token(
        piece=content,
        logprob=logprob,
        probabilities=[TokenProbability(piece=other, probability=probability) for other, probability in candidates],
    )


def finished(
    reason: FinishReason.ValueType = FINISH_REASON_LENGTH,
    *,
    index: int = 0,
    stop_text: str | None = None,
    eos_token_id: int | None = None,
    stop_token_id: int | None = None,
    predicted: int = 2,
    usage: Usage | None = None,
) -> GenerateResponse:
    end = Finished(
        index=index,
        reason=reason,
        usage=usage,
        tokens_evaluated=2,
        tokens_predicted=predicted,
        tokens_cached=3,
        settings=settings(),
        slot_id=0,
        timings=Timings(prompt_tokens=2, decoded_tokens=2),
    )
    end.timings.prompt_eval.FromMicroseconds(20_500)
    end.timings.decode.FromMicroseconds(11_200)
    if stop_text is not None:
        end.stop_text = stop_text
    if eos_token_id is not None:
        end.eos_token_id = eos_token_id
    if stop_token_id is not None:
        end.stop_token_id = stop_token_id
    return GenerateResponse(finished=end)


def stopped_at_eos(index: int = 0) -> GenerateResponse:
    return finished(FINISH_REASON_STOP, eos_token_id=2, index=index)


def plain(value: object) -> Any:
    """A value as a client reads it: what is JSON text already is a value again."""
    return json.loads(encode(value))


def invalid_argument(*paths: str) -> RpcFailure:
    """The core refuses these fields of a message."""
    violations = tuple((path, "is wrong") for path in paths)
    return RpcFailure(StatusCode.INVALID_ARGUMENT, reasons.INVALID_ARGUMENT, "is wrong", violations=violations)
