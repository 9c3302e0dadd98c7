"""Requests whose size the sender chose in order to hold others up: some are answered, some refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Adversary:
    """One request.

    Attributes:
        name: what it is, in a few words.
        path: where it is sent.
        make_body: makes the body; called when it is needed, because some are large.
        piece: bytes of a chunk, for a body that is sent in chunks; 0 for a body with a length.
    """

    name: str
    path: str
    make_body: Callable[[], bytes]
    piece: int = 0


def _listed(name: str, value: bytes, count: int, rest: str = "") -> Callable[[], bytes]:
    return lambda: b'{"%s":[' % name.encode() + b",".join([value] * count) + b"]" + rest.encode() + b"}"


def _text(name: str, n_bytes: int, piece: bytes = b"word ", rest: str = "") -> Callable[[], bytes]:
    return lambda: b'{"%s":"' % name.encode() + piece * (n_bytes // len(piece)) + b'"' + rest.encode() + b"}"


def _keys(name: str, count: int) -> Callable[[], bytes]:
    return lambda: b'{"%s":{' % name.encode() + b",".join(b'"%d":1' % key for key in range(count)) + b"}}"


def _fields(**fields: object) -> Callable[[], bytes]:
    return lambda: json.dumps(fields).encode()


_SHORT = ',"n_predict":1'
_PAIR = b"[%d,-1.5]"

#: The first ones are larger than the server reads; the others are as large or costly as it takes, or nearly so.
ADVERSARIES: tuple[Adversary, ...] = (
    Adversary("31 M ids in a prompt, 62 MB", "/completion", _listed("prompt", b"1", 31_000_000)),
    Adversary("refused JSON of 60 MB", "/completion", lambda: b'{"prompt":[' + b"[]," * 20_000_000 + b"]}"),
    Adversary("text of 60 MB", "/completion", _text("prompt", 60_000_000, rest=_SHORT)),
    Adversary("object of 5 M keys", "/completion", _keys("a", 5_000_000)),
    Adversary("2 M biases", "/completion", _listed("logit_bias", _PAIR % 7, 2_000_000, ',"prompt":"a"' + _SHORT)),
    Adversary(
        "1.4 M messages", "/v1/chat/completions", _listed("messages", b'{"role":"user","content":"a"}', 1_400_000)
    ),
    Adversary("3 M ids in a prompt", "/completion", _listed("prompt", b"1", 3_000_000)),
    Adversary("3 M ids in /detokenize", "/detokenize", _listed("tokens", b"12", 3_000_000)),
    Adversary(
        "48 tokens with 49,152 probabilities",
        "/completion",
        _fields(prompt="aaaa", n_predict=48, n_probs=49_152, ignore_eos=True),
    ),
    Adversary(
        "21 tokens with 49,152 probabilities",
        "/completion",
        _fields(prompt="aaaa", n_predict=21, n_probs=49_152, ignore_eos=True),
    ),
    Adversary(
        "the same, streamed",
        "/completion",
        _fields(prompt="aaaa", n_predict=21, n_probs=49_152, ignore_eos=True, stream=True),
    ),
    Adversary(
        "1,000 tokens with 1,000 probabilities",
        "/completion",
        _fields(prompt="aaaa", n_predict=1000, n_probs=1000, ignore_eos=True),
    ),
    Adversary(
        "16 chats of 200 tokens with 20 log-probabilities",
        "/v1/chat/completions",
        _fields(
            messages=[{"role": "user", "content": "a"}],
            n=16,
            max_tokens=200,
            logprobs=True,
            top_logprobs=20,
            ignore_eos=True,
        ),
    ),
    Adversary("65,536 ids in a prompt", "/completion", _listed("prompt", b"12345", 65_536, _SHORT)),
    Adversary("65,536 ids in /detokenize", "/detokenize", _listed("tokens", b"12345", 65_536)),
    Adversary(
        "65,536 biases",
        "/completion",
        lambda: (
            b'{"prompt":"a","n_predict":1,"logit_bias":['
            + b",".join(_PAIR % (token % 49_000) for token in range(65_536))
            + b"]}"
        ),
    ),
    Adversary("65,536 biases as an object", "/completion", _keys("logit_bias", 65_536)),
    Adversary(
        "32 ids, 2,048 inputs to embed", "/v1/embeddings", _listed("input", b"[%s]" % b",".join([b"5"] * 32), 2048)
    ),
    Adversary(
        "4,096 prompts with 8,000 biases",
        "/completion",
        lambda: (
            b'{"prompt":['
            + b",".join([b'"a"'] * 4096)
            + b'],"n_predict":1,"logit_bias":['
            + b",".join(_PAIR % token for token in range(8000))
            + b"]}"
        ),
    ),
    Adversary(
        "60,000 messages",
        "/v1/chat/completions",
        _listed("messages", b'{"role":"user","content":"a"}', 60_000, ',"max_tokens":1'),
    ),
    Adversary("one text of 7 MB", "/completion", _text("prompt", 7_000_000, rest=_SHORT)),
    Adversary("one text of 15 MB, all escapes", "/completion", _text("prompt", 15_000_000, b"\\n\\u00e9", _SHORT)),
    Adversary("one text of 7 MB in /tokenize", "/tokenize", _text("content", 7_000_000)),
    Adversary("15 MB of empty arrays", "/completion", _listed("a", b"[]", 5_000_000)),
    Adversary("15 MB of floats", "/completion", _listed("a", b"1.5", 3_750_000)),
    Adversary("15 MB of the longest whole numbers", "/completion", _listed("a", b"9" * 4300, 3_500)),
    Adversary("15 MB of arrays in arrays", "/completion", lambda: b'{"a":' + b"[" * 15_000_000),
    Adversary("15 MB with one long key", "/completion", lambda: b'{"' + b"k" * 15_000_000 + b'":1}'),
    Adversary("15 MB of blanks", "/completion", lambda: b'{"prompt":"a","n_predict":1' + b" " * 15_000_000 + b"}"),
    Adversary("a wrong value of 65,536 entries", "/completion", _listed("stop", b"[1]", 65_536)),
    Adversary("chunks of one byte, 1 MB", "/completion", _text("prompt", _MEBIBYTE, rest=_SHORT), piece=1),
)
