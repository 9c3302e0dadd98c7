"""Fields that would change the answer, but are not supported here: they are refused by name, never ignored.

They are fields of the OpenAI API, of vLLM and of llama.cpp's server of today. Values that change nothing are accepted.
Hints and records (``user``, ``metadata``, ``prediction``) are ignored, and so are fields that none of these servers
has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import show
from rest_adapter.json.number_bounds import INT32

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A field that is refused.

    Attributes:
        name: key in the JSON body.
        does: what it would do, to be read after "It would".
        harmless: values that change nothing; null is always one.
        most: integers of 32 bits up to this one change nothing; None if no number does.
        advice: what to do instead.
    """

    name: str
    does: str
    harmless: tuple[object, ...] = ()
    most: int | None = None
    advice: str = "leave it out"

    def changes_nothing(self, value: object) -> bool:
        """Whether an answer is the same with this value as without the field."""
        if value is None or any(_is_same(value, one) for one in self.harmless):
            return True
        if self.most is None or isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return INT32[0] <= value <= self.most and value == int(value)


def refuse_unsupported(body: Mapping[str, object], fields: Iterable[Unsupported]) -> None:
    """Refuse a body that asks for what is not supported.

    Raises:
        InvalidRequest: one of the fields has a value that would change the answer.
    """
    for field in fields:
        value = body.get(field.name)
        if value is not None and not field.changes_nothing(value):
            raise InvalidRequest(field.name, f"{show(value)} is not supported; {field.advice}", UNSUPPORTED)


def _is_same(value: object, other: object) -> bool:
    # True is 1 for Python, but not for JSON.
    return isinstance(value, bool) == isinstance(other, bool) and value == other


_CONSTRAINTS = (
    Unsupported("structural_tag", "constrain parts of the text", advice="leave it out, or send a grammar"),
    Unsupported("grammar_lazy", "begin with the grammar later", (False,)),
    Unsupported("grammar_triggers", "begin with the grammar later", ([],)),
    Unsupported("preserved_tokens", "show control tokens in the text", ([],)),
)
#: Only routes that generate obey it.
LORA = Unsupported(
    "lora",
    "scale LoRA adapters for this request",
    ([],),
    advice="leave it out; POST /lora-adapters scales them for everybody",
)
_SAMPLING = (
    Unsupported("use_beam_search", "search with beams", (False,)),
    Unsupported("allowed_token_ids", "allow no other tokens", advice="leave it out, or send logit_bias"),
    Unsupported("bad_words", "ban texts", ([],), advice="leave it out, or send logit_bias"),
    Unsupported("logits_processors", "change the logits", ([],)),
    Unsupported(
        "n_discard",
        "set how much a context shift discards",
        most=0,
        advice="leave it out: each shift costs all that run, so that always half is discarded",
    ),
)
_OUTPUT = (
    Unsupported("skip_special_tokens", "show control tokens in the text", (True,)),
    Unsupported("spaces_between_special_tokens", "join control tokens without blanks", (True,)),
    Unsupported("return_token_ids", "tell the token ids", (False,), advice="send return_tokens to /completion"),
    Unsupported("return_tokens_as_token_ids", "tell token ids instead of texts", (False,)),
)
#: Fields that have no place in answers of other APIs than the native one.
_NATIVE_OUTPUT = (
    Unsupported("return_tokens", "tell the token ids", (False,), advice="send it to /completion"),
    Unsupported("response_fields", "leave fields out of the answer", ([],), advice="send it to /completion"),
    Unsupported(
        "post_sampling_probs", "tell other probabilities", (False,), advice="leave it out; n_probs tells these"
    ),
)
_PROMPT = (
    Unsupported(
        "truncate_prompt_tokens", "shorten the prompt to so many tokens", advice="leave it out, or send truncate"
    ),
)

_PROMPT_LOGPROBS = Unsupported(
    "prompt_logprobs",
    "tell the log-probabilities of the prompt",
    (False,),
    advice="it is a field of /v1/completions; send the prompt there",
)


def _no_image_data(advice: str) -> Unsupported:
    return Unsupported("image_data", "put pictures into the prompt", ([],), advice=advice)


GENERATING: tuple[Unsupported, ...] = (*_CONSTRAINTS, *_SAMPLING, *_OUTPUT, *_PROMPT)
"""What no route that generates obeys."""

_EMPTY: tuple[object, ...] = ([], {}, "", False, 0)
OPENAI: tuple[Unsupported, ...] = (
    *GENERATING,
    *_NATIVE_OUTPUT,
    Unsupported("web_search_options", "search the web"),
    Unsupported("modalities", "answer with other things than text", ([], ["text"]), advice='allowed is ["text"]'),
)
"""What neither OpenAI route that generates obeys, besides tools."""

CHAT: tuple[Unsupported, ...] = (
    *OPENAI,
    _no_image_data("leave it out, and send pictures as parts of messages"),
    Unsupported("chat_template", "render the messages in another way", advice="leave it out; --chat-template sets it"),
    Unsupported("documents", "give texts to the template", ([],)),
    Unsupported(
        "parse_tool_calls",
        "leave tool calls in the text",
        (True,),
        advice='leave it out, or send "none" as tool_choice',
    ),
    Unsupported("generation_prompt", "parse the answer as if it began so", ("",)),
    Unsupported("add_special_tokens", "put the model's BOS in front of the rendered messages", (False,)),
    Unsupported("echo", "repeat the last message", (False,)),
    Unsupported("best_of", "choose among more answers than n", most=1),
    _PROMPT_LOGPROBS,
)
"""What POST /v1/chat/completions does not obey."""

