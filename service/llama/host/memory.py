"""How much memory a model needs, and how much there is.

The library allocates the whole KV cache at once. The kernel grants that even if it has less memory, and kills the
process later, when it uses the pages. So what is needed is added up beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.llama.files.gguf import TENSOR_TYPES, GgufArray, Scalar
from service.llama.model_options import CACHE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.config import ModelConfig

#: Most tokens of a ubatch: of what the library evaluates at once. It cuts larger batches into ubatches.
N_UBATCH = 512
#: The same without flash attention. Each token then needs memory for a score with each cell, for each head; larger
#: ubatches are not faster there.
N_UBATCH_WITH_SCORES = 128
#: Most tokens whose hidden states are evaluated at once. The library computes logits for them, too, and keeps memory
#: for as many rows from then on: 49 MiB with a vocabulary of 49,152 tokens, 262 MiB with one of 262,144.
N_HIDDEN = 128
#: Most tokens whose logits are wanted at once beside the last one of each sequence: of prompts, or tried ahead. The
#: library's buffers for them are touched when they are first used: 12 MiB each with a vocabulary of 49,152 tokens, 64
#: MiB with one of 262,144.
N_SCORED = 64
#: The library's granularity for contexts, in cells.
CELL_PADDING = 256

_MASK_BYTES = 2
_FLOAT_BYTES = 4
#: Python, the library's code, tokenizer tables, graphs: measured 90 MiB with a vocabulary of 49,152 tokens.
PROCESS_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """What a model needs, in bytes.

    Attributes:
        weights: all tensors.
        fixed: buffers whose size does not depend on the context.
        per_cell: KV cache and attention mask for one cell.
    """

    weights: int
    fixed: int
    per_cell: int

    def total(self, n_cells: int) -> int:
        """Bytes needed with that many cells."""
        return self.weights + self.fixed + self.cells(n_cells)

    def cells(self, n_cells: int) -> int:
        """Bytes needed for the cells."""
        return self.per_cell * pad_cells(n_cells)

    def with_draft(self, draft: MemoryEstimate, n_cells: int | None) -> MemoryEstimate:
        """What this model and a draft model need together.

        Args:
            draft: what the other one needs by itself.
            n_cells: its cells, None for as many as this one has.
        """
        fixed = self.fixed + draft.fixed - PROCESS_BYTES
        if n_cells is None:
            return MemoryEstimate(self.weights + draft.weights, fixed, self.per_cell + draft.per_cell)
        return MemoryEstimate(self.weights + draft.weights, fixed + draft.cells(n_cells), self.per_cell)

    def largest_context(self, available: int) -> int:
        """Most cells that fit into so many bytes, 0 if none do."""
        room = available - self.weights - self.fixed
        if room <= 0 or self.per_cell == 0:
            return 0
        return room // self.per_cell // CELL_PADDING * CELL_PADDING


def pad_cells(n_cells: int) -> int:
    """Cells that the library allocates when so many are asked for."""
    return -(-n_cells // CELL_PADDING) * CELL_PADDING


def library_sequences(config: ModelConfig) -> int:
    """Sequences of the library's context: those of the model, and one for copies."""
    return config.n_seq_max + 1


def library_batch(config: ModelConfig) -> int:
    """Most tokens of a batch: what was asked for, but creating a context aborts if it has more sequences than that."""
    return max(config.n_batch, library_sequences(config))


def count_ubatch(config: ModelConfig) -> int:
    """Most tokens of a ubatch."""
    return N_UBATCH_WITH_SCORES if config.flash_attention is False else N_UBATCH


def count_hidden(config: ModelConfig) -> int:
    """Most tokens whose hidden states are evaluated at once; 0 if nobody shall ask for any."""
    return min(N_HIDDEN, library_batch(config)) if config.embedding else 0


def count_outputs(config: ModelConfig) -> int:
    """Most tokens of a batch that give an output.

    These are the last one of each sequence, drafts, and tokens of prompts whose logits are wanted; or as many as may
    give hidden states, if that is more.
    """
    n_generating = min(config.n_parallel + N_SCORED, library_batch(config))
    return max(library_sequences(config), n_generating, count_hidden(config))


