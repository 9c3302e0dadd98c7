"""``EmbedRequest`` to ``EmbeddingRequest``, and vectors to ``EmbedResponse``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.api.convert.embedding import embedding_request, max_inputs
from service.api.convert.vectors import embed_response
from service.api.served_model import Limits, ServedModel
from service.config import Pooling
from service.engine.request.requests import EmbeddingRequest
from service.errors import ContextLengthExceeded, InvalidArgument, NotSupported
from service.testing.scripted_model import BOS, EOS, N_EMBD, N_VOCAB
from slotline.v1 import embedding_pb2, prompt_pb2, tokens_pb2
from tests.support.scripted_core import ByteVocabulary
from tests.support.served import served_model

MODEL = served_model()
ENCODER = served_model(can_generate=False, pooling=Pooling.MEAN, n_hidden=100, n_ctx_train=80)


def text(value: str) -> embedding_pb2.EmbedInput:
    """A text to embed."""
    return embedding_pb2.EmbedInput(text=value)


def ids(*numbers: int) -> embedding_pb2.EmbedInput:
    """Token ids to embed."""
    return embedding_pb2.EmbedInput(token_ids=tokens_pb2.TokenIds(ids=numbers))


def parts(*items: prompt_pb2.PromptPart) -> embedding_pb2.EmbedInput:
    """Parts to embed."""
    return embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=items))


def convert(*inputs: embedding_pb2.EmbedInput, model: ServedModel = MODEL, **fields: Any) -> EmbeddingRequest:
    """What the engine is asked for."""
    return embedding_request(embedding_pb2.EmbedRequest(inputs=inputs, **fields), model)


def test_every_form_of_input_becomes_tokens() -> None:
    model = served_model(vocabulary=ByteVocabulary(adds_bos=True, adds_eos=True))
    mixed = parts(prompt_pb2.PromptPart(text="a"), prompt_pb2.PromptPart(token_ids=tokens_pb2.TokenIds(ids=[5])))
    request = convert(text("ab"), ids(1, 2), mixed, model=model)
    assert request.inputs == ((BOS, 97, 98, EOS), (1, 2), (BOS, 97, 5))


@pytest.mark.parametrize(
    ("inputs", "field", "problem"),
    [
        ([], "inputs", "at least one"),
        ([text("a"), embedding_pb2.EmbedInput()], "inputs[1]", "set one of text, token_ids, parts"),
        ([text("a"), ids()], "inputs[1]", "holds no tokens"),
        ([parts()], "inputs[0]", "holds no tokens"),
        ([ids(0, N_VOCAB)], "inputs[0].token_ids.ids[1]", "0 to 257"),
        ([parts(prompt_pb2.PromptPart())], "inputs[0].parts.parts[0]", "set one of"),
    ],
)
def test_an_input_that_is_not_allowed_is_refused_by_path(
    inputs: list[embedding_pb2.EmbedInput], field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        convert(*inputs)
    assert caught.value.field == field
    assert problem in caught.value.problem


@pytest.mark.parametrize(("model", "longest"), [(MODEL, 63), (ENCODER, 80)])
def test_an_input_must_fit_into_what_the_model_looks_at_at_once(model: ServedModel, longest: int) -> None:
    assert len(convert(text("x" * longest), model=model).inputs[0]) == longest
    with pytest.raises(ContextLengthExceeded) as caught:
        convert(text("a"), text("x" * (longest + 1)), model=model)
    assert caught.value.field == "inputs[1]"
    assert caught.value.metadata["n_prompt_tokens"] == str(longest + 1)
    assert str(longest + (model is MODEL)) in caught.value.problem


def test_an_encoder_takes_no_more_than_fits_into_one_call() -> None:
    small = served_model(can_generate=False, n_hidden=10)
    with pytest.raises(ContextLengthExceeded, match=r"inputs\[0\]: has 11 tokens, but this model takes at most 10"):
        convert(text("x" * 11), model=small)


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"dimensions": 0}, "dimensions", f"allowed is {N_EMBD}"),
        ({"dimensions": N_EMBD + 1}, "dimensions", f"allowed is {N_EMBD}"),
        ({"pooling": embedding_pb2.POOLING_MEAN}, "pooling", "is POOLING_MEAN; allowed is POOLING_LAST"),
        ({"pooling": 77}, "pooling", "is 77; allowed is POOLING_LAST"),
    ],
)
def test_vectors_of_another_kind_are_refused(fields: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        convert(text("a"), **fields)
    assert caught.value.field == field
    assert allowed in caught.value.problem


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (MODEL, {"dimensions": N_EMBD}),
        (MODEL, {"pooling": embedding_pb2.POOLING_LAST}),
        (MODEL, {"pooling": embedding_pb2.POOLING_UNSPECIFIED}),
        (ENCODER, {"pooling": embedding_pb2.POOLING_MEAN}),
    ],
)
def test_the_models_own_kind_may_be_asked_for(model: ServedModel, fields: dict[str, Any]) -> None:
    assert convert(text("a"), model=model, **fields).inputs == ((97,),)


def test_a_server_that_gives_no_embeddings_says_how_to_get_them() -> None:
    with pytest.raises(NotSupported, match="start the server with `embedding`"):
        convert(text("a"), model=served_model(n_hidden=0))


def test_images_are_refused_by_name() -> None:
    with pytest.raises(NotSupported, match=r"inputs\[0\]\.parts\.parts\[0\]\.image: this model takes no pictures"):
        convert(parts(prompt_pb2.PromptPart(image=prompt_pb2.Image(data=b"png"))))


def test_all_inputs_together_are_bounded_in_bytes() -> None:
    model = served_model(limits=Limits(max_prompt_bytes=100))
    with pytest.raises(InvalidArgument, match=r"inputs: has \d+ bytes; allowed are at most 100"):
        convert(text("a" * 50), text("b" * 50), model=model)


class TestMaxInputs:
    """``max_inputs``."""

    @pytest.mark.parametrize(("n_embd", "most"), [(4, 2048), (384, 2048), (576, 1767), (4096, 251), (10**6, 1)])
    def test_keeps_the_largest_answer_below_what_clients_accept(self, n_embd: int, most: int) -> None:
        model = served_model(n_embd=n_embd)
        assert max_inputs(model) == most
        if n_embd <= 4096:
            vectors = np.ones((most, n_embd), np.float32)
            prepared = EmbeddingRequest(((1,) * 63,) * most)
            assert embed_response(embedding_pb2.EmbedRequest(), prepared, vectors, Pooling.LAST).ByteSize() < 4 << 20

    def test_counts_a_vector_for_each_token_if_there_is_one(self) -> None:
        assert max_inputs(served_model(pooling=Pooling.NONE, n_embd=576)) == 28
        assert max_inputs(served_model(pooling=Pooling.NONE, n_embd=100_000)) == 1

    def test_is_a_bound(self) -> None:
        assert len(convert(*[text("a")] * 2048).inputs) == 2048
        with pytest.raises(InvalidArgument, match="inputs: has 2049 entries; allowed are at most 2048"):
            convert(*[text("a")] * 2049)

    def test_is_nothing_without_embeddings(self) -> None:
        assert max_inputs(served_model(n_hidden=0)) == 0
