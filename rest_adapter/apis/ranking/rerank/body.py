"""What a body of POST /rerank has."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from rest_adapter.json.number_bounds import UINT32

_Text = Annotated[str, Meta(min_length=1)]
_Count = Annotated[int, Meta(ge=1)]
_Tokens = Annotated[int, Meta(ge=1, le=UINT32[1])]


class Document(Struct):
    """A document in the form of Jina and Cohere."""

    text: _Text


class RerankBody(Struct):
    """The fields of llama.cpp's server, Jina, Cohere and Text Embeddings Inference."""

    query: Annotated[_Text, Meta(description="What is looked for.")]
    documents: Annotated[
        list[_Text | Document] | None, Meta(description="Texts to score, or objects with a text each.")
    ] = None
    texts: Annotated[
        list[_Text] | None,
        Meta(description="The same in the form of Text Embeddings Inference: the answer is an array then."),
    ] = None
    model: Annotated[
        str | None, Meta(description="Repeated in the answer; any name will do. Without one, it is that of /v1/models.")
    ] = None
    top_n: Annotated[_Count | None, Meta(description="Most results; all of them without it.")] = None
    return_documents: Annotated[bool | None, Meta(description="Repeat the text of each document in its result.")] = None
    return_text: Annotated[bool | None, Meta(description="The same for texts.")] = None
    raw_scores: Annotated[
        bool | None,
        Meta(description="Scores as the model gives them, without bounds; false puts them between 0 and 1."),
    ] = None
    truncate: Annotated[
        bool | None, Meta(description="Shorten texts that are too long beside the query; otherwise they are refused.")
    ] = None
    truncation_direction: Annotated[
        Literal["Left", "left", "Right", "right"] | None,
        Meta(description="Which end of a text is cut: its beginning (left), or its end, as without this."),
    ] = None
    max_tokens_per_doc: Annotated[
        _Tokens | None, Meta(description="Most tokens of a text; what is more is cut. No limit without it.")
    ] = None
