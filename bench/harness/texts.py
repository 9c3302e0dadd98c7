"""Texts of a known length. Equal numbers give equal texts, different ones differ from the first words on."""

from __future__ import annotations

import random

# With a blank before them each is one token of every large English vocabulary.
_VOCABULARY = """
    time year people way day man thing woman life child world school state family student group country problem hand
    part place case week company system program question work government number night point home water room mother
    area money story fact month lot right study book eye job word business issue side kind head house service friend
    father power hour game line end member law car city community name president team minute idea body information
    back parent face level office door health person art war history party result change morning reason research
"""
_WORDS = _VOCABULARY.split()


def text_of(n_tokens: int, number: int) -> str:
    """About ``n_tokens`` tokens of text; exactly as many if each word is one token of the model."""
    return " ".join(random.Random(number).choices(_WORDS, k=n_tokens))
