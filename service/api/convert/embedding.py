"""``EmbedRequest`` to ``EmbeddingRequest``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.api.convert.checks import count_at_most
from service.api.convert.pictures import Pictures, text_size_at_most
from service.api.convert.prompt import prompt_parts
from service.api.convert.vectors import norm_of
from service.config import Pooling
from service.engine.request.requests import EmbeddingRequest
from service.errors import ContextLengthExceeded, InvalidArgument, NotSupported
from service.prompts.paced import TooManyTokens
from service.prompts.prompt import check_ids, tokenize_embedding_input
from slotline.protocol.reasons import CONFIG_FIELDS
from slotline.v1 import embedding_pb2

if TYPE_CHECKING:
    from service.api.served_model import ServedModel

#: What most gRPC clients accept in one message, less some room for what is not a vector.
MAX_VECTOR_BYTES = (4 << 20) - (64 << 10)
#: Bytes of a vector's message that are not its components, at most.
VECTOR_OVERHEAD_BYTES = 32
MAX_INPUTS = 2048

POOLINGS = {
    Pooling.NONE: embedding_pb2.POOLING_NONE,
    Pooling.LAST: embedding_pb2.POOLING_LAST,
    Pooling.MEAN: embedding_pb2.POOLING_MEAN,
    Pooling.CLS: embedding_pb2.POOLING_CLS,
}


def max_inputs(model: ServedModel) -> int:
    """Most inputs of one request, so that the answer fits into one message; 0 if the model gives no embeddings.

    One input is always allowed, also if a vector for each of its tokens needs a larger message.
    """
    if not model.info.n_hidden:
        return 0
    n_bytes = 4 * model.info.n_embd + VECTOR_OVERHEAD_BYTES
    if model.info.pooling is Pooling.NONE:
        n_bytes *= bound_on_input(model).most
    return min(MAX_INPUTS, max(1, MAX_VECTOR_BYTES // n_bytes))


def embedding_request(request: embedding_pb2.EmbedRequest, model: ServedModel) -> EmbeddingRequest:
    """What the engine is asked for. Tokenises, so it may take a while.

    Raises:
        InvalidArgument: a field has a value that is not allowed.
        ContextLengthExceeded: an input does not fit.
        NotSupported: the model gives no embeddings as the server was started, or takes no pictures.
        ServiceError: see ``PictureEncoder.encode``; pictures are encoded once all else is known to be allowed.
    """
    if model.info.pooling is Pooling.RANK and not model.info.can_generate:
        raise NotSupported("this model scores pairs of texts and makes no embeddings; call Rerank")
    if not model.info.n_hidden:
        raise NotSupported(
            "embeddings are not enabled; start the server with `embedding`", metadata={CONFIG_FIELDS: "embedding"}
        )
    _check_vectors(request, model)
    if not request.inputs:
        raise InvalidArgument("inputs", "is empty; at least one input is needed")
    count_at_most("inputs", len(request.inputs), max_inputs(model))
    text_size_at_most("inputs", request, model.limits.max_prompt_bytes)
    pictures = Pictures(model)
    inputs = tuple(
        _fitting_tokens(one, model, f"inputs[{index}]", pictures) for index, one in enumerate(request.inputs)
    )
    return _with_pictures(inputs, model, pictures) if pictures.taken else EmbeddingRequest(inputs)


def _check_vectors(request: embedding_pb2.EmbedRequest, model: ServedModel) -> None:
    n_embd, pooling = model.info.n_embd, model.info.pooling
    if request.HasField("dimensions") and request.dimensions != n_embd:
        raise InvalidArgument(
            "dimensions", f"is {request.dimensions}; allowed is {n_embd}, the length of this model's vectors"
        )
    own = POOLINGS[pooling]
    if request.pooling not in (embedding_pb2.POOLING_UNSPECIFIED, own):
        known = request.pooling in embedding_pb2.Pooling.values()
        name = embedding_pb2.Pooling.Name(request.pooling) if known else request.pooling
        raise InvalidArgument("pooling", f"is {name}; allowed is {embedding_pb2.Pooling.Name(own)}, this model's own")
    norm_of(request, pooling)


def _input_tokens(one: embedding_pb2.EmbedInput, model: ServedModel, field: str, pictures: Pictures) -> tuple[int, ...]:
    """Token ids and places of pictures."""
    vocabulary = model.vocabulary
    match one.WhichOneof("content"):
        case "text":
            tokens = tuple(tokenize_embedding_input([one.text], vocabulary))
        case "token_ids":
            tokens = check_ids(one.token_ids.ids, vocabulary.n_vocab, f"{field}.token_ids.ids")
        case "parts":
            parts = prompt_parts(one.parts, model, f"{field}.parts", pictures)
            tokens = tuple(tokenize_embedding_input(parts, vocabulary))
        case _:
            raise InvalidArgument(field, "is empty; set one of text, token_ids, parts")
    if not tokens:
        raise InvalidArgument(field, "holds no tokens; at least one is needed")
    return tokens


def _fitting_tokens(
    one: embedding_pb2.EmbedInput, model: ServedModel, field: str, pictures: Pictures
) -> tuple[int, ...]:
    """Token ids and places of pictures, as many as fit for all that is known before these are encoded."""
    bound = bound_on_input(model)
    try:
        tokens = _input_tokens(one, model.bounded(bound.most), field, pictures)
    except TooManyTokens as error:
        raise bound.exceeded(field, error.n_tokens, is_exact=False) from None
    n_pictures = sum(token < 0 for token in tokens) if pictures.taken else 0
    least = n_pictures * pictures.least_each
    if len(tokens) - n_pictures + least > bound.most:
        raise bound.exceeded(
            field, len(tokens) - n_pictures + least, is_exact=pictures.is_least_exact, n_image_tokens=least
        )
    return tokens


def _with_pictures(inputs: tuple[tuple[int, ...], ...], model: ServedModel, pictures: Pictures) -> EmbeddingRequest:
    """The request with its pictures in its inputs, which must fit with them."""
    encoded, bound = pictures.encode(), bound_on_input(model)
    filled = tuple(encoded.put_into(tokens) for tokens in inputs)
    for index, (tokens, items) in enumerate(zip(inputs, filled, strict=True)):
        if len(items) > bound.most:
            n_texts = sum(token >= 0 for token in tokens)
            raise bound.exceeded(f"inputs[{index}]", len(items), n_image_tokens=len(items) - n_texts)
    return EmbeddingRequest(filled, media=encoded.media, n_media_items=encoded.n_items)


@dataclass(frozen=True, slots=True)
class InputBound:
    """How long an input may be.

    Attributes:
        most: items that it may have.
        n_ctx: what there is, for errors.
        allowed: the bound in words.
    """

    most: int
    n_ctx: int
    allowed: str

    def exceeded(
        self, field: str, n_tokens: int, *, is_exact: bool = True, n_image_tokens: int = 0
    ) -> ContextLengthExceeded:
        """The error for an input of so many tokens."""
        return ContextLengthExceeded(
            n_tokens,
            self.n_ctx,
            field=field,
            allowed=f"{self.allowed}: it is too large",
            is_exact=is_exact,
            n_image_tokens=n_image_tokens,
        )


def bound_on_input(model: ServedModel) -> InputBound:
    """How long an input of this model may be."""
    info, n_ctx = model.info, model.engine.n_ctx_slot
    if info.can_generate:
        return InputBound(n_ctx - 1, n_ctx, f"a slot's context holds {n_ctx} and an input must be shorter than that")
    most = min(info.n_ctx_train, info.n_hidden)
    return InputBound(most, most, f"this model takes at most {most}")