def estimate_memory(
    metadata: Mapping[str, Scalar | GgufArray],
    *,
    weights: int,
    n_vocab: int,
    n_outputs: int,
    cache_type_k: str,
    cache_type_v: str,
    has_scores: bool = False,
) -> MemoryEstimate:
    """Add up what a model needs.

    Args:
        metadata: of the GGUF file; what is missing there counts as 0.
        weights: bytes of all tensors.
        n_vocab: tokens in the vocabulary.
        n_outputs: rows of logits that are kept at a time.
        cache_type_k, cache_type_v: keys of ``CACHE_TYPES``.
        has_scores: whether attention keeps all of its scores at a time, as it does without flash attention.
    """
    shape = _AttentionShape(metadata)
    kv = sum(
        _row_bytes(cache_type_k, heads * shape.key_length) + _row_bytes(cache_type_v, heads * shape.value_length)
        for heads in shape.heads_kv
    )
    # For each token of a ubatch the widest point of the graph is the feed-forward; the factors were fitted to the
    # compute buffers that the library reports.
    activations = N_UBATCH * _FLOAT_BYTES * (8 * shape.n_embd + 3 * shape.n_ff)
    logits = 2 * n_outputs * n_vocab * _FLOAT_BYTES
    scores = shape.n_heads * N_UBATCH_WITH_SCORES * _FLOAT_BYTES if has_scores else 0
    return MemoryEstimate(
        weights=weights,
        fixed=activations + logits + PROCESS_BYTES,
        per_cell=kv + N_UBATCH * _MASK_BYTES + scores,
    )


def available_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process can still use: free in the machine, and in every control group it belongs to.

    Pages of the file cache count as free. None if the system does not say.
    """
    figures = list(_control_groups(proc, cgroups))
    machine = _number_in(proc / "meminfo", "MemAvailable:")
    if machine is not None:
        figures.append(machine * 1024)
    return max(0, min(figures)) if figures else None


class _AttentionShape:
    """The numbers of a model's architecture that decide about its memory."""

    def __init__(self, metadata: Mapping[str, Scalar | GgufArray]) -> None:
        self._metadata = metadata
        self._architecture = metadata.get("general.architecture")
        n_layers = self._integer("block_count")
        heads = self._per_layer("attention.head_count", n_layers)
        self.n_embd = self._integer("embedding_length")
        self.n_heads = max(heads, default=0)
        self.n_ff = max(self._per_layer("feed_forward_length", n_layers), default=0)
        #: Heads of the KV cache by layer; layers without attention have none.
        self.heads_kv = (
            self._per_layer("attention.head_count_kv", n_layers) if self._has("attention.head_count_kv") else heads
        )
        head_length = self.n_embd // max(heads) if any(heads) else 0
        self.key_length = self._integer("attention.key_length", head_length)
        # Multi-head latent attention keeps one compressed row for keys and values together.
        is_latent = self._integer("attention.key_length_mla") > 0
        self.value_length = 0 if is_latent else self._integer("attention.value_length", head_length)

    def _integer(self, key: str, default: int = 0) -> int:
        value = self._metadata.get(f"{self._architecture}.{key}", default)
        return value if isinstance(value, int) and value >= 0 else default

    def _per_layer(self, key: str, n_layers: int) -> list[int]:
        value = self._metadata.get(f"{self._architecture}.{key}")
        if isinstance(value, GgufArray) and len(value.values) == n_layers:
            return [max(0, int(number)) for number in value.values]
        return [self._integer(key)] * n_layers

    def _has(self, key: str) -> bool:
        return f"{self._architecture}.{key}" in self._metadata


def _row_bytes(cache_type: str, n_elements: int) -> int:
    _, block, block_bytes = TENSOR_TYPES[CACHE_TYPES[cache_type]]
    return -(-n_elements // block) * block_bytes


def _control_groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """Bytes left in each control group with a limit, from the process's own up to the root."""
    for line in _lines(proc / "self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, usage, cache = cgroups, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            root, limit, usage, cache = (
                cgroups / "memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file",
            )
        else:
            continue
        group = root / path.lstrip("/")
        for folder in [group, *(parent for parent in group.parents if parent.is_relative_to(root))]:
            limit_bytes, usage_bytes = _number_in(folder / limit), _number_in(folder / usage)
            if limit_bytes is not None and usage_bytes is not None:
                yield limit_bytes - usage_bytes + (_number_in(folder / "memory.stat", cache) or 0)


def _number_in(path: Path, name: str | None = None) -> int | None:
    """The number behind ``name`` on its line, or the file's only number; None if there is none."""
    for line in _lines(path):
        fields = line.split()
        if name is not None and fields[:1] != [name]:
            continue
        number = fields[-1] if name is None else fields[1]
        return int(number) if number.isdecimal() else None
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
