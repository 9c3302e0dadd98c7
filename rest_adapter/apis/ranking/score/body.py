"""What a body of POST /score has."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

_Text = Annotated[str, Meta(min_length=1)]


class ScoreBody(Struct):
    """The fields of vLLM's API for scores."""

    text_1: Annotated[_Text | list[_Text], Meta(description="One text for all of the others, or one for each of them.")]
    text_2: Annotated[_Text | list[_Text], Meta(description="Texts to score for the first ones.")]
    model: Annotated[
        str | None, Meta(description="Repeated in the answer; any name will do. Without one, it is that of /v1/models.")
    ] = None
    use_activation: Annotated[
        bool | None, Meta(description="Scores from 0 to 1; false gives them as the model does, without bounds.")
    ] = None