_NOT_KEPT = "leave it out, and send the whole conversation as input: the server keeps nothing"
RESPONSES: tuple[Unsupported, ...] = (
    Unsupported("previous_response_id", "go on with an answer that was kept", advice=_NOT_KEPT),
    Unsupported("conversation", "go on with a conversation that was kept", advice=_NOT_KEPT),
    Unsupported("background", "answer later", (False,)),
    Unsupported("prompt", "use a prompt that was kept", advice="leave it out, and send instructions and input"),
    Unsupported("context_management", "shorten the conversation in other ways", ([],), advice="send truncation"),
    Unsupported("messages", "be a conversation", ([],), advice="send input"),
    Unsupported("response_format", "constrain the text", ({"type": "text"},), advice="send text.format"),
    Unsupported("max_tokens", "limit the answer", advice="send max_output_tokens"),
    Unsupported("max_completion_tokens", "limit the answer", advice="send max_output_tokens"),
    Unsupported("reasoning_effort", "say how hard to think", advice="send reasoning.effort"),
    Unsupported("logprobs", "tell log-probabilities", (False,), advice="send top_logprobs or include"),
    Unsupported("n", "give several answers", most=1),
    Unsupported("n_probs", "tell probabilities", most=0, advice="send top_logprobs"),
    Unsupported("functions", "offer functions", ([],), advice="send tools"),
    Unsupported("add_generation_prompt", "leave out the beginning of the answer", (True,)),
    Unsupported("continue_final_message", "go on with the last message", (False,)),
    Unsupported("n_cmpl", "give several answers", most=1),
    *CHAT,
)
"""What POST /v1/responses does not obey."""

MESSAGES: tuple[Unsupported, ...] = (
    *GENERATING,
    *_NATIVE_OUTPUT,
    Unsupported("timings_per_token", "tell the times with every event", (False,)),
    Unsupported("return_progress", "tell how much of the prompt is evaluated", (False,)),
    _no_image_data("leave it out, and send pictures as blocks of messages"),
    Unsupported("response_format", "constrain the text", ({"type": "text"},), advice="send output_config.format"),
    Unsupported("reasoning_effort", "set how hard to think", advice="send output_config.effort"),
    Unsupported("enable_thinking", "turn reasoning on or off", advice="send thinking"),
    Unsupported("chat_template_kwargs", "set variables of the template", ({},)),
    Unsupported("chat_template", "render the messages in another way", advice="leave it out; --chat-template sets it"),
    Unsupported("functions", "offer functions", ([],), advice="send tools"),
    Unsupported("n_predict", "limit the tokens of the answer", advice="send max_tokens"),
    Unsupported("n_probs", "tell probabilities", most=0, advice="send it to /v1/chat/completions"),
    Unsupported("logprobs", "tell log-probabilities", (False,), advice="send it to /v1/chat/completions"),
    Unsupported("top_logprobs", "tell log-probabilities", most=0, advice="send it to /v1/chat/completions"),
    Unsupported("n", "give several answers", most=1),
    Unsupported("n_cmpl", "give several answers", most=1),
    Unsupported("best_of", "choose among several answers", most=1),
    Unsupported("echo", "repeat the last message", (False,)),
    _PROMPT_LOGPROBS,
)
"""What POST /v1/messages does not obey."""

TEXT: tuple[Unsupported, ...] = (
    *OPENAI,
    _no_image_data("send it to /completion, or pictures as parts of messages to /v1/chat/completions"),
    Unsupported("add_special_tokens", "leave out the model's BOS", (True,)),
    Unsupported("prompt_embeds", "take vectors as the prompt"),
)
"""What POST /v1/completions does not obey."""

NATIVE: tuple[Unsupported, ...] = (
    *GENERATING,
    Unsupported("response_format", "constrain the text", ({"type": "text"},), advice="send json_schema"),
    Unsupported("best_of", "choose among several answers", most=1),
    Unsupported("top_logprobs", "tell log-probabilities", (False, 0), advice="send n_probs"),
    Unsupported("echo", "repeat the prompt", (False,)),
    _PROMPT_LOGPROBS,
    Unsupported(
        "messages",
        "be a conversation",
        _EMPTY,
        advice="this route takes prompt; conversations are for /v1/chat/completions",
    ),
)
"""What POST /completion does not obey."""

INFILL: tuple[Unsupported, ...] = (
    *NATIVE,
    _no_image_data("leave it out; /completion takes it"),
)
"""What POST /infill does not obey."""

EMBEDDING: tuple[Unsupported, ...] = (
    LORA,
    Unsupported("truncate", "shorten inputs that do not fit; they are refused", (False,)),
    Unsupported("truncate_prompt_tokens", "shorten inputs to so many tokens"),
    Unsupported("normalize", "scale the vectors", (True,), advice="send embd_normalize"),
    Unsupported("add_special_tokens", "leave out the tokens that the model wants around a text", (True,)),
    Unsupported("messages", "be a conversation", _EMPTY),
)
"""What neither route for embeddings obeys."""

NATIVE_EMBEDDING: tuple[Unsupported, ...] = (
    *EMBEDDING,
    Unsupported("encoding_format", "give the vectors in base64", ("float",), advice="send it to /v1/embeddings"),
)
"""What POST /embedding does not obey."""
