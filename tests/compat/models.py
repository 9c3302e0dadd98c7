"""Writes the small models of ``replacements``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import gguf
import numpy as np

from tests.support.changed_gguf import write_changed
from tests.support.image_files import encoded
from tests.support.minilm_gguf import SEP, WORD_START, TinyEncoder, write_minilm, write_tiny_encoder
from tests.support.seeing_model import SeeingModels
from tests.support.tiny_gguf import (
    Matrix,
    TinyAdapter,
    TinyModel,
    random_factors,
    tensors_of,
    write_tiny_adapter,
    write_tiny_gguf,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Pieces of a storyteller, with ``_`` for the space in front of a word; those that come first are merged first, and
#: each is made of two others. They are chosen so that prompts of the tests have as many tokens as they expect, which is
#: as many as with the models that they are written for.
_MERGED = """
    _pi _t _ar _to is _ms _of er _co as _s ge _th _Hi ter _the ou _b ad _w _wh ers _le kes _con _by it en _m _a
    il rom _g oo re ls ag _ch _mo _at ve _ro ar _as one _so an ck _c pe out _l at or alu _or _d al _lo _ne _n st
    _H ow ere th om lo in _T ver _on _sh _I _do ay ing _j nd _p able _am ther ong ab im de rst ken _too ith ure
    _im ds on _i el ro es _you _com _de _ke _me ame _be _in ly ke _ta _y am se _it ur ul ch ream _o un ll _se
    ain le _whi ste qu _one
"""
_CHARACTERS = "_etaonihsdrluywmgfc.,bpkvjxzqABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!?'\"()[]{}:;-+*/=<>#@&%$|\\"
_FIM_NAMES = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>")


def _pieces(merged: str) -> tuple[str, ...]:
    return (*dict.fromkeys(piece.replace("_", WORD_START) for piece in (*merged.split(), *_CHARACTERS)), "_")


STORIES = TinyModel(kind="spm", n_layers=2, n_ctx_train=8192, pieces=_pieces(_MERGED))
INFILL = dataclasses.replace(STORIES, names=_FIM_NAMES)
#: The tests fill contexts of the model for LoRA and drafts with a word that is one of its tokens.
ONE_WORD = dataclasses.replace(STORIES, pieces=_pieces("_H _He ll llo _Hello" + _MERGED))
#: Tokens of the reranker are chosen like those of stories; so is what stands around query and document: [CLS] in front,
#: [SEP] behind each. Its seed is the first with which the scores of their documents have the order that they expect.
RANKER = TinyEncoder(
    pooling=gguf.PoolingType.RANK.value,
    n_ctx_train=1024,
    tokens=(*TinyEncoder().tokens, "machine", "learn", "is", "which", "city", "paris", "cap", "de", "la"),
    seed=12,
    metadata={
        "tokenizer.ggml.eos_token_id": SEP,
        "tokenizer.ggml.add_eos_token": True,
        "tokenizer.ggml.add_sep_token": False,
    },
)

#: What makes logits small enough that ten candidates and more are likely.
_DAMPING = 0.3
#: A component that all tokens have in common, about as large as the others together, and what rows of tokens that are
#: never chosen make of it: their logits are lower by some dozens.
_COMMON, _BAN = 4.0, -15.0


def write_models(folder: Path) -> None:
    """Write all of them into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_storyteller(folder / "stories.gguf", STORIES)
    write_storyteller(folder / "infill.gguf", INFILL)
    write_storyteller(folder / "one-word.gguf", ONE_WORD)
    _write_split(folder / "stories.gguf", folder / "split.gguf")
    factors = {name: random_factors(ONE_WORD, name) for name in ("blk.0.attn_q.weight", "blk.1.ffn_down.weight")}
    write_tiny_adapter(folder / "adapter.gguf", TinyAdapter(factors))
    write_minilm(folder / "encoder.gguf")
    write_tiny_encoder(folder / "ranker.gguf", RANKER)
    projector = SeeingModels(folder).projector("bidirectional", "gemma", patches=6)
    (folder / "truck.png").write_bytes(encoded(projector.draw("red")))
    (folder / "cat.png").write_bytes(encoded(projector.draw("green")))


def write_storyteller(path: Path, model: TinyModel) -> None:
    """Write a model of random weights that says only pieces of ``model.pieces``: no bytes, and nothing ends a text."""
    plain = write_tiny_gguf(path.with_suffix(".plain"), model)
    write_changed(plain, path, tensors=_quiet(model, tensors_of(model)))
    plain.unlink()


def _quiet(model: TinyModel, tensors: Mapping[str, Matrix]) -> Mapping[str, Matrix]:
    """The weights with a first component that no layer changes, by which tokens are banned."""
    changed = {name: tensor.copy() for name, tensor in tensors.items()}
    changed["token_embd.weight"][:, 0] = _COMMON
    for layer in range(model.n_layers):
        for name in ("attn_output", "ffn_down"):
            changed[f"blk.{layer}.{name}.weight"][0] = 0.0
    changed["output.weight"] *= _DAMPING
    is_said = [token in model.pieces and token != WORD_START for token in model.tokens]
    changed["output.weight"][:, 0] = np.where(is_said, 0.0, _BAN)
    return changed


def _write_split(source: Path, path: Path) -> None:
    """Write a model as three files, named ``path`` with their numbers."""
    reader = gguf.GGUFReader(source)
    n_each = -(-len(reader.tensors) // 3)
    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents(), split_max_tensors=n_each)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        item = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), field.types[0], item)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
