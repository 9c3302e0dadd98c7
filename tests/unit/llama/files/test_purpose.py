"""What a model is served for."""

from __future__ import annotations

from typing import Any

import pytest

from service.config import ModelConfig, Pooling
from service.errors import InvalidArgument
from service.llama.files.purpose import Purpose, purpose_of
from service.llama.load_errors import ModelLoadError

CLASSIFIER = {"cls.output.weight"}
#: Pooling types of metadata.
MEAN, RANK = 1, 4


def purpose(architecture: str, type_: int, tensors: set[str], **options: Any) -> Purpose:
    metadata: dict[str, Any] = {"general.architecture": architecture, f"{architecture}.pooling_type": type_}
    return purpose_of(ModelConfig("model.gguf", **options), metadata, tensors)


@pytest.mark.parametrize(
    ("architecture", "pooling", "tensors", "options", "expected"),
    [
        ("llama", 0, set(), {}, Purpose(True, True, Pooling.LAST, False)),
        ("llama", MEAN, set(), {"pooling": Pooling.NONE}, Purpose(True, True, Pooling.NONE, False)),
        ("bert", 0, set(), {}, Purpose(False, False, Pooling.MEAN, False)),
        ("bert", MEAN, set(), {"pooling": Pooling.NONE}, Purpose(False, False, Pooling.NONE, False)),
        ("bert", RANK, {"cls.weight"}, {}, Purpose(False, False, Pooling.RANK, False)),
        ("bert", MEAN, CLASSIFIER, {"reranking": True}, Purpose(False, False, Pooling.RANK, False)),
        ("qwen3", RANK, CLASSIFIER, {}, Purpose(False, True, Pooling.RANK, True)),
        ("qwen3", 0, CLASSIFIER, {"pooling": Pooling.RANK}, Purpose(False, True, Pooling.RANK, True)),
        ("qwen3", RANK, CLASSIFIER, {"pooling": Pooling.LAST}, Purpose(True, True, Pooling.LAST, False)),
        pytest.param("llama", RANK, set(), {}, Purpose(True, True, Pooling.RANK, False), id="scores by its vocabulary"),
    ],
)
def test_metadata_classifier_and_options_decide(
    architecture: str, pooling: int, tensors: set[str], options: dict[str, Any], expected: Purpose
) -> None:
    assert purpose(architecture, pooling, tensors, **options) == expected


@pytest.mark.parametrize(
    ("architecture", "pooling", "options", "words"),
    [
        ("llama", 0, {"reranking": True}, "as `reranking` asks for: it has no classifier"),
        ("bert", MEAN, {"pooling": Pooling.RANK}, "as `pooling` asks for"),
        ("bert", RANK, {}, "as its metadata says"),
    ],
)
def test_a_model_without_classifier_is_no_reranker(
    architecture: str, pooling: int, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelLoadError, match=words):
        purpose(architecture, pooling, set(), **options)


def test_options_may_not_contradict_each_other() -> None:
    with pytest.raises(InvalidArgument, match="is 'mean'; allowed with `reranking`: 'rank'") as caught:
        purpose("bert", RANK, CLASSIFIER, reranking=True, pooling=Pooling.MEAN)
    assert caught.value.field == "pooling"
