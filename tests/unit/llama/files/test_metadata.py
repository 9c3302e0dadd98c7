"""Metadata that would make the library abort is refused."""

from __future__ import annotations

from typing import Any

import pytest

from service.config import Pooling
from service.llama.files.gguf import GgufArray, GgufError
from service.llama.files.metadata import check_metadata, is_encoder, own_pooling

BASE: dict[str, Any] = {"general.architecture": "llama", "llama.block_count": 4}
BYTES = frozenset(b"<0x%02X>" % byte for byte in range(256))
MIXED_EXPERTS = {"llama.expert_count": 8, "llama.expert_used_count": 2}


def vocabulary(kind: str, texts: frozenset[bytes], length: int | None = None) -> dict[str, Any]:
    """Metadata of a vocabulary."""
    length = len(texts) if length is None else length
    return {
        "tokenizer.ggml.model": kind,
        "tokenizer.ggml.tokens": GgufArray(is_text=True, length=length, texts=tuple(texts)),
    }


@pytest.mark.parametrize(
    "change",
    [
        {},
        MIXED_EXPERTS,
        MIXED_EXPERTS | {"llama.expert_group_count": 4, "llama.expert_group_used_count": 2},
        {"llama.expert_count": 8, "llama.expert_used_count": GgufArray(False, 4, (2, 2, 8, 2))},
        {"llama.nextn_predict_layers": 4},
        {"llama.rope.scaling.type": "yarn"},
        {"llama.attention.layer_norm_rms_epsilon": 0.0},
        vocabulary("llama", BYTES | {b"x"}),
        vocabulary("llama", frozenset({b"<0x41>"}) | frozenset(bytes([byte]) for byte in range(256))),
        vocabulary("gpt2", frozenset({b"x"})),
        vocabulary("rwkv", frozenset({b"a", b"ab", b"\\n", b"\\n\\n", b"\\xe6", b"\\xe6\\xbc\\xa2", b"\\\\"})),
        vocabulary("whitespace", frozenset({b"x"})) | {"tokenizer.ggml.pre": "whitespace"},
        {"llama.pooling_type": 4},
        {"general.architecture": "bert", "bert.block_count": 1, "bert.pooling_type": 2},
        {"general.architecture": "hunyuan-dense", "hunyuan-dense.block_count": 1, "hunyuan-dense.expert_count": 1},
    ],
)
def test_a_sound_model_passes(change: dict[str, Any]) -> None:
    check_metadata(BASE | change)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"general.architecture": None}, "general.architecture is None"),
        ({"general.architecture": 7}, "general.architecture is 7"),
        ({"llama.block_count": 0}, "llama.block_count is 0, allowed: 1 to 512"),
        ({"llama.block_count": 513}, "llama.block_count is 513, allowed: 1 to 512"),
        ({"llama.block_count": "4"}, "llama.block_count is '4'"),
        ({"llama.nextn_predict_layers": 5}, "llama.nextn_predict_layers is 5, allowed: 0 to 4"),
        ({"llama.expert_count": 1025, "llama.expert_used_count": 1}, "llama.expert_count is 1025"),
        ({"llama.expert_count": 2}, "llama.expert_used_count is 0, allowed: 1 to 2"),
        ({"llama.expert_used_count": 1}, "llama.expert_used_count is 1, allowed: 0 to 0"),
        (
            {"llama.expert_count": 2, "llama.expert_used_count": GgufArray(False, 2, (1, 3))},
            "llama.expert_used_count is 3, allowed: 1 to 2",
        ),
        ({"llama.expert_group_count": 1}, "llama.expert_group_count is 1, allowed: 0 to 0"),
        (MIXED_EXPERTS | {"llama.expert_group_count": 8}, "llama.expert_group_count is 8, allowed: 0 to 7"),
        (MIXED_EXPERTS | {"llama.expert_group_count": 3}, "llama.expert_group_count is 3, allowed: divisors of 8"),
        (
            MIXED_EXPERTS | {"llama.expert_group_count": 4, "llama.expert_group_used_count": 4},
            "llama.expert_group_used_count is 4, allowed: 1 to 3",
        ),
        ({"llama.attention.layer_norm_rms_epsilon": -1.0}, "layer_norm_rms_epsilon is -1.0, allowed: 0 or more"),
        ({"llama.rope.scaling.type": "xyz"}, "'xyz', allowed: none, linear, yarn, longrope"),
        ({"tokenizer.ggml.model": "no_vocab"}, "has no vocabulary"),
        (vocabulary("gpt2", frozenset({b"x", b"y"}), length=3), "has 3 entries, of which only 2 differ"),
        (vocabulary("llama", BYTES - {b"<0x41>", b"<0x42>"}), "lacks 2 bytes, the first <0x41>"),
        (
            vocabulary("rwkv", frozenset({b"a", b"<s>", b"\\n\\n"})),
            "lacks 2 bytes with which other tokens begin, the first 0x0A",
        ),
        (
            vocabulary("gpt2", frozenset({b"x"})) | {"tokenizer.ggml.pre": "whitespace"},
            "tokenizer.ggml.pre is 'whitespace', so tokenizer.ggml.model must be, too, not 'gpt2'",
        ),
        ({"llama.pooling_type": 5}, "llama.pooling_type is 5, allowed: 0 (none), 1 (mean)"),
        ({"llama.pooling_type": "mean"}, "llama.pooling_type is 'mean'"),
    ],
)
def test_a_model_that_would_end_the_process_is_refused(change: dict[str, Any], told: str) -> None:
    metadata = {key: value for key, value in (BASE | change).items() if value is not None}
    with pytest.raises(GgufError) as caught:
        check_metadata(metadata)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "encodes"),
    [("bert", True), ("modern-bert", True), ("t5encoder", True), ("t5", False), ("llama", False), ("dream", False)],
)
def test_encoders_are_known_by_their_architecture(architecture: str, encodes: bool) -> None:
    assert is_encoder({"general.architecture": architecture}) is encodes


@pytest.mark.parametrize(
    ("metadata", "pooling"),
    [
        ({}, Pooling.LAST),
        ({"llama.pooling_type": 0}, Pooling.LAST),
        ({"llama.pooling_type": 1}, Pooling.MEAN),
        ({"llama.pooling_type": 4}, Pooling.RANK),
        ({"general.architecture": "bert"}, Pooling.MEAN),
        ({"general.architecture": "bert", "bert.pooling_type": 2}, Pooling.CLS),
    ],
)
def test_a_model_that_does_not_say_how_it_pools_takes_what_has_seen_all(
    metadata: dict[str, Any], pooling: Pooling
) -> None:
    assert own_pooling(BASE | metadata) is pooling
