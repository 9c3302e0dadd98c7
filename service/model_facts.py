"""What a loaded model, and its adapters, say about themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts that never change.

    Attributes:
        name: ``general.name``, empty if the file has none.
        family: the architecture, for example ``llama``.
        description: architecture, size and quantisation in a few words.
        n_params: number of parameters.
        size_bytes: bytes of all tensors.
        n_embd: length of a hidden state, and of an embedding.
        n_ctx_train: context the model was trained with, in tokens.
        chat_template: the model's own chat template as Jinja, None if it has none.
        rerank_template: how a reranker wants a pair of texts, with ``{query}`` and ``{document}`` in it; None if
            it does not say.
        file_type: quantisation of most of the weights, for example ``Q4_1``; empty if the file does not say.
        vocabulary_type: how texts become tokens, a number of ``llama_vocab_type``; 0 without a vocabulary.
    """

    name: str
    family: str
    description: str
    n_params: int
    size_bytes: int
    n_embd: int
    n_ctx_train: int
    chat_template: str | None
    rerank_template: str | None = None
    file_type: str = ""
    vocabulary_type: int = 0


@dataclass(frozen=True, slots=True)
class AdapterInfo:
    """Facts about a LoRA adapter of a loaded model.

    Attributes:
        path: its file, as it was named.
        digest: of its file, in hexadecimal.
        max_scale: the largest factor, without its sign, that numbers of 32 bits can hold.
        task_name, prompt_prefix: what its file says about its use; empty if it does not.
    """

    path: str
    digest: str
    max_scale: float
    task_name: str = ""
    prompt_prefix: str = ""
