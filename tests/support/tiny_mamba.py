"""Writes a tiny GGUF model whose memory is one state per sequence, in which no token can be told from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

from tests.support.tiny_gguf import BOS, EOS, TinyModel

if TYPE_CHECKING:
    from pathlib import Path

N_EMBD, N_INNER, N_STATE, N_CONV, DT_RANK = 64, 128, 16, 4, 4


def write_tiny_mamba(path: Path) -> Path:
    """Write a Mamba model of one layer with random weights; returns the path."""
    tokens = TinyModel().tokens
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_context_length(512)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(1)
    writer.add_ssm_conv_kernel(N_CONV)
    writer.add_ssm_inner_size(N_INNER)
    writer.add_ssm_state_size(N_STATE)
    writer.add_ssm_time_step_rank(DT_RANK)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token.startswith("<|") else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_token_merges(["\u0120 t"])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    random = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (len(tokens), N_EMBD),
        "output_norm.weight": (N_EMBD,),
        "blk.0.attn_norm.weight": (N_EMBD,),
        "blk.0.ssm_in.weight": (2 * N_INNER, N_EMBD),
        "blk.0.ssm_conv1d.weight": (N_INNER, N_CONV),
        "blk.0.ssm_conv1d.bias": (N_INNER,),
        "blk.0.ssm_x.weight": (DT_RANK + 2 * N_STATE, N_INNER),
        "blk.0.ssm_dt.weight": (N_INNER, DT_RANK),
        "blk.0.ssm_dt.bias": (N_INNER,),
        "blk.0.ssm_a": (N_INNER, N_STATE),
        "blk.0.ssm_d": (N_INNER,),
        "blk.0.ssm_out.weight": (N_EMBD, N_INNER),
    }
    for name, shape in shapes.items():
        tensor = random.normal(0.0, 1.0 / np.sqrt(shape[-1]), shape)
        # A state decays: its matrix is negative.
        writer.add_tensor(name, (-np.abs(tensor) if name.endswith("ssm_a") else tensor).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
