"""LangChain's models on the server: langchain-openai, and langchain-llama-cpp, which knows the errors of llama.cpp."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_llama_cpp import ChatLlama
from langchain_llama_cpp.exceptions import (
    LlamaAPIError,
    LlamaInvalidRequestError,
)
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from tests.support.waiting import wait_for_load

if TYPE_CHECKING:
    from tests.support.server import Server

QUESTION = "What is the capital of Germany?"
CONVERSATION = [
    SystemMessage("You answer in one sentence."),
    HumanMessage("What is the capital of France?"),
    AIMessage("The capital of France is Paris."),
    HumanMessage(QUESTION),
]
COUNTING = "1, 2, 3,"
NO_KEY = SecretStr("none")


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """What the models send requests with; clients of their own stay open for ever."""
    with httpx.Client(timeout=60) as client:
        yield client


@pytest.fixture
async def ahttp() -> AsyncIterator[httpx.AsyncClient]:
    """The same for coroutines."""
    async with httpx.AsyncClient(timeout=60) as client:
        yield client


Clients = httpx.Client | httpx.AsyncClient


def chat_openai(server: Server, client: Clients) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{server.rest_url}/v1", api_key=NO_KEY, model="any", temperature=0, max_retries=0, **_argument(client)
    )


def text_openai(server: Server, client: Clients) -> OpenAI:
    return OpenAI(
        base_url=f"{server.rest_url}/v1",
        api_key=NO_KEY,
        model="any",
        temperature=0,
        max_tokens=6,
        max_retries=0,
        extra_body={"repeat_penalty": 1.0},
        **_argument(client),
    )


def embeddings_openai(server: Server, client: Clients) -> OpenAIEmbeddings:
    # With the check, texts would be cut into tokens of another model, whose vocabulary has to be downloaded.
    return OpenAIEmbeddings(
        base_url=f"{server.rest_url}/v1",
        api_key=NO_KEY,
        model="any",
        check_embedding_ctx_length=False,
        **_argument(client),
    )


def chat_llama(server: Server, client: Clients) -> ChatLlama:
    return ChatLlama(model="any", base_url=server.rest_url, temperature=0, max_retries=0, **_argument(client))


def _argument(client: Clients) -> dict[str, Any]:
    return {"http_async_client" if isinstance(client, httpx.AsyncClient) else "http_client": client}


@pytest.fixture
def chat(server: Server, http: httpx.Client) -> ChatOpenAI:
    return chat_openai(server, http)


@pytest.fixture
def llama(server: Server, http: httpx.Client) -> ChatLlama:
    return chat_llama(server, http)


def test_chat_openai_invokes(chat: ChatOpenAI) -> None:
    answer = chat.invoke(CONVERSATION)
    assert "Berlin" in answer.text
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.id is not None
    usage = answer.usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_chat_openai_streams_the_same(chat: ChatOpenAI) -> None:
    pieces = list(chat.stream(QUESTION, stream_usage=True))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    assert whole.text == chat.invoke(QUESTION).text
    assert sum(1 for piece in pieces if piece.text) > 2
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 2


def test_chat_openai_batches(chat: ChatOpenAI) -> None:
    answers = chat.batch([QUESTION] * 5)
    assert all("Berlin" in answer.text for answer in answers)
    assert len({answer.id for answer in answers}) == 5


async def test_chat_openai_in_coroutines(server: Server, ahttp: httpx.AsyncClient) -> None:
    chat = chat_openai(server, ahttp)
    answer, streamed, batch = await asyncio.gather(
        chat.ainvoke(QUESTION), _joined(chat), chat.abatch([QUESTION, QUESTION])
    )
    assert all("Berlin" in found for found in (answer.text, streamed, batch[0].text, batch[1].text))


def test_a_chain(chat: ChatOpenAI) -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "What is the capital of {country}?")])
    chain = prompt | chat | StrOutputParser()
    assert "Berlin" in chain.invoke({"country": "Germany"})


def test_logprobs_stop_texts_and_json(chat: ChatOpenAI) -> None:
    answer = chat.invoke(QUESTION, logprobs=True, top_logprobs=2, stop=[" Berlin"])
    assert answer.text == "The capital of Germany is"
    entries = answer.response_metadata["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == answer.text
    # So small a model may not find the end, which the client's own way to ask for JSON takes for an error.
    json_mode = {"response_format": {"type": "json_object"}}
    assert chat.invoke("About Berlin.", max_tokens=24, extra_body=json_mode).text.startswith("{")


def test_chat_openai_raises_the_errors_of_its_client(chat: ChatOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        chat.invoke(QUESTION, logprobs=True, top_logprobs=99)


def test_a_stream_that_is_left_frees_its_slot(chat: ChatOpenAI, server: Server) -> None:
    stream = chat.stream(QUESTION, extra_body={"ignore_eos": True, "n_predict": 2000})
    assert isinstance(stream, Generator)
    next(stream)
    wait_for_load(server, processing=1)
    stream.close()
    wait_for_load(server)


def test_openai_completes(server: Server, http: httpx.Client) -> None:
    text = text_openai(server, http)
    assert text.invoke(COUNTING) == " 4, 5,"
    assert "".join(text.stream(COUNTING)) == " 4, 5,"
    result = text.generate([COUNTING, "A, B, C, D,"])
    assert [made[0].text for made in result.generations] == [" 4, 5,", " E, F, G,"]
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["completion_tokens"] == 12


async def test_openai_completes_in_coroutines(server: Server, ahttp: httpx.AsyncClient) -> None:
    text = text_openai(server, ahttp)
    assert await text.ainvoke(COUNTING) == " 4, 5,"
    assert "".join([piece async for piece in text.astream(COUNTING)]) == " 4, 5,"
    assert await text.abatch([COUNTING, "A, B, C, D,"]) == [" 4, 5,", " E, F, G,"]


def test_openai_embeds(server: Server, http: httpx.Client) -> None:
    embeddings = embeddings_openai(server, http)
    vectors = embeddings.embed_documents(["The cat sleeps.", "Der Hund bellt."])
    assert [len(vector) for vector in vectors] == [576, 576]
    query = embeddings.embed_query("The cat sleeps.")
    assert math.dist(query, vectors[0]) < 0.02 < math.dist(query, vectors[1])


async def test_openai_embeds_in_coroutines(server: Server, ahttp: httpx.AsyncClient) -> None:
    embeddings = embeddings_openai(server, ahttp)
    assert [len(vector) for vector in await embeddings.aembed_documents(["a", "b", "c"])] == [576] * 3
    assert len(await embeddings.aembed_query("a")) == 576


def test_chat_llama_invokes(llama: ChatLlama) -> None:
    answer = llama.invoke(CONVERSATION)
    assert "Berlin" in answer.text
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == "any"
    assert answer.response_metadata["id"].startswith("chatcmpl-")
    usage = answer.usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_chat_llama_streams_the_same(llama: ChatLlama) -> None:
    pieces = list(llama.stream(QUESTION))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    assert whole.text == llama.invoke(QUESTION).text
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 2


async def test_chat_llama_in_coroutines(server: Server, ahttp: httpx.AsyncClient) -> None:
    llama = chat_llama(server, ahttp)
    answer, streamed, batch = await asyncio.gather(
        llama.ainvoke(QUESTION), _joined(llama), llama.abatch([QUESTION, QUESTION])
    )
    assert all("Berlin" in found for found in (answer.text, streamed, batch[0].text, batch[1].text))


def test_chat_llama_has_the_options_of_the_server(llama: ChatLlama) -> None:
    answer = llama.invoke(
        QUESTION,
        max_tokens=8,
        stop=[" Berlin"],
        seed=1,
        top_k=40,
        top_p=0.9,
        min_p=0.05,
        typical_p=1.0,
        repeat_penalty=1.0,
        repeat_last_n=64,
        mirostat=0,
        dynatemp_range=0.0,
        logit_bias=[[5, -1.0]],
        cache_prompt=True,
        n_keep=4,
        samplers=["top_k", "temperature"],
    )
    assert answer.text == "The capital of Germany is"
    limited = llama.invoke(QUESTION, max_tokens=2)
    assert limited.response_metadata["finish_reason"] == "length"
    several = llama.generate([[HumanMessage(QUESTION)]], n=3, max_tokens=4)
    assert len(several.generations[0]) == 3
    with_logprobs = llama.invoke(QUESTION, logprobs=True, top_logprobs=1, max_tokens=4)
    assert len(with_logprobs.response_metadata["logprobs"]["content"]) == 4


def test_chat_llama_constrains_the_answer(llama: ChatLlama) -> None:
    assert llama.invoke(QUESTION, grammar='root ::= "Berlin" | "Bonn"').text in ("Berlin", "Bonn")
    limited = llama.model_copy(update={"max_tokens": 24})
    as_json: Any = limited.with_structured_output(method="json_mode", include_raw=True)
    assert as_json.invoke("About Berlin.")["raw"].text.startswith("{")


@pytest.mark.parametrize(
    ("options", "kind", "named"),
    [
        ({"temperature": "warm"}, LlamaInvalidRequestError, "temperature"),
        ({"max_tokens": 3, "n": 0}, LlamaInvalidRequestError, "n: "),
        ({"timeout_s": 0.01, "ignore_eos": True}, LlamaAPIError, "time limit"),
    ],
)
def test_chat_llama_knows_the_errors(
    llama: ChatLlama, options: dict[str, Any], kind: type[Exception], named: str
) -> None:
    with pytest.raises(kind, match=named):
        llama.invoke(QUESTION, **options)


def test_chat_llama_raises_an_error_in_the_middle_of_a_stream(llama: ChatLlama) -> None:
    texts: list[str] = []
    with pytest.raises(LlamaAPIError, match="time limit"):
        texts.extend(piece.text for piece in llama.stream(QUESTION, ignore_eos=True, timeout_s=0.5))
    assert "".join(texts)


async def _joined(model: ChatOpenAI | ChatLlama) -> str:
    return "".join([piece.text async for piece in model.astream(QUESTION)])
