"""Log-probabilities of prompts in the answers of POST /v1/completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rest_adapter.apis.openai.completions.prompt_logprobs import EchoedTokens
from rest_adapter.apis.openai.completions.reply import MAX_PROMPT_ENTRIES, TextCompletionReply
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import FINISH_REASON_STOP, GenerateResponse
from slotline.v1.tokens_pb2 import Token, TokenLogprob
from tests.unit.rest_adapter.messages import accepted, delta, finished, piece, prompt_tokens, token

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject


def first(content: bytes) -> Token:
    """The first token of a prompt."""
    return Token(id=content[0], piece=content)


def known(content: bytes, logprob: float, *top: tuple[bytes, float], rank: int = 1) -> Token:
    """A token whose log-probability is known."""
    candidates = [TokenLogprob(id=other[0], piece=other, logprob=value) for other, value in top]
    return Token(id=content[0], piece=content, logprob=logprob, top_logprobs=candidates, rank=rank)


def reply_to(*echoes: str, **body: object) -> TextCompletionReply:
    call = read_text_completion({"prompt": list(echoes), **body})
    return TextCompletionReply(call, echoes, completion_id="cmpl-1", created=1709110000)


def feed_all(reply: TextCompletionReply, *responses: GenerateResponse, number: int = 0) -> list[JsonObject]:
    return [event for response in responses for event in reply.feed(number, response)]


@pytest.mark.parametrize(
    ("echo", "pieces", "offsets"),
    [
        ("abc", [b"a", b"bc"], [0, 1]),
        # A BOS and a blank that the model puts in front are not in the text.
        ("abc", [b"<s>", b"a", b"bc"], [0, 0, 1]),
        ("abc", [b"<s>", b" a", b"bc"], [0, 0, 1]),
        ("<s>a", [b"<s>", b"a"], [0, 3]),
        (" ab", [b" a", b"b"], [0, 2]),
        # A character of several tokens.
        ("a\u00e9b", [b"a", b"\xc3", b"\xa9", b"b"], [0, 1, 1, 2]),
        ("a<|end|>b", [b"a", b"<|end|>", b"b"], [0, 1, 8]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 9])
def test_tokens_stand_where_their_text_begins(echo: str, pieces: list[bytes], offsets: list[int], size: int) -> None:
    echoed = EchoedTokens(echo)
    text, found = "", []
    for start in range(0, len(pieces), size):
        tokens = [first(content) for content in pieces[start : start + size]]
        part, lists = echoed.take(tokens, is_last=start + size >= len(pieces))
        text += part
        found += (lists.json() or {})["text_offset"]
    assert (text, found) == (echo, offsets)


def test_the_prompts_tokens_come_before_the_answers() -> None:
    reply = reply_to("ab", echo=True, logprobs=1, n=2)
    messages = (
        accepted(),
        prompt_tokens(first(b"a")),
        prompt_tokens(known(b"b", -2.0, (b"x", -0.5), rank=3)),
        delta(piece("c", token(b"c", logprob=-0.25))),
        delta(piece("d", token(b"d", logprob=-0.75)), index=1),
        finished(),
        finished(index=1),
    )
    assert feed_all(reply, *messages) == []
    one, two = reply.result()["choices"]
    assert (one["text"], two["text"]) == ("abc", "abd")
    assert one["logprobs"] == {
        "text_offset": [0, 1, 2],
        "token_logprobs": [None, -2.0, -0.25],
        "tokens": ["a", "b", "c"],
        "top_logprobs": [None, {"x": -0.5, "b": -2.0}, {"c": -0.25}],
    }
    assert two["logprobs"]["tokens"] == ["a", "b", "d"]
    assert "prompt_logprobs" not in one


def test_a_stream_tells_them_as_they_come() -> None:
    reply = reply_to("ab", echo=True, logprobs=0, stream=True)
    events = feed_all(
        reply,
        accepted(),
        prompt_tokens(first(b"a")),
        prompt_tokens(known(b"b", -2.0)),
        delta(piece("c", token(b"c", logprob=-0.25))),
        finished(),
    )
    shown = [event["choices"][0] for event in events]
    assert [choice["text"] for choice in shown] == ["a", "b", "c", ""]
    tokens = [(choice["logprobs"] or {"tokens": [], "text_offset": []}) for choice in shown]
    assert [(entry["tokens"], entry["text_offset"]) for entry in tokens] == [
        (["a"], [0]),
        (["b"], [1]),
        (["c"], [2]),
        ([], []),
    ]


def test_there_is_an_entry_for_every_token_whether_it_has_text_or_not() -> None:
    """Harnesses leave out the last entry as the generated one, whatever that was."""
    reply = reply_to("a", echo=True, logprobs=0, max_tokens=1)
    end = piece("", token(b"", logprob=-0.5))
    feed_all(reply, accepted(prompt_tokens=1), prompt_tokens(first(b"a")), delta(end))
    feed_all(reply, finished(FINISH_REASON_STOP, eos_token_id=2))
    (choice,) = reply.result()["choices"]
    assert choice["text"] == "a"
    assert choice["logprobs"]["token_logprobs"] == [None, -0.5]


def test_what_a_stop_text_cut_off_is_left_out() -> None:
    reply = reply_to("a", echo=True, logprobs=0)
    cut = delta(piece("b", token(b"b", logprob=-0.5)), piece("", token(b"END", logprob=-0.25)))
    feed_all(reply, accepted(prompt_tokens=1), prompt_tokens(first(b"a")), cut)
    feed_all(reply, finished(FINISH_REASON_STOP, stop_text="END"))
    (choice,) = reply.result()["choices"]
    assert choice["logprobs"]["tokens"] == ["a", "b"]


def test_nothing_needs_to_be_generated() -> None:
    reply = reply_to("ab", echo=True, logprobs=0, max_tokens=0)
    feed_all(reply, accepted(), prompt_tokens(first(b"a"), known(b"b", -2.0)), finished())
    (choice,) = reply.result()["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("ab", "length")
    assert choice["logprobs"]["token_logprobs"] == [None, -2.0]


def test_prompt_logprobs_stand_beside_each_answer_by_token_id() -> None:
    reply = reply_to("ab", "c", prompt_logprobs=1, n=2)
    tokens = prompt_tokens(first(b"a"), known(b"b", -2.0, (b"x", -0.5), rank=3))
    feed_all(reply, accepted(), tokens, finished(), finished(index=1))
    feed_all(reply, accepted(), prompt_tokens(first(b"c")), finished(), finished(index=1), number=1)
    choices = reply.result()["choices"]
    expected = {
        "120": {"decoded_token": "x", "logprob": -0.5, "rank": 1},
        "98": {"decoded_token": "b", "logprob": -2.0, "rank": 3},
    }
    assert [choice["prompt_logprobs"] for choice in choices] == [[None, expected]] * 2 + [[None]] * 2
    assert [choice["logprobs"] for choice in choices] == [None] * 4


@pytest.mark.parametrize(
    ("body", "field"), [({"echo": True, "logprobs": 1}, "logprobs"), ({"prompt_logprobs": 1}, "prompt_logprobs")]
)
def test_an_answer_that_would_be_too_long_is_refused_before_it_is_made(body: dict[str, object], field: str) -> None:
    reply = reply_to("a", "b", n=2, **body)
    most = MAX_PROMPT_ENTRIES // 4
    feed_all(reply, accepted(prompt_tokens=most - 1))
    with pytest.raises(InvalidRequest, match=f"^{field}: .*{MAX_PROMPT_ENTRIES} entries"):
        feed_all(reply, accepted(prompt_tokens=2), number=1)


def test_a_stream_may_be_as_long_as_it_is() -> None:
    reply = reply_to("a", "b", n=2, echo=True, logprobs=1, stream=True)
    for number in range(2):
        assert feed_all(reply, accepted(prompt_tokens=MAX_PROMPT_ENTRIES), number=number) == []
