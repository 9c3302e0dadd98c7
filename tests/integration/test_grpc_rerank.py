"""Scores of documents over gRPC, against the formula of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from service.api.server.core_server import CoreServer
from service.config import ModelConfig
from service.llama.loader import load
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, rerank_pb2
from tests.support import tiny_decoding_ranker
from tests.support.calls import error_details, refusal
from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.scripted_core import WAIT_S, RunningCore, core_config, running_core, started
from tests.support.tiny_decoding_ranker import DECODING_RANKER
from tests.support.tiny_gguf import write_tiny_gguf
from tests.support.tiny_ranker import RANKER, expected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

QUERY = "hello"
DOCUMENTS = ["world", "hello world", "a b c", "helloing"]


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    """A core that serves a reranker."""
    path = write_tiny_encoder(tmp_path / "ranker.gguf", RANKER)
    config = core_config(model=ModelConfig(path=str(path), n_ctx=0, n_parallel=1))
    async with started(CoreServer(config, load=load)) as running:
        yield running


async def test_scores_are_those_of_the_formula_in_the_order_of_the_documents(core: RunningCore) -> None:
    request = rerank_pb2.RerankRequest(query=QUERY, documents=DOCUMENTS)
    answer = await core.inference.Rerank(request, timeout=WAIT_S)
    pairs = [expected(QUERY, document) for document in DOCUMENTS]
    assert list(answer.scores) == pytest.approx([score for score, _ in pairs], abs=1e-2)
    assert len(set(answer.scores)) == len(DOCUMENTS)
    assert answer.usage.prompt_tokens == sum(n_tokens for _, n_tokens in pairs)


async def test_many_documents_are_scored_alike_whatever_is_beside_them(core: RunningCore) -> None:
    many = await core.inference.Rerank(rerank_pb2.RerankRequest(query=QUERY, documents=DOCUMENTS * 40), timeout=WAIT_S)
    assert len(many.scores) == 160
    for place, document in enumerate(DOCUMENTS):
        assert list(many.scores[place::4]) == pytest.approx([expected(QUERY, document)[0]] * 40, abs=1e-2)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (rerank_pb2.RerankRequest(documents=["a"]), "query"),
        (rerank_pb2.RerankRequest(query="a"), "documents"),
        (rerank_pb2.RerankRequest(query="a", documents=["b", ""]), "documents[1]"),
        (rerank_pb2.RerankRequest(query="a", documents=["b"] * 3000), "documents"),
        (rerank_pb2.RerankRequest(query="a", documents=["b", "c " * 40]), "documents[1]"),
    ],
)
async def test_what_is_not_allowed_is_refused_by_name(
    core: RunningCore, request_: rerank_pb2.RerankRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await core.inference.Rerank(request_, timeout=WAIT_S)
    info, _, _ = error_details(caught.value)
    assert info.metadata["field"] == field


async def test_a_reranker_says_what_it_can_do_and_refuses_the_rest(core: RunningCore) -> None:
    model = (await core.models.GetModel(model_pb2.GetModelRequest())).model
    assert model.capabilities.rerank
    assert not model.capabilities.embed
    assert not model.capabilities.generate
    embed = embedding_pb2.EmbedRequest(inputs=[embedding_pb2.EmbedInput(text="a")])
    assert (await refusal(core.inference.Embed(embed)))[1] == "NOT_SUPPORTED"
    call = core.inference.Generate(generation_pb2.GenerateRequest(text="a"))
    assert (await refusal(call.read()))[1] == "NOT_SUPPORTED"


async def test_other_models_do_not_score() -> None:
    async with running_core() as core:
        request = rerank_pb2.RerankRequest(query="a", documents=["b"])
        assert (await refusal(core.inference.Rerank(request)))[:2] == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
        assert not (await core.models.GetModel(model_pb2.GetModelRequest())).model.capabilities.rerank


async def test_a_decoder_with_a_classifier_scores_by_its_template(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "ranker.gguf", DECODING_RANKER)
    config = core_config(model=ModelConfig(path=str(path), n_ctx=0, n_parallel=1, reranking=True))
    documents = [*DOCUMENTS, "a longer document " * 15]
    async with started(CoreServer(config, load=load)) as core:
        answers = [
            await core.inference.Rerank(
                rerank_pb2.RerankRequest(query=QUERY, documents=documents, normalize=normalize), timeout=WAIT_S
            )
            for normalize in (False, True)
        ]
        assert not (await core.models.GetModel(model_pb2.GetModelRequest())).model.capabilities.generate
    pairs = [tiny_decoding_ranker.expected(QUERY, document) for document in documents]
    for answer in answers:
        # They are probabilities as the model gives them.
        assert list(answer.scores) == pytest.approx([score for score, _ in pairs], abs=2e-3)
        assert answer.usage.prompt_tokens == sum(n_tokens for _, n_tokens in pairs)
