"""Tokens that are tried ahead: by lookup, and by a draft model."""

from __future__ import annotations

from service.config import Lookup
from slotline.cli.options.table import Group, Value
from slotline.cli.options.values import member, number, or_words, text, whole

#: What environment variables of options without a value may be, as this one was.
_SWITCH = {"1": "on", "true": "on", "yes": "on", "0": "off", "false": "off", "no": "off"}
_LOOKUP = or_words(_SWITCH, member(Lookup))

DRAFTS = Group(
    "drafts: tokens that are tried ahead, several in one step",
    (
        Value(
            ("--lookup",),
            "[WHEN]",
            "lookup",
            _LOOKUP,
            "try ahead what followed the same words before, for faster edits, extracts and code: on (also without "
            "WHEN) while that gives more tokens in all, auto while every running request gains, off",
            bare="on",
        ),
        Value(
            ("-md", "--model-draft", "--spec-draft-model"),
            "FNAME",
            "draft_path",
            text,
            "GGUF file of a smaller model with the same vocabulary, whose guesses are tried ahead while every running "
            "request gains",
        ),
        Value(
            ("--draft-max", "--draft", "--draft-n", "--spec-draft-n-max"),
            "N",
            "draft_max",
            whole("draft_max"),
            "most tokens that the draft model guesses for a request in a step; how many it does follows from what pays",
        ),
        Value(
            ("--draft-min", "--draft-n-min", "--spec-draft-n-min"),
            "N",
            "draft_min",
            whole("draft_min"),
            "fewest tokens of a guess that is tried",
        ),
        Value(
            ("--draft-p-min", "--spec-draft-p-min"),
            "P",
            "draft_p_min",
            number("draft_p_min"),
            "a guess ends in front of a token to which the draft model gives a lower probability",
        ),
        Value(
            ("-cd", "--ctx-size-draft"),
            "N",
            "n_ctx_draft",
            whole("n_ctx_draft"),
            "context of the draft model in tokens, shared by all slots; 0 takes what it was trained with",
            default_note="as -c",
        ),
        Value(
            ("-td", "--threads-draft", "--spec-draft-threads"),
            "N",
            "n_threads_draft",
            whole("n_threads_draft"),
            "threads that compute for the draft model",
            default_note="as -t",
        ),
    ),
)
