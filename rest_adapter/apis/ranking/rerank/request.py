"""POST /rerank: from bodies to texts to score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.pairs import UNSUPPORTED, Query, check_count
from rest_adapter.apis.common.structs import read_struct
from rest_adapter.apis.common.unsupported import refuse_unsupported
from rest_adapter.apis.ranking.rerank.body import Document, RerankBody
from rest_adapter.errors import MISSING, InvalidRequest
from slotline.v1.rerank_pb2 import TRUNCATION_END, TRUNCATION_START, RerankRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RerankCall:
    """A body of POST /rerank.

    Attributes:
        body: all of its fields.
        query: with the texts of either form.
        is_list: the answer is an array, as Text Embeddings Inference has it.
    """

    body: RerankBody
    query: Query
    is_list: bool


def read_rerank(body: Mapping[str, object]) -> RerankCall:
    """Read a body.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, UNSUPPORTED)
    fields = read_struct(body, RerankBody)
    options = _options(fields)
    if fields.documents is not None and fields.texts is not None:
        raise InvalidRequest("texts", "is not allowed together with documents; send one of them")
    name, entries = ("documents", fields.documents) if fields.texts is None else ("texts", fields.texts)
    if entries is None:
        raise InvalidRequest(name, "is missing; send an array of texts", MISSING)
    check_count(name, entries)
    texts = [entry.text if isinstance(entry, Document) else entry for entry in entries]
    places = [f"{name}[{i}].text" if isinstance(entry, Document) else f"{name}[{i}]" for i, entry in enumerate(entries)]
    query = Query(fields.query, texts, "query", places, options)
    return RerankCall(fields, query, is_list=fields.texts is not None)


def _options(fields: RerankBody) -> RerankRequest:
    """What the core is told beside the texts.

    Raises:
        InvalidRequest: beginnings of texts shall be cut, but not those of texts that are too long beside the query.
    """
    is_left = (fields.truncation_direction or "").lower() == "left"
    if is_left and fields.max_tokens_per_doc is not None and not fields.truncate:
        direction = f'"{fields.truncation_direction}" is not allowed with max_tokens_per_doc alone'
        raise InvalidRequest("truncation_direction", f"{direction}; send truncate, too")
    options = RerankRequest(normalize=fields.raw_scores is False, max_document_tokens=fields.max_tokens_per_doc)
    if fields.truncate:
        options.truncation = TRUNCATION_START if is_left else TRUNCATION_END
    return options
